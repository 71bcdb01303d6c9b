/**
 * Waiting for futures without fetching anything.
 */
import * as Effect from "effect/Effect"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { Future } from "./Future.ts"
import type { Core } from "./internal/core.ts"
import { FutureOf, ownFutures } from "./internal/future.ts"
import { isSettled, settledUntil } from "./internal/settling.ts"

export interface WaitOptions {
  /** @default "all" */
  readonly until?: "all" | "first"
}

export interface Waited<F extends Future.Any> {
  readonly done: ReadonlyArray<F>
  readonly notDone: ReadonlyArray<F>
}

/** Until all are done, or the first one is. A failed future is done, and so is a released one, or one of another client. */
export const wait = <F extends Future.Any>(
  core: Core,
  futures: Iterable<F>,
  { until = "all" }: WaitOptions = {}
): Effect.Effect<Waited<F>, SchedulerLost> =>
  Effect.suspend(() => {
    const all = [...futures]
    const isDone = (future: F) => !(future instanceof FutureOf) || future.core !== core || isSettled(future)
    const enough = until === "all" ? (unsettled: number) => unsettled === 0 : (unsettled: number) => unsettled === 0 || all.some(isDone)
    return Effect.map(settledUntil(core, ownFutures(core, all), enough), () => ({
      done: all.filter(isDone),
      notDone: all.filter((future) => !isDone(future))
    }))
  })
