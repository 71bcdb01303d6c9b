/**
 * Chance that follows from a seed.
 *
 * A run has many streams, each found by its name: the order of fibers, each link
 * of the network, each process's randomness. So what one part draws does not
 * shift what another draws, and a run stays much the same when something is left
 * out of it: that is what makes shortening a failing run work.
 *
 * Only 32-bit integer arithmetic: equal on every machine and version of Node.
 */

/** A sequence of draws. Two of the same seed are the same sequence. */
export class Stream {
  #state: number

  /** `seed`: its lower 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** The stream of this name under a seed. */
  static named(seed: number, name: string): Stream {
    return new Stream(mix(mix(0x9e3779b9, seed >>> 0), Math.floor(seed / 4294967296) >>> 0) ^ hashOf(name))
  }

  /** 32 bits. Source: Tommy Ettinger's mulberry32. */
  bits(): number {
    let t = (this.#state = (this.#state + 0x6d2b79f5) | 0)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** From 0 to 1, 1 excluded. */
  next(): number {
    return this.bits() / 4294967296
  }

  /** A whole number from 0 to `n`, `n` excluded. */
  int(n: number): number {
    return Math.floor(this.next() * n)
  }

  /** From `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  /** True this often, 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share
  }

  /** One of them; none of an empty list. */
  pick<A>(among: ReadonlyArray<A>): A | undefined {
    return among[this.int(among.length)]
  }
}

/** A hash that a number has been added to. Source: the finalizer of Austin Appleby's MurmurHash3, folded in. */
export const mix = (hash: number, value: number): number => {
  let h = Math.imul(hash ^ value, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The 32-bit FNV-1a hash of a text. */
export const hashOf = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}
