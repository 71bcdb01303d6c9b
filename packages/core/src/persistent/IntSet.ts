/**
 * A persistent set of small integers, for the ids of tasks, workers and clients.
 *
 * Most sets of a scheduler have one to three members (who holds a result, who
 * wants it, what it depends on) and a few have a hundred thousand (what depends
 * on the root of a map). So a set is a sorted array up to `maxSmall` members and
 * a bit set above: words of 32 members each, in a persistent vector. Copying a
 * native `Set` of 1 000 costs 4 µs for each edit, arrays of dependents are
 * quadratic, and neither prints in a story as a list.
 *
 * The size alone decides which of the two a set is, and both are pruned, so that
 * equal sets are deeply equal, whatever their histories.
 *
 * As with vectors, an edit may change the set it was given if the batch owns it:
 * always go on with the set that `add` and `remove` return.
 */
import { makeOwner, type Owner } from "./Owner.ts"
import * as Vector from "./Vector.ts"

/** Distinct integers from 0 to `Vector.maxIndex`. Iterates in ascending order. */
export type IntSet<Id extends number = number> = SmallSet<Id> | BitSet<Id>

/** At most `maxSmall` members: a plain array, ascending, never changed in place. */
export interface SmallSet<Id extends number> extends ReadonlyArray<Id> {
  /** Not there: it keeps arrays that nobody sorted from being taken for sets. */
  readonly [sorted]: true
}

/** More than `maxSmall` members. */
export interface BitSet<Id extends number> extends Iterable<Id> {
  readonly size: number
  /** Member `n` is bit `n % 32` of word `n / 32`. Words that would be 0 are absent. */
  readonly words: Vector.Vector<number>
  /** The batch that may still change `size` and `words`. */
  readonly owner: Owner
}

/** The largest set that is an array. */
export const maxSmall = 16

/** The set without members. */
export const empty = <Id extends number = number>(): IntSet<Id> => nothing

/** The set of these members, in any order. */
export const of = <Id extends number = number>(...ids: ReadonlyArray<Id>): IntSet<Id> => fromIterable(ids)

/** The set of these members, in any order, repeated or not. Throws a RangeError as `add` does. */
export const fromIterable = <Id extends number>(ids: Iterable<Id>): IntSet<Id> => {
  const owner = makeOwner()
  let set: IntSet<Id> = nothing
  for (const id of ids) set = add(set, owner, id)
  return set
}

/** How many members there are. Constant time. */
export const size = <Id extends number>(set: IntSet<Id>): number => isSmall(set) ? set.length : set.size

/** Whether `id` is a member. No number is refused: −1, 1.5 and NaN are members of nothing. */
export const has = <Id extends number>(set: IntSet<Id>, id: number): boolean => {
  if (!isSmall(set)) return (id & Vector.maxIndex) === id && (wordFor(set, id) & bitOf(id)) !== 0
  for (let at = 0; at < set.length; at++) if (set[at] === id) return true
  return false
}

/**
 * The set with `id` in it; the same set if it was there already.
 *
 * Throws a RangeError if `id` is no integer from 0 to `Vector.maxIndex`.
 */
export const add = <Id extends number>(set: IntSet<Id>, owner: Owner, id: Id): IntSet<Id> => {
  if (!isSmall(set)) return addBit(set, owner, id)
  if (set.length === 0) return only(id)
  const at = placeOf(set, id)
  if (set[at] === id) return set
  Vector.checkIndex(id)
  return set.length < maxSmall ? insertAt(set, at, id) : addBit(toBits(set, owner), owner, id)
}

/** The set without `id`; the same set if it was not there. */
export const remove = <Id extends number>(set: IntSet<Id>, owner: Owner, id: Id): IntSet<Id> => {
  if (!isSmall(set)) return removeBit(set, owner, id)
  const at = placeOf(set, id)
  return set[at] === id ? removeAt(set, at, id) : set
}

/** The smallest member. */
export const min = <Id extends number>(set: IntSet<Id>): Id | undefined => {
  if (isSmall(set)) return set[0]
  const at = Vector.min(set.words)
  return at === undefined ? undefined : lowestIn<Id>(Vector.first(set.words) ?? 0, at)
}

/**
 * The smallest member above `id`. A loop from `min` by `next` allocates nothing,
 * and may edit the set: what is above the present member is seen as it is then.
 */
export const next = <Id extends number>(set: IntSet<Id>, id: Id): Id | undefined => {
  if (!isSmall(set)) return nextBit(set, id)
  for (let at = 0; at < set.length; at++) {
    const other = set[at]
    if (other !== undefined && other > id) return other
  }
  return undefined
}

