/**
 * The end of a cluster on a client's word: all workers are sent away, and the
 * scheduler ends once they have gone.
 *
 * A worker that is sent away is not started again by a nanny that stands
 * elsewhere. Who manages the workers of a cluster ends it by other means.
 *
 * Source: dask.distributed `client.py`, `Client.shutdown`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Registry } from "./Registry.ts"

export interface ShutDown {
  /** Sends all workers away. Completes when they have gone, or have had their time. */
  readonly begin: Effect.Effect<void>
  /** Completes after that: the scheduler is to end. */
  readonly ended: Effect.Effect<void>
}

const REASON = "the cluster is shut down"
/** How long workers may take to go. */
const WITHIN_MS = 5_000
/** How often it is seen whether they have. */
const AGAIN_MS = 20

export const make = (registry: Pick<Registry, "workers">): ShutDown => {
  const ended = Deferred.makeUnsafe<void>()
  const untilGone = Effect.gen(function*() {
    while (registry.workers.size > 0) {
      // Those that came meanwhile go too.
      for (const worker of registry.workers.values()) worker.close(REASON)
      yield* Effect.sleep(AGAIN_MS)
    }
  })
  return {
    begin: Effect.andThen(Effect.timeoutOption(untilGone, WITHIN_MS), Effect.sync(() => void Deferred.doneUnsafe(ended, Exit.void))),
    ended: Effect.andThen(Deferred.await(ended), Effect.logInfo(`the scheduler ends: ${REASON}`))
  }
}
