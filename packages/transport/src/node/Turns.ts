/**
 * What runs when, in a process of our own: fibers that lead to one another run in
 * one turn of the event loop.
 *
 * Effect's scheduler has each fiber that is resumed wait for a turn of its own. A
 * message goes from the fiber that reads it to a loop, from there to an outbox,
 * and on to the fiber that writes: four turns, each of which asks the kernel for
 * news that there are none of. Here all who were resumed run in the same turn, in
 * rounds: first those that what was read has resumed, then those that these have,
 * and so on. Nobody runs before all sockets that had something were read, so that
 * what comes of it is one batch and leaves together.
 *
 * Nobody is kept waiting for that: after `ROUNDS` rounds, and as soon as a fiber
 * has used up the operations it may do in one go, timers and sockets come first.
 * A fiber that wants them to come first yields with a priority above 0.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Scheduler, type SchedulerDispatcher } from "effect/Scheduler"

/** More than a message has fibers on its way through a process. */
export const ROUNDS = 16

type Task = () => void

class Turns implements Scheduler, SchedulerDispatcher {
  readonly executionMode = "async"
  /** For the next round, in order. */
  #soon: Array<Task> = []
  /** For the next turn of the event loop. */
  #later: Array<Task> = []
  #isAwaited = false
  #isSpent = false

  shouldYield({ cache, currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean {
    if (currentOpCount < cache.maxOpsBeforeYield) return false
    this.#isSpent = true
    return true
  }
  /** One for all fibers: they wait in one row. */
  makeDispatcher(): SchedulerDispatcher {
    return this
  }
  scheduleTask(task: Task, priority: number): void {
    if (priority > 0) this.#later.push(task)
    else this.#soon.push(task)
    this.#await()
  }
  flush(): void {
    while (this.#soon.length + this.#later.length > 0) {
      this.#catchUp()
      this.#round()
    }
  }

  /** After what this turn of the event loop reads, or else after what the next one does. */
  #await(): void {
    if (this.#isAwaited) return
    this.#isAwaited = true
    setImmediate(this.#turn)
  }
  readonly #turn = (): void => {
    this.#isSpent = false
    this.#catchUp()
    try {
      for (let round = 0; round < ROUNDS && this.#soon.length > 0 && !this.#isSpent; round++) this.#round()
    } finally {
      this.#isAwaited = false
      if (this.#soon.length + this.#later.length > 0) this.#await()
    }
  }
  #catchUp(): void {
    if (this.#later.length === 0) return
    this.#soon = this.#soon.concat(this.#later)
    this.#later = []
  }
  #round(): void {
    const tasks = this.#soon
    this.#soon = []
    let n = 0
    try {
      while (n < tasks.length) tasks[n++]!()
    } finally {
      // One of them has thrown, which is nothing to the others.
      if (n < tasks.length) this.#soon = tasks.slice(n).concat(this.#soon)
    }
  }
}

/** One more of its kind; `inTurns` has the one of this process. */
export const make = (): Scheduler => new Turns()

const ofProcess = make()

/** The effect, and all fibers that it forks, in turns. */
export const inTurns = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.provideService(effect, Scheduler, ofProcess)
