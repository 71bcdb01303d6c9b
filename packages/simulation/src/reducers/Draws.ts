/**
 * Chance from a seed, by name.
 *
 * A draw is a hash of the seed, of what it is for, and of how often that has been
 * asked. So it does not depend on what else was drawn: when a task or a fault is
 * left out of a case, everything else goes on as it did, and a failure that has
 * nothing to do with it is still there. That is what makes cases shrink.
 */

/** Mixes two integers into one of 32 bits (the finalizer of MurmurHash3). */
export const mix = (a: number, b: number): number => {
  let hash = (Math.imul(a, 0x9e3779b1) ^ (b + 0x7f4a7c15)) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A number from 0 to 1, not 1 itself, for the `n`th draw about `what`. */
export const share = (seed: number, what: number, n: number): number => mix(mix(seed, what), n) / range

const range = 0x1_0000_0000

/** Draws about many things, each counted by itself. */
export class Draws {
  private readonly seed: number
  private readonly about = new Map<number, { readonly hash: number; n: number }>()

  constructor(seed: number) {
    this.seed = seed
  }

  /** The next draw about `what`. */
  next(what: number): number {
    let drawn = this.about.get(what)
    if (drawn === undefined) this.about.set(what, drawn = { hash: mix(this.seed, what), n: 0 })
    return mix(drawn.hash, drawn.n++) / range
  }
}

/** An integer from 0 to `below`, not `below` itself. */
export const pick = (seed: number, what: number, n: number, below: number): number => Math.floor(share(seed, what, n) * below)

/** Names of what is drawn about, far apart from each other and from small numbers. */
export const streams = {
  cluster: 0x1000_0000,
  graph: 0x1100_0000,
  operations: 0x1200_0000,
  faults: 0x1300_0000,
  line: 0x1400_0000,
  turn: 0x1500_0000,
  body: 0x1600_0000,
  gather: 0x1700_0000,
  process: 0x1800_0000,
  terms: 0x1900_0000,
  delays: 0x1a00_0000,
  away: 0x1b00_0000,
  secessions: 0x1c00_0000
} as const

/** One stream of draws, each for the next purpose: for making a case, where nothing is left out yet. */
export class Stream {
  private n = 0
  private readonly seed: number
  private readonly what: number

  constructor(seed: number, what: number) {
    this.seed = seed
    this.what = what
  }

  share(): number {
    return share(this.seed, this.what, this.n++)
  }

  below(limit: number): number {
    return Math.floor(this.share() * limit)
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** Of all magnitudes alike. */
  logBetween(low: number, high: number): number {
    return low * (high / low) ** this.share()
  }

  chance(p: number): boolean {
    return this.share() < p
  }

  oneOf<A>(items: readonly [A, ...ReadonlyArray<A>]): A {
    return items[this.below(items.length)] ?? items[0]
  }
}
