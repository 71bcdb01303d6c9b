/**
 * A scheduler that nobody needs any more.
 *
 * It is looked at now and then: without work, and without a change of any task's
 * status since the last look, time passes; anything else begins it anew. Clients
 * and workers that are merely connected do not count; but until the first of them
 * has come they are waited for a little longer, for they may be starting.
 *
 * Source: dask.distributed `scheduler.py`, `Scheduler.check_idle`.
 */
import * as Effect from "effect/Effect"
import type { State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import * as SteadyTime from "../SteadyTime.ts"

/** How long is waited at least for somebody to come at all. */
const START_MS = 30_000
/** Between two looks at most, and as a part of the time that must pass. */
const LOOK_MS = 250
const LOOKS = 4

/** Completes once there has been nothing to do for so many milliseconds. */
export const untilIdleFor = (limitMs: number, state: () => State): Effect.Effect<void> =>
  Effect.gen(function*() {
    const everyMs = Math.min(LOOK_MS, limitMs / LOOKS)
    let since = yield* SteadyTime.millis
    let logged = state().log.count
    let hasBegun = false
    while ((yield* SteadyTime.millis) - since < (hasBegun ? limitMs : Math.max(limitMs, START_MS))) {
      yield* Effect.sleep(everyMs)
      const present = state()
      if (!hasBegun && present.workers.size + present.clients.size > 0) {
        hasBegun = true
        since = yield* SteadyTime.millis
      }
      if (present.log.count !== logged || View.hasWork(present)) since = yield* SteadyTime.millis
      logged = present.log.count
    }
  })
