/**
 * A persistent priority queue of ids: the higher user's priority first, and
 * within one priority the lower rank.
 *
 * The ids of one priority stand in a line by rank (see Line.ts).
 *
 * Users' priorities may be any numbers; most queues hold one to three. They are
 * the leaves of a crit-bit tree over the 64 bits of the number, which needs no
 * balancing, is never deeper than 64 however they were chosen, and depends on
 * its contents alone. With one priority the tree is just its leaf.
 *
 * As with vectors, an edit may change the queue it was given if the batch owns
 * it: always go on with the queue that `add` and `remove` return.
 *
 * Source: D. J. Bernstein, "Crit-bit trees", cr.yp.to/critbit.html.
 */
import * as Line from "./Line.ts"
import type { Owner } from "./Owner.ts"

/** Ids in the order of their positions. Any number of ids may be equal, but no two positions. */
export interface Ranked<Id extends number = number> {
  readonly size: number
  readonly levels: Levels<Id> | undefined
  /** The batch that may still change `size` and `levels`. */
  readonly owner: Owner | undefined
}

/** Where an id stands. */
export interface Position {
  /** The user's: higher goes first. Any number but NaN. */
  readonly priority: number
  /** Among equal priorities the lower goes first. An integer from 0 to 2⁵³ − 1. */
  readonly rank: number
}

/** The levels of some priorities: one, or those before and after a bit in which they differ. */
export type Levels<Id extends number> = Level<Id> | Fork<Id>

/** All ids of one priority. Never empty. */
export interface Level<Id extends number> {
  readonly _tag: "Level"
  readonly priority: number
  /** Only `owner` may write. */
  line: Line.Line<Id>
  readonly owner: Owner
}

/** Levels that agree in all bits of their keys above `bit`. */
export interface Fork<Id extends number> {
  readonly _tag: "Fork"
  /** 0 is the most significant of 64. Greater than that of the fork above. */
  readonly bit: number
  /** Those with 0 in `bit`: the higher priorities. */
  readonly before: Levels<Id>
  readonly after: Levels<Id>
}

/** The queue without entries. */
export const empty = <Id extends number = number>(): Ranked<Id> => nothing

/** The id that stands first. */
export const first = <Id extends number>(queue: Ranked<Id>): Id | undefined => {
  let levels = queue.levels
  if (levels === undefined) return undefined
  while (levels._tag === "Fork") levels = levels.before
  return Line.first(levels.line)
}

/** The id at `position`. */
export const get = <Id extends number>(queue: Ranked<Id>, position: Position): Id | undefined => {
  if (queue.levels === undefined) return undefined
  const level = nearest(queue.levels, position.priority)
  return level.priority === position.priority ? Line.get(level.line, position.rank) : undefined
}

/**
 * Puts `id` at `position`, in place of any that stood there.
 *
 * Throws a RangeError if the priority is NaN or the rank no integer from 0 to 2⁵³ − 1.
 */
export const add = <Id extends number>(
  queue: Ranked<Id>,
  owner: Owner,
  position: Position,
  id: Id
): Ranked<Id> => {
  if (Number.isNaN(position.priority)) throw new RangeError("NaN cannot be a priority: give a number")
  // Before anything is edited, so that a refusal leaves the queue as it was.
  Line.checkRank(position.rank)
  const edited = edit(queue, owner)
  const level = ownLevel(edited, owner, position.priority)
  const sizeBefore = Line.size(level.line)
  level.line = Line.add(level.line, owner, position.rank, id)
  edited.size += Line.size(level.line) - sizeBefore
  return edited
}

/** Takes away what stands at `position`. Where nothing does the queue itself is returned. */
export const remove = <Id extends number>(queue: Ranked<Id>, owner: Owner, position: Position): Ranked<Id> => {
  if (get(queue, position) === undefined) return queue
  if (queue.size === 1) return nothing
  const edited = edit(queue, owner)
  edited.size--
  const level = ownLevel(edited, owner, position.priority)
  level.line = Line.remove(level.line, owner, position.rank)
  if (Line.size(level.line) === 0 && edited.levels !== undefined) {
    edited.levels = withoutLevel(edited.levels, position.priority)
  }
  return edited
}

/** Calls `visit` for every entry, the first first. */
export const forEach = <Id extends number>(
  queue: Ranked<Id>,
  visit: (id: Id, position: Position) => void
): void => {
  for (const [id, position] of entries(queue)) visit(id, position)
}

/** The ids in order. */
export function* values<Id extends number>(queue: Ranked<Id>): Generator<Id> {
  for (const [id] of entries(queue)) yield id
}

/** The ids with their positions, in order. */
export function* entries<Id extends number>(queue: Ranked<Id>): Generator<[id: Id, position: Position]> {
  if (queue.levels !== undefined) yield* entriesOf(queue.levels)
}

/** JSON and assertion diffs print the queue as a list of its entries, in order. */
class Queue<Id extends number> implements Ranked<Id> {
  size: number
  levels: Levels<Id> | undefined
  owner: Owner | undefined

