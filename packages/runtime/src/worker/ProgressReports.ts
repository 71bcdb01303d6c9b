/**
 * What bodies say of how far they are, on its way to the scheduler: a few times a
 * second, of each the latest, and the last before its outcome.
 *
 * A body may say it at every step of a loop. Whether anybody watches, only the
 * scheduler knows; what this costs it is bounded by the number of bodies.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import type { Progress } from "./Executor.ts"
import type { Row } from "./Reports.ts"

/** Between two reports of the same body. */
const EVERY: Duration.Input = "200 millis"

export interface ProgressReports extends Progress {
  /** Reports now and then; to be run once at a time, by a supervisor. */
  readonly run: Effect.Effect<never>
}

/** `report`: sends a row to the scheduler, some time soon and in order. */
export const make = (report: (row: Row) => void): ProgressReports => {
  /** Not reported yet: one word for each running body at most. */
  const latest = new Map<RunId, { readonly id: TaskId; readonly said: ProgressSaid }>()
  const filled = Latch.makeUnsafe(false)
  const tell = (run: RunId): void => {
    const word = latest.get(run)
    if (word === undefined || !latest.delete(run)) return
    const { id, said: { done, note, total } } = word
    report({ _tag: "Progress", row: { id, run, done, total: total ?? null, note } })
  }
  return {
    said: (id, run, said) => {
      latest.set(run, { id, said })
      filled.openUnsafe()
    },
    ended: (run) => {
      if (latest.size > 0) tell(run)
    },
    run: Effect.gen(function*() {
      while (true) {
        yield* filled.await
        // Of what is said in one step of a body the last is enough.
        yield* Effect.yieldNow
        filled.closeUnsafe()
        for (const run of [...latest.keys()]) tell(run)
        yield* Effect.sleep(EVERY)
      }
    })
  }
}
