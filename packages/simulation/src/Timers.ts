/**
 * Everything that is to happen later, on one heap.
 *
 * A timer that is cancelled stays on the heap until its time comes, for to take
 * it out of the middle costs more than to skip it; when half of the heap is of
 * that kind, it is built anew. So a timeout that never fires, as nearly all do,
 * costs two pushes.
 */

/** One of them. Equal times fire in the order in which they were set, as far as the choice of fibers lets them. */
export interface Timer<Owner> {
  /** Virtual milliseconds. */
  readonly at: number
  readonly order: number
  readonly owner: Owner
  readonly fire: () => void
  cancelled: boolean
}

export class Timers<Owner> {
  #heap: Array<Timer<Owner>> = []
  #order = 0
  #cancelled = 0

  set(at: number, owner: Owner, fire: () => void): Timer<Owner> {
    const timer: Timer<Owner> = { at, order: this.#order++, owner, fire, cancelled: false }
    this.#heap.push(timer)
    this.#up(this.#heap.length - 1)
    return timer
  }

  /** Does nothing to one that has fired. */
  cancel(timer: Timer<Owner>): void {
    if (timer.cancelled) return
    timer.cancelled = true
    if (++this.#cancelled * 2 <= this.#heap.length || this.#heap.length < 64) return
    this.#heap = this.#heap.filter((each) => !each.cancelled).sort((a, b) => before(a, b) ? -1 : 1)
    this.#cancelled = 0
  }

  /** Takes the next one that is not cancelled. */
  pop(): Timer<Owner> | undefined {
    while (true) {
      const timer = this.#take()
      if (timer === undefined) return undefined
      if (!timer.cancelled) {
        // Cancelling it from now on is nothing to count.
        timer.cancelled = true
        return timer
      }
      this.#cancelled--
    }
  }

  /** Of the next one that is not cancelled. */
  nextAt(): number | undefined {
    while (this.#heap[0]?.cancelled === true) {
      this.#take()
      this.#cancelled--
    }
    return this.#heap[0]?.at
  }

  /** All that are not cancelled, in no order. */
  waiting(): ReadonlyArray<Timer<Owner>> {
    return this.#heap.filter(({ cancelled }) => !cancelled)
  }

  #take(): Timer<Owner> | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last
      this.#down(0)
    }
    return top
  }

  #up(index: number): void {
    const heap = this.#heap
    const timer = heap[index]!
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(timer, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = timer
  }

  #down(index: number): void {
    const heap = this.#heap
    const timer = heap[index]!
    while (true) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, timer)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = timer
  }
}

const before = (a: Timer<unknown>, b: Timer<unknown>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
