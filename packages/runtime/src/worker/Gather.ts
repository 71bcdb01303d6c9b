/**
 * Results from other workers.
 *
 * One request to one peer at a time, and so many requests in all: the state
 * machine decides both. What comes is kept before its arrival is told. Whatever
 * goes wrong on the way is an answer to the machine, which asks another peer,
 * or the same one later.
 *
 * Source: dask.distributed `worker.py`, `Worker.gather_dep`.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { Event } from "@skein/core/worker/Event"
import type { WorkerId } from "@skein/protocol/Ids"
import type { Held, Run } from "@skein/protocol/WorkerRpcs"
import type { BulkFailed } from "@skein/transport/Bulk"
import type { BulkClient } from "@skein/transport/BulkClient"
import * as SteadyTime from "../SteadyTime.ts"
import type { DataStore } from "./DataStore.ts"

export interface Gather {
  /** Asks the peer for these results; the answer is an event, unless a new incarnation has begun meanwhile. */
  readonly fetch: (peer: WorkerId, rows: ReadonlyArray<Held>) => Effect.Effect<void>
  /** Dies with the first defect of the gathering itself. */
  readonly failed: Effect.Effect<never>
}

export interface Options {
  readonly store: DataStore
  readonly client: BulkClient["Service"]
  /** Where a peer listens, as the scheduler has said. */
  readonly addressOf: (peer: WorkerId) => string | undefined
  /** Takes an event into the worker's mailbox. */
  readonly emit: (event: Event) => void
}

/** Requests under way are interrupted when the scope closes. */
export const make = Effect.fnUntraced(function*({ addressOf, client, emit, store }: Options): Effect.fn.Return<Gather, never, Scope.Scope> {
  const fibers = yield* FiberSet.make<void, never>()

  /** A new incarnation knows nothing of the request: what it hears from the peer would be taken for the answer to its own. */
  const isPast = (generation: number) => store.generation() !== generation
  const ask = Effect.fnUntraced(function*(peer: WorkerId, rows: ReadonlyArray<Held>, generation: number) {
    const address = addressOf(peer)
    if (address === undefined) return yield* failed(peer, generation, "the scheduler has not said where it listens")
    const answers = yield* client.fetch(address, rows)
    const at = yield* SteadyTime.millis
    if (isPast(generation)) return
    const got: Array<Held> = []
    const missing: Array<Run> = []
    let busy = false
    rows.forEach(({ id, run }, index) => {
      const answer = answers[index]
      if (answer?._tag === "Found") {
        store.put({ id, run, key: null, bytes: answer.bytes }, generation)
        got.push({ id, run, nbytes: answer.bytes.length })
      } else if (answer?._tag === "Missing") missing.push({ id, run })
      else busy = true
    })
    // A peer that is busy has answered nothing, or is asked again for the rest.
    if (got.length > 0 || missing.length > 0 || !busy) emit({ _tag: "GatherSucceeded", at, peer, got, missing })
    if (busy) emit({ _tag: "GatherBusy", at, peer })
  })
  const failed = Effect.fnUntraced(function*(peer: WorkerId, generation: number, why: string) {
    yield* Effect.logDebug(`results could not be fetched from worker ${peer}: ${why}`)
    const at = yield* SteadyTime.millis
    if (!isPast(generation)) emit({ _tag: "GatherFailed", at, peer })
  })

  return {
    fetch: (peer, rows) =>
      Effect.suspend(() => {
        const generation = store.generation()
        return ask(peer, rows, generation).pipe(
          Effect.catchTag("BulkFailed", (error: BulkFailed) => failed(peer, generation, error.message)),
          (asking) => FiberSet.run(fibers, asking, { startImmediately: false }),
          Effect.asVoid
        )
      }),
    failed: Effect.andThen(FiberSet.join(fibers), Effect.never)
  }
})