  constructor(size: number, levels: Levels<Id> | undefined, owner: Owner | undefined) {
    this.size = size
    this.levels = levels
    this.owner = owner
  }

  toJSON(): Array<Position & { readonly id: Id }> {
    return Array.from(entries(this), ([id, position]) => ({ ...position, id }))
  }
}

/** A queue as its owner sees it. */
interface Editable<Id extends number> extends Ranked<Id> {
  size: number
  levels: Levels<Id> | undefined
}

const nothing: Ranked<never> = new Queue<never>(0, undefined, undefined)

const edit = <Id extends number>(queue: Ranked<Id>, owner: Owner): Editable<Id> =>
  queue.owner === owner ? queue : new Queue(queue.size, queue.levels, owner)

/** The level of this priority, or else one of those that agree with it longest in the bits of forks. */
const nearest = <Id extends number>(levels: Levels<Id>, priority: number): Level<Id> => {
  while (levels._tag === "Fork") levels = isAfter(priority, levels.bit) ? levels.after : levels.before
  return levels
}

/** The level of this priority, owned; made if it was not there. */
const ownLevel = <Id extends number>(queue: Editable<Id>, owner: Owner, priority: number): Level<Id> => {
  if (queue.levels === undefined) {
    const level = makeLevel(priority, Line.empty<Id>(), owner)
    queue.levels = level
    return level
  }
  const found = nearest(queue.levels, priority)
  const isNew = found.priority !== priority
  if (!isNew && found.owner === owner) return found
  const level = makeLevel(priority, isNew ? Line.empty<Id>() : found.line, owner)
  queue.levels = withLevel(queue.levels, level, isNew ? firstDifference(found.priority, priority) : noDifference)
  return level
}

/** Adding 0 turns −0, which is the same priority as 0, into it. */
const makeLevel = <Id extends number>(priority: number, line: Line.Line<Id>, owner: Owner): Level<Id> => ({
  _tag: "Level",
  priority: priority + 0,
  line,
  owner
})

const makeFork = <Id extends number>(bit: number, before: Levels<Id>, after: Levels<Id>): Fork<Id> => ({
  _tag: "Fork",
  bit,
  before,
  after
})

/** Puts `level` into the tree, whose nearest level differs from it first in `bit`. */
const withLevel = <Id extends number>(levels: Levels<Id>, level: Level<Id>, bit: number): Levels<Id> => {
  if (levels._tag === "Level" && bit === noDifference) return level
  if (levels._tag === "Level" || levels.bit > bit) {
    return isAfter(level.priority, bit) ? makeFork(bit, levels, level) : makeFork(bit, level, levels)
  }
  return isAfter(level.priority, levels.bit)
    ? makeFork(levels.bit, levels.before, withLevel(levels.after, level, bit))
    : makeFork(levels.bit, withLevel(levels.before, level, bit), levels.after)
}

/** Takes the level of `priority`, which is there, out of the tree. */
const withoutLevel = <Id extends number>(levels: Levels<Id>, priority: number): Levels<Id> | undefined => {
  if (levels._tag === "Level") return undefined
  if (isAfter(priority, levels.bit)) {
    const after = withoutLevel(levels.after, priority)
    return after === undefined ? levels.before : makeFork(levels.bit, levels.before, after)
  }
  const before = withoutLevel(levels.before, priority)
  return before === undefined ? levels.after : makeFork(levels.bit, before, levels.after)
}

/*
 * A priority's key is 64 bits that, read as one unsigned number, are the smaller
 * the higher the priority is. The bits of a float are in order already but for
 * two things: the sign is the wrong way round, and negative numbers run
 * backwards.
 */

/** Bits in which two keys may differ; the first that does not exist. */
const noDifference = 64

const float = new DataView(new ArrayBuffer(8))

const highOf = (priority: number): number => {
  float.setFloat64(0, 0 - priority)
  const high = float.getInt32(0)
  return high < 0 ? ~high : high ^ 0x80000000
}

const lowOf = (priority: number): number => {
  float.setFloat64(0, 0 - priority)
  const low = float.getInt32(4)
  return float.getInt32(0) < 0 ? ~low : low
}

const isAfter = (priority: number, bit: number): boolean =>
  ((bit < 32 ? highOf(priority) >>> (31 - bit) : lowOf(priority) >>> (63 - bit)) & 1) === 1

const firstDifference = (a: number, b: number): number => {
  const high = highOf(a) ^ highOf(b)
  return high !== 0 ? Math.clz32(high) : 32 + Math.clz32(lowOf(a) ^ lowOf(b))
}

function* entriesOf<Id extends number>(levels: Levels<Id>): Generator<[id: Id, position: Position]> {
  if (levels._tag === "Fork") {
    yield* entriesOf(levels.before)
    yield* entriesOf(levels.after)
    return
  }
  for (const { id, rank } of Line.places(levels.line)) yield [id, { priority: levels.priority, rank }]
}
