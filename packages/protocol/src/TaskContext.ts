/**
 * What a running task sees of itself, and what it may do about its place.
 *
 * A task holds one of its worker's slots. While it waits for other tasks it had
 * better not, for they may need that very slot: the client's own waits see to
 * that by themselves, and `secede` and its like are for every other wait.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Current from "./CurrentTask.ts"

export type { CurrentTask } from "./CurrentTask.ts"

/** The client's service, as far as this package knows it. The client's package, which stands on this one, says what it is. */
export interface InTaskClient {}

export interface TaskContextService extends Omit<Current.CurrentTask, "progress"> {
  /**
   * Says how far it is, to whoever watches `future.progress`. Costs next to nothing, so it may be said at every step: the latest is
   * sent a few times a second, and the last before the task ends.
   */
  progress(done: number, total?: number, note?: string): Effect.Effect<void>
  /** Gives the slot back, until `rejoin` or the end of the task. The body runs on. */
  readonly secede: Effect.Effect<void>
  /** Takes a slot again; waits until one is free. Does nothing if it has one. */
  readonly rejoin: Effect.Effect<void>
  /** Gives the slot back for as long as this effect runs, then waits for one. What other fibers of the body do meanwhile they do without a slot. */
  seceded<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  /** Gives up here; the scheduler places the task again, on whichever worker is best then. Costs no retry. */
  readonly reschedule: Effect.Effect<never>
  /** The same client that `yield* Client` gives inside a task. Waiting on its futures gives the slot back. There is none in a thread, where this dies and says so. */
  readonly client: Effect.Effect<InTaskClient>
  /** `seceded`, for waiting for tasks: who does nothing else is not suspected of ending its worker. */
  [waitingForTasks]<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/** For clients alone, so it has no name that a body could use. */
export const waitingForTasks: unique symbol = Symbol.for("skein/TaskContext/waitingForTasks")

export class TaskContext extends Context.Service<TaskContext, TaskContextService>()("skein/TaskContext") {
  /** For plain and async bodies, which have no context to read: the running task, or undefined. */
  static current(): Current.CurrentTask | undefined {
    return Current.current()
  }
}

/** What a body holds, and gives up when it ends. Whoever gives it something to hold says how that is given up. */
export class TaskHoldings extends Context.Service<TaskHoldings, {
  /** To be called when the body ends, however it does; at once if it has ended. */
  readonly add: (giveUp: () => void) => void
  /** It has been given up already. */
  readonly delete: (giveUp: () => void) => void
}>()("skein/TaskHoldings") {}
