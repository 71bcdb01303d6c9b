/**
 * Hands out results to peers, and to clients that want a large one.
 *
 * A result is named by id and run, so that nobody gets another task's in its
 * place; it is written from where it lies. Who asks while too many are being
 * served is told so, and comes again.
 *
 * Source: dask.distributed `worker.py`, `Worker.get_data`.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as SocketServer from "effect/socket/SocketServer"
import { RunId, TaskId } from "@skein/protocol/Ids"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import { type Authorize, byToken } from "@skein/transport/Handshake"
import { Hashing } from "@skein/transport/Hashing"
import type { DataStore } from "./DataStore.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

/** Serves until interrupted. */
export const run = (
  { servedAtOnce, token }: Pick<WorkerConfig, "servedAtOnce" | "token">,
  store: DataStore,
  server: SocketServer.SocketServer["Service"]
): Effect.Effect<never, SocketServer.SocketServerError, Hashing> =>
  BulkServer.serve(server, {
    authorize: token === null ? anybody : byToken(Redacted.make(token)),
    maxRequests: servedAtOnce,
    read: (wanted) => Effect.sync(() => wanted.map(({ id, run }) => answer(store.find(TaskId.make(id), RunId.make(run)))))
  })

/** Without a token whoever reaches the socket may read, as with the scheduler. */
const anybody: Authorize = () => Effect.void

const answer = (bytes: Uint8Array | undefined): Bulk.Answer => bytes === undefined ? Bulk.missing : Bulk.found(bytes)
