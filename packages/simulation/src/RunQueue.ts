/**
 * What can run now, and who of it is next.
 *
 * Which fiber is next is where races are found, and no one order finds all of
 * them. So there are five:
 *
 *   fifo      as a quiet machine would
 *   lifo      the newest first: what was begun early is overtaken
 *   uniform   any
 *   pct       each fiber has a rank of its own, and now and then the first falls
 *             to the last (probabilistic concurrency testing, Burckhardt et al.,
 *             ASPLOS 2010): few changes, deep in the run
 *   starve    one process at a time gets nothing while another can do something
 *
 * All but fifo take an arbitrary one in 32: a fiber that yields until another
 * has done something would otherwise be chosen for ever.
 */
import type { Stream } from "./Stream.ts"

export type Strategy = "fifo" | "lifo" | "uniform" | "pct" | "starve"

/** Something that can run. */
export interface Runnable<Owner> {
  readonly owner: Owner
  /** Of the fiber, as far as that is known: see `ranks`. */
  readonly rank: number
  readonly run: () => void
}

/** A change of ranks comes about once in so many choices. */
const CHANGE = 500
/** The starved process is another one about once in so many choices. */
const VICTIM = 300
const FAIR = 32

export class RunQueue<Owner> {
  readonly #strategy: Strategy
  readonly #stream: Stream
  #items: Array<Runnable<Owner>> = []
  /** With fifo: what has been taken from the front. */
  #head = 0
  #victim: Owner | undefined
  /** Under pct, ranks below all that were given out. */
  #lowest = 0

  constructor(strategy: Strategy, stream: Stream) {
    this.#strategy = strategy
    this.#stream = stream
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  /** A rank for a new fiber; of no meaning but under pct. */
  rank(): number {
    return this.#strategy === "pct" ? this.#stream.next() : 0
  }

  push(item: Runnable<Owner>): void {
    this.#items.push(item)
  }

  /** Takes the next one; there must be one. */
  take(): Runnable<Owner> {
    const items = this.#items
    if (this.#strategy === "fifo") {
      const item = items[this.#head++]!
      if (this.#head > 1024 && this.#head * 2 > items.length) {
        this.#items = items.slice(this.#head)
        this.#head = 0
      } else if (this.#head === items.length) {
        items.length = 0
        this.#head = 0
      }
      return item
    }
    if (items.length === 1) return items.pop()!
    const index = this.#choose()
    if (this.#strategy !== "uniform") return items.splice(index, 1)[0]!
    const item = items[index]!
    items[index] = items[items.length - 1]!
    items.pop()
    return item
  }

  #choose(): number {
    const { length } = this.#items
    if (this.#strategy === "uniform" || this.#stream.int(FAIR) === 0) return this.#stream.int(length)
    if (this.#strategy === "lifo") return length - 1
    return this.#strategy === "pct" ? this.#highest() : this.#starving()
  }

  #highest(): number {
    const items = this.#items
    let highest = 0
    for (let index = 1; index < items.length; index++) if (items[index]!.rank > items[highest]!.rank) highest = index
    if (this.#stream.int(CHANGE) !== 0) return highest
    items[highest] = { ...items[highest]!, rank: --this.#lowest }
    return this.#highest()
  }

  /** Counted first and found then: a list of the others, made for each choice, is more work than the choice. */
  #starving(): number {
    const items = this.#items
    if (this.#victim === undefined || this.#stream.int(VICTIM) === 0) this.#victim = items[this.#stream.int(items.length)]!.owner
    let others = 0
    for (const { owner } of items) if (owner !== this.#victim) others++
    if (others === 0) return this.#stream.int(items.length)
    let left = this.#stream.int(others)
    let index = 0
    while (items[index]!.owner === this.#victim || left-- > 0) index++
    return index
  }
}
