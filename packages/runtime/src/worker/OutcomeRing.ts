/**
 * Where a thread leaves outcomes for its owner: a ring in memory that both see.
 *
 * A message of its own for each outcome would wake the owner for each, at 15 µs
 * and more, and outcomes that wait for each other would wait behind a long job.
 * Here an outcome can be seen at once, and the owner is woken only if it has not
 * been since it last looked: one that is busy finds many when it comes. The
 * owner closes the bell before it looks, so none is left lying.
 *
 * One writes and one reads. A record is published by moving the head, after all
 * of it is there, so a thread that ends while it writes leaves nothing half. It
 * imports types only, for a thread loads it before anything else.
 */
import type { PackedReply } from "./ThreadMessages.ts"

export interface OutcomeRing {
  /** The thread: whether it is in the ring; if not, for want of room, it must be sent. */
  readonly write: (reply: PackedReply) => boolean
  /** The thread, after it has written: whether the owner must be woken. */
  readonly ring: () => boolean
  /** The owner: all that is there, in order. */
  readonly drain: (on: (reply: PackedReply) => void) => void
}

/** Bytes of all records; one takes at most a quarter, or large results would go in slices of what is free. */
const CAPACITY = 1 << 16
/** Kind, length, number and milliseconds of a record, before its bytes. */
const HEADER = 24
/** In place of a kind: the next record is at the start. */
const WRAPPED = -1

/** The first three of these say how far the thread has written and the owner has read, in bytes, and whether the owner has been woken. */
const HEAD = 0
const TAIL = 1
const BELL = 2
const RECORDS_AT = 16

export const makeBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(RECORDS_AT + CAPACITY)

/** One side's view of the ring. */
export const make = (buffer: SharedArrayBuffer): OutcomeRing => {
  const marks = new Int32Array(buffer, 0, 3)
  const words = new Int32Array(buffer, RECORDS_AT)
  const doubles = new Float64Array(buffer, RECORDS_AT)
  const bytes = new Uint8Array(buffer, RECORDS_AT)

  const write = ([kind, number, ms = 0, value = noBytes]: PackedReply): boolean => {
    const size = HEADER + Math.ceil(value.length / 8) * 8
    if (size > CAPACITY / 4) return false
    let head = Atomics.load(marks, HEAD)
    const tail = Atomics.load(marks, TAIL)
    // Never so full that head and tail meet: that means empty.
    const wraps = head + size >= CAPACITY
    const free = tail > head ? tail - head : wraps ? tail : CAPACITY
    if (size >= free) return false
    if (wraps) {
      if (tail > head) return false
      words[head / 4] = WRAPPED
      head = 0
    }
    words[head / 4] = kind
    words[head / 4 + 1] = value.length
    doubles[head / 8 + 1] = number
    doubles[head / 8 + 2] = ms
    bytes.set(value, head + HEADER)
    Atomics.store(marks, HEAD, head + size)
    return true
  }

  const drain = (on: (reply: PackedReply) => void): void => {
    Atomics.store(marks, BELL, 0)
    let tail = Atomics.load(marks, TAIL)
    while (tail !== Atomics.load(marks, HEAD)) {
      if (words[tail / 4] === WRAPPED) tail = 0
      const kind = words[tail / 4] as PackedReply[0]
      const length = words[tail / 4 + 1] ?? 0
      const value = bytes.slice(tail + HEADER, tail + HEADER + length)
      const reply: PackedReply = [kind, doubles[tail / 8 + 1] ?? 0, doubles[tail / 8 + 2] ?? 0, value]
      tail += HEADER + Math.ceil(length / 8) * 8
      Atomics.store(marks, TAIL, tail)
      on(reply)
    }
  }

  return { write, ring: () => Atomics.exchange(marks, BELL, 1) === 0, drain }
}

const noBytes = new Uint8Array(0)
