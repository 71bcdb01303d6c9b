/**
 * By which way a value comes that did not come with its news: from the worker
 * that has it, or, where that cannot be reached or is not to be, from the
 * scheduler.
 *
 * A worker to which no connection comes about is not tried again: behind a
 * firewall each try takes seconds.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import * as Bulk from "@skein/transport/Bulk"
import type { BulkClient } from "@skein/transport/BulkClient"
import type { SessionEnded } from "@skein/transport/Session"
import type { SchedulerClient } from "./core.ts"

/** Values that the scheduler is asked for at once. */
const AT_ONCE = 4
/** Workers that are remembered as out of reach, at most. */
const UNREACHABLE_KEPT = 4_096

/** `direct`: whether workers are asked; undefined: those that can be reached. */
export const makeFetching = (
  bulk: BulkClient["Service"],
  scheduler: Effect.Effect<SchedulerClient, SessionEnded>,
  direct: boolean | undefined
): BulkClient["Service"] => {
  if (direct === true) return bulk
  const relayed = (address: string, wanted: ReadonlyArray<Bulk.Wanted>) => Effect.forEach(wanted, (one) => relay(scheduler, address, one), { concurrency: AT_ONCE })
  if (direct === false) return { ...bulk, fetch: relayed }
  const unreachable = new Set<string>()
  return {
    ...bulk,
    fetch: (address, wanted) =>
      unreachable.has(address)
        ? relayed(address, wanted)
        : Effect.catchIf(bulk.fetch(address, wanted), ({ reason }) => reason === "Connect", (failed) => {
          if (unreachable.size >= UNREACHABLE_KEPT) unreachable.clear()
          unreachable.add(address)
          // What the scheduler has to say of it counts only if it helps.
          return Effect.mapError(relayed(address, wanted), () => failed)
        })
  }
}

const relay = (scheduler: Effect.Effect<SchedulerClient, SessionEnded>, address: string, { id, run }: Bulk.Wanted): Effect.Effect<Bulk.Answer, Bulk.BulkFailed> => {
  const failed = (reason: Bulk.BulkFailed["reason"], detail: string) => Effect.fail(new Bulk.BulkFailed({ address, reason, detail }))
  return Effect.flatMap(scheduler, (rpc) =>
    // The casts name numbers that came from the scheduler as what they are.
    Stream.runCollect(rpc.Relay({ id: id as TaskId, run: run as RunId }))).pipe(
      Effect.map((pieces) => Bulk.found(joined(pieces))),
      Effect.catchTags({
        RelayFailed: ({ detail, reason }) =>
          reason === "Missing" ? Effect.succeed(Bulk.missing) : failed(reason === "TooLarge" ? "TooLarge" : "Lost", `by way of the scheduler: ${detail}`),
        SessionEnded: ({ message }) => failed("Lost", message)
      })
    )
}

const joined = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
