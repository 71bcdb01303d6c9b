/**
 * What a client keeps under its own numbers (`Ref`).
 *
 * They are counted up and never used again, so what is there stands close
 * together: a page of 64 is found, and then a slot in it, for half of what a map
 * of them all costs, which moves all that it holds each time that it grows. A
 * page goes with the last that stands on it: memory follows what is kept, never
 * what has been kept, and one that is kept alone keeps half a kilobyte.
 */
import type { Ref } from "@skein/protocol/Ids"

/** Slots of a page. */
const SLOTS = 64

interface Page<A> {
  taken: number
  readonly slots: Array<A | undefined>
}

/** Values by reference. Going through them is in order of their numbers, if they came in that order. */
export class ByRef<A extends object> {
  private readonly pages = new Map<number, Page<A>>()
  private count = 0

  get size(): number {
    return this.count
  }

  /** Undefined if there is none. No number is refused: at −1, 1.5 or NaN there is nothing. */
  get(ref: Ref): A | undefined {
    return this.pages.get(pageOf(ref))?.slots[ref % SLOTS]
  }

  /** There must be none yet. */
  add(ref: Ref, value: A): void {
    const number = pageOf(ref)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = { taken: 0, slots: new Array<A | undefined>(SLOTS).fill(undefined) }
      this.pages.set(number, page)
    }
    page.slots[ref % SLOTS] = value
    page.taken++
    this.count++
  }

  /** Whether there was one. */
  remove(ref: Ref): boolean {
    const number = pageOf(ref)
    const page = this.pages.get(number)
    if (page?.slots[ref % SLOTS] === undefined) return false
    page.slots[ref % SLOTS] = undefined
    this.count--
    if (--page.taken === 0) this.pages.delete(number)
    return true
  }

  /** What is there; what comes or goes meanwhile may be missed. */
  *values(): Generator<A> {
    for (const { slots } of this.pages.values()) for (const value of slots) if (value !== undefined) yield value
  }
}

const pageOf = (ref: Ref): number => Math.floor(ref / SLOTS)
