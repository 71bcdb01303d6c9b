/**
 * Chance by name.
 *
 * A draw is a hash of the seed and of what is drawn: the stream, the thing and
 * the place of the draw among those of that thing. So leaving one task or one fault
 * out changes no other draw, and what is drawn does not depend on the order of
 * drawing. Both are what makes a failing case small.
 *
 * Sources: FNV-1a for names, the finalizer of MurmurHash3 for mixing.
 */

/** The draws of one seed. Each names what is drawn; equal names, equal draws. */
export interface Draws {
  /** From 0 to below 1. */
  readonly unit: (stream: string, id?: number, n?: number) => number
  /** A whole number from `least` to `most`. */
  readonly int: (least: number, most: number, stream: string, id?: number, n?: number) => number
  /** Spread evenly over the orders of magnitude from `least` to `most`, which are above 0. */
  readonly logUniform: (least: number, most: number, stream: string, id?: number, n?: number) => number
  /** The same as a whole number. */
  readonly logInt: (least: number, most: number, stream: string, id?: number, n?: number) => number
  readonly chance: (p: number, stream: string, id?: number, n?: number) => boolean
  /** One of them; the list must not be empty. */
  readonly pick: <A>(from: ReadonlyArray<A>, stream: string, id?: number, n?: number) => A
  /** A seed of its own for something that draws by itself: 32 bits. */
  readonly seed: (stream: string, id?: number, n?: number) => number
}

/** The draws that belong to a seed: any whole number. */
export const draws = (seed: number): Draws => {
  const low = seed >>> 0
  const high = Math.floor(seed / 2 ** 32) >>> 0
  const bits = (stream: string, id: number, n: number): number => {
    let hash = mix(low ^ 0x9e3779b9)
    hash = mix(hash ^ high)
    hash = mix(hash ^ hashOf(stream))
    hash = mix(hash ^ Math.imul(id, 0x85ebca6b))
    return mix(hash ^ Math.imul(n, 0xc2b2ae35))
  }
  const unit = (stream: string, id = 0, n = 0) => bits(stream, id, n) / 2 ** 32
  const int = (least: number, most: number, stream: string, id = 0, n = 0) => least + Math.floor(unit(stream, id, n) * (most - least + 1))
  const logUniform = (least: number, most: number, stream: string, id = 0, n = 0) => least * (most / least) ** unit(stream, id, n)
  return {
    unit,
    int,
    logUniform,
    logInt: (least, most, stream, id = 0, n = 0) => Math.round(logUniform(least, most, stream, id, n)),
    chance: (p, stream, id = 0, n = 0) => unit(stream, id, n) < p,
    pick: (from, stream, id = 0, n = 0) => from[int(0, from.length - 1, stream, id, n)]!,
    seed: (stream, id = 0, n = 0) => bits(stream, id, n)
  }
}

const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

const mix = (value: number): number => {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