/**
 * Calls `visit` for every member, in ascending order.
 *
 * `visit` may edit the same set: members that stay are visited once each;
 * whether those that come or go meanwhile are seen is not defined.
 */
export const forEach = <Id extends number>(set: IntSet<Id>, visit: (id: Id) => void): void => {
  if (!isSmall(set)) return Vector.forEach(set.words, (word, at) => forEachIn(word, at, visit))
  for (let at = 0; at < set.length; at++) {
    const id = set[at]
    if (id !== undefined) visit(id)
  }
}

/** The members in ascending order, to be looped over. Slower than `forEach`. */
export const values = <Id extends number>(set: IntSet<Id>): Iterable<Id> => set

/** Whether some member passes the test. Asks no further than the first that does. */
export const some = <Id extends number>(set: IntSet<Id>, test: (id: Id) => boolean): boolean => {
  for (let id = min(set); id !== undefined; id = next(set, id)) if (test(id)) return true
  return false
}

/** The smallest members, in ascending order; not more than `count`. Copies nothing of a small set that has no more. */
export const firstFew = <Id extends number>(set: IntSet<Id>, count: number): ReadonlyArray<Id> => {
  if (isSmall(set) && set.length <= count) return set
  const ids: Array<Id> = []
  for (let id = min(set); id !== undefined && ids.length < count; id = next(set, id)) ids.push(id)
  return ids
}

/** The members in ascending order, as an array of the caller's own. */
export const toArray = <Id extends number>(set: IntSet<Id>): Array<Id> => {
  const ids: Array<Id> = []
  forEach(set, (id) => ids.push(id))
  return ids
}

/** Whether all members of `part` are members of `whole`. What the two share is not looked at. */
export const isSubset = <Id extends number>(part: IntSet<Id>, whole: IntSet<Id>): boolean => {
  if (part === whole) return true
  if (size(part) > size(whole)) return false
  if (isSmall(part)) return part.every((id) => has(whole, id))
  return !isSmall(whole) && areWordsWithin(part.words, whole.words)
}

/** Whether both have the same members. */
export const equals = <Id extends number>(a: IntSet<Id>, b: IntSet<Id>): boolean =>
  size(a) === size(b) && isSubset(a, b)

declare const sorted: unique symbol

/** JSON and assertion diffs print it as they print a small set: as the list of its members. */
class Bits<Id extends number> implements BitSet<Id> {
  size: number
  words: Vector.Vector<number>
  owner: Owner

  constructor(size: number, words: Vector.Vector<number>, owner: Owner) {
    this.size = size
    this.words = words
    this.owner = owner
  }

  *[Symbol.iterator](): Generator<Id> {
    for (const [at, word] of Vector.entries(this.words)) {
      for (let bits = word; bits !== 0; bits &= bits - 1) yield lowestIn<Id>(bits, at)
    }
  }

  toJSON(): Array<Id> {
    return toArray(this)
  }
}

/** A bit set as its owner sees it. */
interface Editable<Id extends number> extends BitSet<Id> {
  size: number
  words: Vector.Vector<number>
}

const isSmall = <Id extends number>(set: IntSet<Id>): set is SmallSet<Id> => Array.isArray(set)

// The cast that makes small sets: every array that comes here is ascending.
const small = <Id extends number>(ids: ReadonlyArray<Id>): SmallSet<Id> => ids as SmallSet<Id>

const nothing: SmallSet<never> = small([])

/**
 * Sets of one member that is less than this are made once. Workers and clients
 * have small ids, and most results have one holder and are wanted by one client:
 * a hundred bytes less for each task.
 */
const sharedIds = 4_096
const shared = new Array<SmallSet<number> | undefined>(sharedIds)

const only = <Id extends number>(id: Id): SmallSet<Id> => {
  Vector.checkIndex(id)
  if (id >= sharedIds) return small([id])
  // The cast gives the number its brand back.
  const known = shared[id] as SmallSet<Id> | undefined
  if (known !== undefined) return known
  const made = small([id])
  shared[id] = made
  return made
}

/** Where `id` is in the array, or where it belongs. */
const placeOf = (ids: ReadonlyArray<number>, id: number): number => {
  // From the end, for new ids are mostly the largest.
  for (let at = ids.length; at > 0; at--) {
    const before = ids[at - 1]
    if (before !== undefined && before < id) return at
  }
  return 0
}

/*
 * Arrays are made with just the length they need: `push` and `splice` would
 * reserve sixteen places more, and the copying methods of arrays take three
 * times as long as these loops. `?? id` is for the compiler; all places are taken.
 */

