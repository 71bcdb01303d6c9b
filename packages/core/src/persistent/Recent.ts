/**
 * The last of many values, numbered from 0 in the order in which they came: a
 * persistent log of bounded length.
 *
 * The newest stand in one block, of which a batch makes a copy with its first
 * value and which it fills in place after that; a full block is never touched
 * again. In a vector, by `n % length`, a value cost the copies of three nodes,
 * which was a sixth of what a step of one event leaves to the collector.
 *
 * As with vectors, `add` may change the log it was given if the batch owns it:
 * always go on with the log that it returns.
 */
import type { Owner } from "./Owner.ts"
import * as Vector from "./Vector.ts"

export interface Recent<out A> {
  /** How many of the last values are kept. At least 1. */
  readonly length: number
  /** How many values there have been. */
  readonly count: number
  /** The block of the last value, filled up with undefined. */
  readonly newest: Block<A>
  /** Blocks before it, by number modulo as many as can hold anything that is kept. */
  readonly full: Vector.Vector<Block<A>>
  /** The batch that may still change all but `length`. */
  readonly owner: Owner | undefined
}

/** Only the batch that has made it writes to it, and only while it is the newest. */
export type Block<A> = Array<A | undefined>

/** A log without values, of the last `length`. */
export const empty = <A = never>(length: number): Recent<A> => new Log<A>(length, 0, [], Vector.empty(), undefined)

/** How many values are kept. */
export const size = <A>({ count, length }: Recent<A>): number => Math.min(count, length)

/** Value number `n`; undefined where it is not kept any more, or is not there yet. */
export const get = <A>({ count, full, length, newest }: Recent<A>, n: number): A | undefined => {
  if (n >= count || n < count - length) return undefined
  const block = blockOf(n) === blockOf(count - 1) ? newest : Vector.get(full, placeOf(blockOf(n), length))
  return block?.[n % blockSize]
}

/** The values from number `n` on that are kept, the oldest first. */
export const since = <A>(recent: Recent<A>, n: number): ReadonlyArray<A> => {
  const values: Array<A> = []
  for (let at = Math.max(n, recent.count - size(recent)); at < recent.count; at++) {
    const value = get(recent, at)
    if (value !== undefined) values.push(value)
  }
  return values
}

/** Whether all is there that is to be kept, and nothing else. */
export const isWhole = <A>(recent: Recent<A>): boolean => {
  const { count, full, length } = recent
  const first = count - size(recent)
  if (full.size > Math.ceil(length / blockSize)) return false
  return count === 0 || (get(recent, first) !== undefined && get(recent, count - 1) !== undefined)
}

/** Adds the next value; the oldest is forgotten if there are more than are kept. */
export const add = <A>(recent: Recent<A>, owner: Owner, value: A): Recent<A> => {
  const { count, full, length, newest } = recent
  const isOwned = recent.owner === owner
  const edited: Editable<A> = isOwned ? recent : new Log(length, count, newest, full, owner)
  const slot = count % blockSize
  if (slot === 0) {
    if (count > 0) edited.full = Vector.set(full, owner, placeOf(blockOf(count - 1), length), newest)
    edited.newest = freeSlots.slice()
  } else if (!isOwned) edited.newest = newest.slice()
  edited.newest[slot] = value
  edited.count = count + 1
  return edited
}

/** JSON and assertion diffs print the number of the first value that is kept, and the values. */
class Log<A> implements Recent<A> {
  readonly length: number
  count: number
  newest: Block<A>
  full: Vector.Vector<Block<A>>
  owner: Owner | undefined

  constructor(length: number, count: number, newest: Block<A>, full: Vector.Vector<Block<A>>, owner: Owner | undefined) {
    this.length = length
    this.count = count
    this.newest = newest
    this.full = full
    this.owner = owner
  }

  toJSON(): { readonly from: number; readonly values: ReadonlyArray<A> } {
    return { from: this.count - size(this), values: since(this, 0) }
  }
}

/** A log as its owner sees it. */
interface Editable<A> extends Recent<A> {
  count: number
  newest: Block<A>
  full: Vector.Vector<Block<A>>
}

const blockSize = 32

const freeSlots: ReadonlyArray<undefined> = new Array(blockSize).fill(undefined)

const blockOf = (n: number): number => Math.floor(n / blockSize)

const placeOf = (block: number, length: number): number => block % Math.ceil(length / blockSize)
