/**
 * Hands out results to peers, and to clients that want a large one; takes the data
 * that clients scatter.
 *
 * A result is named by id and run, so that nobody gets another task's in its
 * place; it is written from where it lies. Who asks while too many are being
 * served is told so, and comes again; and so is who asks for what is not here
 * while this worker registers anew: the scheduler may have told of the results
 * under ids that it has not heard of itself yet.
 *
 * Source: dask.distributed `worker.py`, `Worker.get_data`.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Vector from "@skein/core/persistent/Vector"
import type { Event } from "@skein/core/worker/Event"
import { RunId, TaskId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import { type Authorize, byToken } from "@skein/transport/Handshake"
import { Hashing } from "@skein/transport/Hashing"
import * as SteadyTime from "../SteadyTime.ts"
import type { DataStore } from "./DataStore.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

/** Serves until interrupted. */
export const run = (
  { servedAtOnce, token }: Pick<WorkerConfig, "servedAtOnce" | "token">,
  store: DataStore,
  server: SocketServer.SocketServer["Service"],
  emit: (event: Event) => void
): Effect.Effect<never, SocketServer.SocketServerError, Hashing> =>
  BulkServer.serve(server, {
    authorize: token === null ? anybody : byToken(Redacted.make(token)),
    maxRequests: servedAtOnce,
    store: ({ id, run }, bytes) =>
      Effect.map(SteadyTime.millis, (at) => {
        if (!Vector.isIndex(id)) return
        // The scheduler has told the client who this is, so the present incarnation is meant. It knows of the data before it is asked for it.
        const held: Held = { id: TaskId.make(id), run: RunId.make(run), nbytes: bytes.length }
        store.put({ ...held, key: null, bytes }, store.generation())
        emit({ _tag: "DataReceived", at, rows: [held] })
      }),
    read: (wanted) => Effect.sync(() => wanted.map((one) => answer(store, one)))
  })

/** Without a token whoever reaches the socket may read, as with the scheduler. */
const anybody: Authorize = () => Effect.void

/** What is said to somebody who wants a result. */
export const answer = (store: DataStore, { id, run }: { readonly id: number; readonly run: number }): Bulk.Answer => {
  const bytes = store.find(TaskId.make(id), RunId.make(run))
  return bytes !== undefined ? Bulk.found(bytes) : store.isOffering() ? Bulk.busy : Bulk.missing
}