const insertAt = <Id extends number>(set: SmallSet<Id>, at: number, id: Id): SmallSet<Id> => {
  const ids = new Array<Id>(set.length + 1)
  for (let from = 0; from < at; from++) ids[from] = set[from] ?? id
  ids[at] = id
  for (let from = at; from < set.length; from++) ids[from + 1] = set[from] ?? id
  return small(ids)
}

const removeAt = <Id extends number>(set: SmallSet<Id>, at: number, id: Id): SmallSet<Id> => {
  const length = set.length - 1
  if (length === 0) return nothing
  if (length === 1) return only(set[1 - at] ?? (0 as Id))
  const ids = new Array<Id>(length)
  for (let to = 0; to < at; to++) ids[to] = set[to] ?? id
  for (let to = at; to < length; to++) ids[to] = set[to + 1] ?? id
  return small(ids)
}

const toBits = <Id extends number>(set: SmallSet<Id>, owner: Owner): BitSet<Id> => {
  let bits: BitSet<Id> = new Bits<Id>(0, Vector.empty(), owner)
  for (const id of set) bits = addBit(bits, owner, id)
  return bits
}

const addBit = <Id extends number>(set: BitSet<Id>, owner: Owner, id: Id): BitSet<Id> => {
  Vector.checkIndex(id)
  const word = wordFor(set, id)
  if ((word & bitOf(id)) !== 0) return set
  const edited = edit(set, owner)
  edited.words = Vector.set(set.words, owner, indexOf(id), word | bitOf(id))
  edited.size++
  return edited
}

const removeBit = <Id extends number>(set: BitSet<Id>, owner: Owner, id: Id): IntSet<Id> => {
  const before = (id & Vector.maxIndex) === id ? wordFor(set, id) : 0
  if ((before & bitOf(id)) === 0) return set
  if (set.size === maxSmall + 1) return small(toArray(set).filter((other) => other !== id))
  const word = before & ~bitOf(id)
  const edited = edit(set, owner)
  edited.words = word === 0
    ? Vector.remove(set.words, owner, indexOf(id))
    : Vector.set(set.words, owner, indexOf(id), word)
  edited.size--
  return edited
}

const edit = <Id extends number>(set: BitSet<Id>, owner: Owner): Editable<Id> =>
  set.owner === owner ? set : new Bits<Id>(set.size, set.words, owner)

const indexOf = (id: number): number => id >>> 5

const bitOf = (id: number): number => 1 << (id & 31)

const wordFor = <Id extends number>(set: BitSet<Id>, id: number): number => Vector.get(set.words, indexOf(id)) ?? 0

// The cast from a number to a branded id: the bit was set by an id of that brand.
const lowestIn = <Id extends number>(word: number, index: number): Id =>
  ((index << 5) | (31 - Math.clz32(word & -word))) as Id

const nextBit = <Id extends number>(set: BitSet<Id>, id: Id): Id | undefined => {
  if (id === Vector.maxIndex) return undefined
  const from = id + 1
  const rest = wordFor(set, from) & (-1 << (from & 31))
  if (rest !== 0) return lowestIn<Id>(rest, indexOf(from))
  const at = Vector.next(set.words, indexOf(from))
  return at === undefined ? undefined : lowestIn<Id>(Vector.get(set.words, at) ?? 0, at)
}

const forEachIn = <Id extends number>(word: number, index: number, visit: (id: Id) => void): void => {
  for (let bits = word; bits !== 0; bits &= bits - 1) visit(lowestIn<Id>(bits, index))
}

const areWordsWithin = (part: Vector.Vector<number>, whole: Vector.Vector<number>): boolean => {
  // Pruned as they are, a higher tree has a larger member.
  if (part.shift > whole.shift) return false
  let node = whole.root
  for (let shift = whole.shift; shift > part.shift && node !== undefined; shift -= 5) node = node.children[0]
  return isNodeWithin(part.root, node)
}

const isNodeWithin = (part: Vector.Node<number> | undefined, whole: Vector.Node<number> | undefined): boolean => {
  if (part === whole || part === undefined) return true
  if (whole === undefined || (part.mask & ~whole.mask) !== 0) return false
  for (let slot = 0; slot < part.children.length; slot++) {
    if (!isNodeWithin(part.children[slot], whole.children[slot])) return false
  }
  for (let slot = 0; slot < part.values.length; slot++) {
    if (((part.values[slot] ?? 0) & ~(whole.values[slot] ?? 0)) !== 0) return false
  }
  return true
}
