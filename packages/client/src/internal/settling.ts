/**
 * Waiting for many keys at once, with one callback and no fiber for each.
 */
import * as Effect from "effect/Effect"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { Core } from "./core.ts"
import type { FutureOf } from "./future.ts"
import { unwatch, watch, type Watcher } from "./references.ts"

/** Whether the key is pending no longer, or nobody will hear if it is. */
export const isSettled = ({ handle }: FutureOf): boolean => handle.released || handle.held.state._tag !== "Pending"

/** Whether it has settled, and not with a value. */
export const hasFailed = ({ handle }: FutureOf): boolean => handle.released || handle.held.state._tag === "Failed"

/**
 * Completes when `enough` says so of the number of futures that have not settled.
 * `enough` is asked again at every change.
 */
export const settledUntil = (
  core: Core,
  futures: ReadonlyArray<FutureOf>,
  enough: (unsettled: number, changed: FutureOf | undefined) => boolean
): Effect.Effect<void, SchedulerLost> =>
  Effect.callback<void, SchedulerLost>((resume) => {
    const { references } = core
    const watching = new Map<FutureOf, Watcher>()
    const stop = () => {
      for (const [{ handle: { held } }, watcher] of watching) unwatch(held, watcher)
      watching.clear()
    }
    const look = (changed: FutureOf | undefined) => {
      if (enough(watching.size, changed)) {
        stop()
        resume(Effect.void)
      } else if (references.lost !== undefined) {
        stop()
        resume(Effect.fail(references.lost))
      }
    }
    for (const future of futures) {
      if (isSettled(future) || watching.has(future)) continue
      const watcher: Watcher = {
        keeps: future,
        notify: () => {
          if (isSettled(future)) {
            watching.delete(future)
            unwatch(future.handle.held, watcher)
          }
          look(future)
        }
      }
      watching.set(future, watcher)
      watch(future.handle.held, watcher)
    }
    look(undefined)
    return Effect.sync(stop)
  })
