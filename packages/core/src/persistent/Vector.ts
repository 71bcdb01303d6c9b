/**
 * A persistent map from small integers to values: what `Array` would be if every
 * version of it could be kept.
 *
 * It is a radix tree: 32 slots to a node, five bits of the index to a level, so
 * that a million entries are four steps away. Versions share all nodes that did
 * not change. Edits copy the path to the root once per batch and change it in
 * place after that (see Owner.ts): always go on with the vector that `set` and
 * `remove` return, never with the one they were given.
 *
 * A node without entries is cut off at once and a root that leads only to its
 * first child is taken away, for two reasons. Memory and the search for the
 * smallest index must grow with what is there, never with what has been there
 * (an unpruned tree took 19 µs instead of 1.7 for a task's life). And the tree
 * then depends on its entries alone, so that vectors of equal entries are deeply
 * equal, whatever their histories.
 */
import type { Owner } from "./Owner.ts"

/** Values of type `A` by index, 0 to `maxIndex`. `undefined` means absent, and cannot be stored. */
export interface Vector<out A> {
  /** How many entries are present. */
  readonly size: number
  /** Position of the lowest of the five index bits by which the root's slots are chosen. */
  readonly shift: number
  /** Undefined in an empty vector only. */
  readonly root: Node<A> | undefined
  /** The batch that may still change `size`, `shift` and `root`. */
  readonly owner: Owner | undefined
}

/**
 * One node of the tree, open to this folder and to tests that walk it. A branch
 * has 32 children and no values, a leaf 32 values and no children. Nodes have
 * both fields so that all look alike to the engine and no cast is needed.
 */
export interface Node<out A> {
  readonly owner: Owner
  /** Bit `n` is set when slot `n` is taken. Never 0. */
  readonly mask: number
  readonly children: ReadonlyArray<Node<A> | undefined>
  readonly values: ReadonlyArray<A | undefined>
}

/** The largest index: 2³¹ − 1. */
export const maxIndex = 0x7fffffff

/** The vector without entries. */
export const empty = <A = never>(): Vector<A> => nothing

/** The value at `index`, or undefined. No number is refused: at −1, 1.5 or NaN there is nothing. */
export const get = <A>(vector: Vector<A>, index: number): A | undefined => {
  let shift = vector.shift
  if ((index & maxIndex) !== index || index >>> shift > lastSlot) return undefined
  let node = vector.root
  for (; shift > 0 && node !== undefined; shift -= bitsPerLevel) node = node.children[(index >>> shift) & lastSlot]
  return node === undefined ? undefined : node.values[index & lastSlot]
}

/**
 * Puts `value` at `index`, in place of any that was there; `undefined` removes.
 *
 * Throws a RangeError if `index` is no integer from 0 to `maxIndex`.
 */
export const set = <A>(vector: Vector<A>, owner: Owner, index: number, value: A): Vector<A> => {
  if (value === undefined) return remove(vector, owner, index)
  checkIndex(index)
  const edited = edit(vector, owner)
  let node = rootFor(edited, owner, index)
  for (let shift = edited.shift; shift > 0; shift -= bitsPerLevel) {
    node = childFor(node, owner, (index >>> shift) & lastSlot, shift === bitsPerLevel)
  }
  const slot = index & lastSlot
  const bit = 1 << slot
  if ((node.mask & bit) === 0) {
    node.mask |= bit
    edited.size++
  }
  node.values[slot] = value
  return edited
}

/** Takes away the entry at `index`. Where there is none the vector itself is returned. */
export const remove = <A>(vector: Vector<A>, owner: Owner, index: number): Vector<A> => {
  const cut = cutFor(vector, index)
  if (cut === absent) return vector
  if (vector.size === 1 || vector.root === undefined) return nothing
  const edited = edit(vector, owner)
  let node = own(vector.root, owner)
  edited.root = node
  for (let shift = edited.shift; shift > cut; shift -= bitsPerLevel) {
    node = childFor(node, owner, (index >>> shift) & lastSlot, shift === bitsPerLevel)
  }
  const slot = (index >>> cut) & lastSlot
  node.mask &= ~(1 << slot)
  if (cut === 0) node.values[slot] = undefined
  else node.children[slot] = undefined
  edited.size--
  shrink(edited)
  return edited
}

/** The smallest index that has an entry. */
export const min = <A>(vector: Vector<A>): number | undefined => {
  let node = vector.root
  if (node === undefined) return undefined
  let index = 0
  for (let shift = vector.shift; ; shift -= bitsPerLevel) {
    const slot = lowestSlot(node.mask)
    index |= slot << shift
    const child: Node<A> | undefined = node.children[slot]
    if (child === undefined) return index
    node = child
  }
}

/** The value at the smallest index. */
export const first = <A>(vector: Vector<A>): A | undefined => {
  let node = vector.root
  for (let shift = vector.shift; shift > 0 && node !== undefined; shift -= bitsPerLevel) {
    node = node.children[lowestSlot(node.mask)]
  }
  return node === undefined ? undefined : node.values[lowestSlot(node.mask)]
}

/**
 * Calls `visit` for every entry, the smallest index first.
 *
 * `visit` may edit the same vector: entries that stay are visited once each;
 * whether those that come, go or are replaced meanwhile are seen, and with which
 * value, is not defined.
 */
export const forEach = <A>(vector: Vector<A>, visit: (value: A, index: number) => void): void => {
  if (vector.root !== undefined) forEachBelow(vector.root, vector.shift, 0, visit)
}

/** Every `[index, value]`, the smallest index first. Slower than `forEach`. */
export function* entries<A>(vector: Vector<A>): Generator<[index: number, value: A]> {
  if (vector.root !== undefined) yield* entriesBelow(vector.root, vector.shift, 0)
}

/** Every value, in the order of their indices. Slower than `forEach`. */
export function* values<A>(vector: Vector<A>): Generator<A> {
  for (const [, value] of entries(vector)) yield value
}

/** How it is implemented, and what JSON and assertion diffs print: an object of the entries. */
class Radix<A> implements Vector<A> {
  size: number
  shift: number
  root: Node<A> | undefined
  owner: Owner | undefined

  constructor(size: number, shift: number, root: Node<A> | undefined, owner: Owner | undefined) {
    this.size = size
    this.shift = shift
    this.root = root
    this.owner = owner
  }

  toJSON(): Record<string, A> {
    return Object.fromEntries(entries(this))
  }
}

const bitsPerLevel = 5
const lastSlot = 31
/** No shift: there is nothing to cut off. */
const absent = -1

const nothing: Vector<never> = new Radix<never>(0, 0, undefined, undefined)
const noSlots: Array<never> = []
const freeSlots: Array<undefined> = new Array(32).fill(undefined)

/** The same data seen by its owner, who may write. */
interface OwnVector<A> {
  size: number
  shift: number
  root: Node<A> | undefined
}

interface OwnNode<A> {
  mask: number
  readonly children: Array<Node<A> | undefined>
  readonly values: Array<A | undefined>
}

const checkIndex = (index: number): void => {
  if ((index & maxIndex) !== index) {
    throw new RangeError(`${index} cannot be an index: give an integer from 0 to ${maxIndex}`)
  }
}

const edit = <A>(vector: Vector<A>, owner: Owner): OwnVector<A> & Vector<A> =>
  vector.owner === owner ? vector : new Radix(vector.size, vector.shift, vector.root, owner)
