/**
 * A client's handle on a key.
 *
 * As long as one future of a key is held, by anybody, its result stays on the
 * cluster. So a future is a reference that is counted, and counts until it is
 * released: by hand, with its client, or by the collector when nothing points
 * to it any more. An effect that waits for a future points to it.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Inspectable from "effect/Inspectable"
import type * as Option from "effect/Option"
import type * as Pipeable from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Stream from "effect/Stream"
import type { SchedulerLost, TaskError } from "@skein/protocol/Failure"

/** A string, as Effect 4's own: two copies of the package in one process agree on it. */
export const FutureTypeId: "~skein/Future" = "~skein/Future"

/** `lost`: it was data, and nobody has it any more; or it was asked for by its key, and nobody knows that. */
export type FutureStatus = "pending" | "finished" | "error" | "cancelled" | "lost"

/** `note` arrives in `TaskCancelled`. `force` cancels what other clients want too. */
export interface CancelOptions {
  readonly note?: string
  readonly force?: boolean
}

/** How far a task says it is, in whatever it counts. `total`: none, if it does not know. `note`: in words, or empty. */
export interface TaskProgress {
  readonly done: number
  readonly total: Option.Option<number>
  readonly note: string
}

/** A client's handle on a key. Released by `release`, by collection, or with its client. Prints as its key, task and status. */
export interface Future<out A, out E = never> extends Pipeable.Pipeable, Inspectable.Inspectable {
  readonly [FutureTypeId]: { readonly _A: () => A; readonly _E: () => E }
  readonly key: string
  /** The value, fetched and decoded; fails with the task's own error, its cause annotated with `TaskOrigin`, or with the cluster's. */
  readonly result: Effect.Effect<A, E | TaskError>
  /** Waits, fetches nothing. */
  readonly await: Effect.Effect<Exit.Exit<void, E | TaskError>>
  readonly status: Effect.Effect<FutureStatus, SchedulerLost>
  /** The present status and every later one, until the future is released. A slow reader misses some in between, never the last. */
  readonly changes: Stream.Stream<FutureStatus, SchedulerLost>
  /**
   * Progress that the task reports about itself, as `TaskContext` lets it: a few times a second, and never what came before the
   * latest. Ends when the task does.
   */
  readonly progress: Stream.Stream<TaskProgress, SchedulerLost>
  /** Completes once nothing runs any more. `shared`: other clients want it, so it goes on. */
  cancel(options?: CancelOptions): Effect.Effect<"cancelled" | "already-done" | "shared", SchedulerLost>
  /** Computes it again if it failed or was cancelled. */
  readonly retry: Effect.Effect<void, SchedulerLost>
  /** Best effort, hence without an error. */
  readonly release: Effect.Effect<void>
}

export declare namespace Future {
  export type Any = Future<unknown, unknown>
  export type Success<F> = F extends Future<infer A, any> ? A : never
  export type Error<F> = F extends Future<any, infer E> ? E : never
}

const isFuture = (u: unknown): u is Future<unknown, unknown> => Predicate.hasProperty(u, FutureTypeId)

/** Submit, wait, release; interruption cancels the work. `Future.run(client.submit(f, x))` is a remote call. */
const run = <A, E, E2, R>(submitted: Effect.Effect<Future<A, E>, E2, R>): Effect.Effect<A, E | E2 | TaskError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(submitted), (future) =>
      restore(future.result).pipe(
        // Nobody waits for the answer but the interruption itself, which then knows that nothing runs any more.
        Effect.onInterrupt(() => Effect.ignore(future.cancel())),
        Effect.ensuring(future.release)
      ))
  )

export const Future = { isFuture, run }
