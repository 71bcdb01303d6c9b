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
 * One node of the tree, open to this folder and to tests that walk it; only its
 * owner may write. A branch has 32 children and no values, a leaf 32 values and
 * no children. Nodes have both fields so that all look alike to the engine and
 * no cast is needed.
 */
export interface Node<out A> {
  readonly owner: Owner
  /** Bit `n` is set when slot `n` is taken. Never 0 in a vector. */
  mask: number
  readonly children: Array<Node<A> | undefined>
  readonly values: Array<A | undefined>
}

/** The largest index: 2³¹ − 1. */
export const maxIndex = 0x7fffffff

/** Throws a RangeError if `index` is no integer from 0 to `maxIndex`. */
export const checkIndex = (index: number): void => {
  if ((index & maxIndex) !== index) {
    throw new RangeError(`${index} cannot be an index: give an integer from 0 to ${maxIndex}`)
  }
}

/** The vector without entries. */
export const empty = <A = never>(): Vector<A> => nothing

/** Whether something can be at this index. */
export const isIndex = (index: number): boolean => (index & maxIndex) === index

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
  for (let shift = vector.shift; shift > 0 && node !== undefined; shift -= bitsPerLevel) {
    const slot = lowestSlot(node.mask)
    index |= slot << shift
    node = node.children[slot]
  }
  return node === undefined ? undefined : index | lowestSlot(node.mask)
}

/** The smallest index above this one that has an entry: what loops use that must not allocate. */
export const next = <A>(vector: Vector<A>, index: number): number | undefined => {
  const from = index + 1
  if (vector.root === undefined || from > maxIndex || from >>> vector.shift > lastSlot) return undefined
  const found = firstFrom(vector.root, vector.shift, from)
  return found === absent ? undefined : found
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
/** No shift: there is nothing to cut off. And no index: there is no such entry. */
const absent = -1

const nothing: Vector<never> = new Radix<never>(0, 0, undefined, undefined)
const noSlots: Array<never> = []
const freeSlots: Array<undefined> = new Array(32).fill(undefined)

/** The vector as its owner sees it. */
interface Editable<A> extends Vector<A> {
  size: number
  shift: number
  root: Node<A> | undefined
}

const edit = <A>(vector: Vector<A>, owner: Owner): Editable<A> =>
  vector.owner === owner ? vector : new Radix(vector.size, vector.shift, vector.root, owner)

/** The root, owned, of a tree made high enough for `index`. */
const rootFor = <A>(vector: Editable<A>, owner: Owner, index: number): Node<A> => {
  let root = vector.root
  if (root !== undefined && index >>> vector.shift <= lastSlot) root = own(root, owner)
  else {
    while (index >>> vector.shift > lastSlot) {
      vector.shift += bitsPerLevel
      if (root !== undefined) {
        const above: Node<A> = makeBranch(owner)
        above.mask = 1
        above.children[0] = root
        root = above
      }
    }
    if (root === undefined) root = vector.shift === 0 ? makeLeaf(owner) : makeBranch(owner)
  }
  vector.root = root
  return root
}

/** The child in `slot`, owned, made if it was not there. */
const childFor = <A>(parent: Node<A>, owner: Owner, slot: number, isLeaf: boolean): Node<A> => {
  const child = parent.children[slot]
  if (child !== undefined && child.owner === owner) return child
  const owned: Node<A> = child !== undefined ? own(child, owner) : isLeaf ? makeLeaf(owner) : makeBranch(owner)
  parent.mask |= 1 << slot
  parent.children[slot] = owned
  return owned
}

const own = <A>(node: Node<A>, owner: Owner): Node<A> =>
  node.owner === owner
    ? node
    : node.children.length === 0
    ? makeNode(owner, node.mask, noSlots, node.values.slice())
    : makeNode(owner, node.mask, node.children.slice(), noSlots)

const makeLeaf = <A>(owner: Owner): Node<A> => makeNode<A>(owner, 0, noSlots, freeSlots.slice())

const makeBranch = <A>(owner: Owner): Node<A> => makeNode<A>(owner, 0, freeSlots.slice(), noSlots)

/** The one place where nodes come from, so that they all have one shape. */
const makeNode = <A>(
  owner: Owner,
  mask: number,
  children: Array<Node<A> | undefined>,
  values: Array<A | undefined>
): Node<A> => ({ owner, mask, children, values })

/**
 * Where to cut to remove `index`: the shift of the lowest node on its path that
 * leads to anything else. All below it would be left empty. `absent` if there
 * is no such entry; the root's shift if it is the only one.
 */
const cutFor = <A>(vector: Vector<A>, index: number): number => {
  if ((index & maxIndex) !== index || index >>> vector.shift > lastSlot) return absent
  let cut = vector.shift
  let node = vector.root
  for (let shift = vector.shift; node !== undefined; shift -= bitsPerLevel) {
    const slot = (index >>> shift) & lastSlot
    const bit = 1 << slot
    if ((node.mask & bit) === 0) return absent
    if (node.mask !== bit) cut = shift
    if (shift === 0) return cut
    node = node.children[slot]
  }
  return absent
}

/** Takes roots away that lead only to their first child. */
const shrink = <A>(vector: Editable<A>): void => {
  while (vector.shift > 0 && vector.root !== undefined && vector.root.mask === 1) {
    vector.root = vector.root.children[0]
    vector.shift -= bitsPerLevel
  }
}

/** The smallest index below this node, counted from its own first, that is at least `from`; or `absent`. */
const firstFrom = <A>(node: Node<A>, shift: number, from: number): number => {
  const slotOfFrom = (from >>> shift) & lastSlot
  for (let mask = node.mask & (-1 << slotOfFrom); mask !== 0; mask &= mask - 1) {
    const slot = lowestSlot(mask)
    if (shift === 0) return slot
    const child = node.children[slot]
    const found = child === undefined ? absent : firstFrom(child, shift - bitsPerLevel, slot === slotOfFrom ? from : 0)
    if (found !== absent) return (slot << shift) | found
  }
  return absent
}

const lowestSlot = (mask: number): number => lastSlot - Math.clz32(mask & -mask)

const forEachBelow = <A>(
  node: Node<A>,
  shift: number,
  from: number,
  visit: (value: A, index: number) => void
): void => {
  for (let mask = node.mask; mask !== 0; mask &= mask - 1) {
    const slot = lowestSlot(mask)
    const index = from | (slot << shift)
    // `visit` may have removed what the mask promised.
    if (shift === 0) {
      const value = node.values[slot]
      if (value !== undefined) visit(value, index)
    } else {
      const child = node.children[slot]
      if (child !== undefined) forEachBelow(child, shift - bitsPerLevel, index, visit)
    }
  }
}

function* entriesBelow<A>(node: Node<A>, shift: number, from: number): Generator<[index: number, value: A]> {
  for (let mask = node.mask; mask !== 0; mask &= mask - 1) {
    const slot = lowestSlot(mask)
    const index = from | (slot << shift)
    const child = node.children[slot]
    const value = node.values[slot]
    if (child !== undefined) yield* entriesBelow(child, shift - bitsPerLevel, index)
    else if (value !== undefined) yield [index, value]
  }
}
