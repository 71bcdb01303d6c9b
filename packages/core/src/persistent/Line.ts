/**
 * A persistent line of ids by rank, the lowest first: what a priority queue
 * holds for one priority (see Ranked.ts).
 *
 * Ranks come from a counter that only grows, so they are kept as the indices of
 * a vector: adding and removing touch one path that the batch mostly owns, and
 * the first is the vector's first. No heap does this: a task is also taken from
 * the middle when it is released, and a heap that marks it as gone instead grows
 * with history. A counter outgrows the 31 bits of an index in a month at a
 * thousand tasks a second, so a rank is split into a block of 2³⁰ and the place
 * in it, and blocks are kept in a vector of vectors.
 *
 * A vector's path takes two kilobytes, however short the line. When users derive
 * priorities from deadlines or scores there are as many lines as tasks, so up to
 * `maxShort` places a line is a plain array. As elsewhere the size alone decides
 * and lines of equal places are deeply equal.
 */
import type { Owner } from "./Owner.ts"
import * as Vector from "./Vector.ts"

export type Line<Id extends number> = ReadonlyArray<Place<Id>> | LongLine<Id>

/** Who stands where. */
export interface Place<Id extends number> {
  readonly rank: number
  readonly id: Id
}

/** More than `maxShort` places. */
export interface LongLine<Id extends number> {
  readonly size: number
  /** By `rank / 2³⁰` and then by `rank % 2³⁰`. No block is empty. */
  readonly blocks: Vector.Vector<Vector.Vector<Id>>
  /** The batch that may still change `size` and `blocks`. */
  readonly owner: Owner
}

/** The longest line that is an array. */
export const maxShort = 4

/** The line where nobody stands. */
export const empty = <Id extends number>(): Line<Id> => nobody

/** How many stand in the line. */
export const size = <Id extends number>(line: Line<Id>): number => isShort(line) ? line.length : line.size

/** Who stands first. */
export const first = <Id extends number>(line: Line<Id>): Id | undefined => {
  if (isShort(line)) return line[0]?.id
  const block = Vector.first(line.blocks)
  return block === undefined ? undefined : Vector.first(block)
}

/** Who stands at `rank`. */
export const get = <Id extends number>(line: Line<Id>, rank: number): Id | undefined => {
  if (isShort(line)) {
    for (let at = 0; at < line.length; at++) if (line[at]?.rank === rank) return line[at]?.id
    return undefined
  }
  const block = Vector.get(line.blocks, blockOf(rank))
  return block === undefined ? undefined : Vector.get(block, placeOf(rank))
}

/** Throws a RangeError if `rank` is no integer from 0 to 2⁵³ − 1. */
export const checkRank = (rank: number): void => {
  if (!Number.isSafeInteger(rank) || rank < 0) {
    throw new RangeError(`${rank} cannot be a rank: give an integer from 0 to 2^53 - 1`)
  }
}

/** Puts `id` at `rank`, which has been checked, in place of any that stood there. */
export const add = <Id extends number>(line: Line<Id>, owner: Owner, rank: number, id: Id): Line<Id> => {
  if (!isShort(line)) return addLong(line, owner, rank, id)
  const places = line.filter((place) => place.rank !== rank)
  if (places.length === maxShort) return addLong(toLong(line, owner), owner, rank, id)
  const before = places.findLastIndex((place) => place.rank < rank)
  return places.toSpliced(before + 1, 0, { rank, id })
}

/** Takes away who stands at `rank`; the same line if nobody does. */
export const remove = <Id extends number>(line: Line<Id>, owner: Owner, rank: number): Line<Id> => {
  if (get(line, rank) === undefined) return line
  if (isShort(line)) return line.length === 1 ? nobody : line.filter((place) => place.rank !== rank)
  if (line.size === maxShort + 1) return Array.from(places(line)).filter((place) => place.rank !== rank)
  const edited = edit(line, owner)
  const block = Vector.get(line.blocks, blockOf(rank)) ?? Vector.empty<Id>()
  const changed = Vector.remove(block, owner, placeOf(rank))
  if (changed.size === 0) edited.blocks = Vector.remove(line.blocks, owner, blockOf(rank))
  else if (changed !== block) edited.blocks = Vector.set(line.blocks, owner, blockOf(rank), changed)
  edited.size--
  return edited
}

/** All places, the lowest rank first. */
export function* places<Id extends number>(line: Line<Id>): Generator<Place<Id>> {
  if (isShort(line)) yield* line
  else {
    for (const [block, ids] of Vector.entries(line.blocks)) {
      for (const [place, id] of Vector.entries(ids)) yield { rank: block * blockSize + place, id }
    }
  }
}

/** A long line as its owner sees it. */
interface Editable<Id extends number> extends LongLine<Id> {
  size: number
  blocks: Vector.Vector<Vector.Vector<Id>>
}

const nobody: ReadonlyArray<never> = []

const isShort = <Id extends number>(line: Line<Id>): line is ReadonlyArray<Place<Id>> => Array.isArray(line)

const makeLong = <Id extends number>(
  size: number,
  blocks: Vector.Vector<Vector.Vector<Id>>,
  owner: Owner
): Editable<Id> => ({ size, blocks, owner })

const toLong = <Id extends number>(places: ReadonlyArray<Place<Id>>, owner: Owner): LongLine<Id> => {
  let line: LongLine<Id> = makeLong<Id>(0, Vector.empty(), owner)
  for (const { rank, id } of places) line = addLong(line, owner, rank, id)
  return line
}

const edit = <Id extends number>(line: LongLine<Id>, owner: Owner): Editable<Id> =>
  line.owner === owner ? line : makeLong(line.size, line.blocks, owner)

const addLong = <Id extends number>(line: LongLine<Id>, owner: Owner, rank: number, id: Id): LongLine<Id> => {
  const edited = edit(line, owner)
  const block = Vector.get(line.blocks, blockOf(rank)) ?? Vector.empty<Id>()
  // Read before `set`, which may change the block itself.
  const sizeBefore = block.size
  const changed = Vector.set(block, owner, placeOf(rank), id)
  if (changed !== block) edited.blocks = Vector.set(line.blocks, owner, blockOf(rank), changed)
  edited.size += changed.size - sizeBefore
  return edited
}

const blockSize = 2 ** 30

const blockOf = (rank: number): number => Math.floor(rank / blockSize)

const placeOf = (rank: number): number => rank - blockOf(rank) * blockSize
