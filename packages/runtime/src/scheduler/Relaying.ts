/**
 * Results for clients that cannot reach the workers, or are not to: the scheduler
 * fetches them and hands them on.
 *
 * Every byte goes through the scheduler's process, so it is bounded: a few values
 * at once for all clients together, none larger than a limit, and each in pieces,
 * of which the next is sent when the client has the last. Who wants more, or
 * faster, has to reach the workers.
 *
 * Source: dask.distributed `scheduler.py`, `Scheduler.gather`; there it is
 * bounded by nothing.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { type Location, RelayFailed } from "@skein/protocol/ClientRpcs"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import * as BulkClient from "@skein/transport/BulkClient"
import { Hashing } from "@skein/transport/Hashing"
import type { Sockets } from "../worker/Sockets.ts"

/** Values under way at once, for all clients. */
const AT_ONCE = 4
/** Bytes of one value at most. */
export const RELAY_LIMIT = 256 * 2 ** 20
/** Bytes in one piece. */
const PIECE = 2 ** 20
/** How long one value may take, so that a client that does not read holds nobody up for ever. */
const WITHIN_MS = 300_000
/** Connections to workers, for one client. */
const CONNECTIONS = 4

export interface Wanted {
  readonly id: TaskId
  readonly run: RunId
}

export interface Options {
  /** Undefined: this scheduler reaches no worker. */
  readonly sockets: Pick<Sockets["Service"], "connectBulk"> | undefined
  readonly token: Redacted.Redacted<string> | null
  readonly locate: (id: TaskId) => Location | null
  readonly hashing: Hashing["Service"]
}

export interface Relaying {
  /** For one client's session; its connections close with the scope. */
  readonly forClient: Effect.Effect<(wanted: Wanted) => Stream.Stream<Uint8Array, RelayFailed>, never, Scope.Scope>
}

export const make = ({ hashing, locate, sockets, token }: Options): Relaying => {
  const turns = Semaphore.makeUnsafe(AT_ONCE)
  const fetch = (bulk: BulkClient.BulkClient["Service"], { id, run }: Wanted): Effect.Effect<Uint8Array, RelayFailed> =>
    Effect.gen(function*() {
      const place = locate(id)
      if (place === null || place.run !== run) return yield* missing
      if (place.nbytes > RELAY_LIMIT) return yield* tooLarge(place.nbytes)
      let detail = "no worker has it any more"
      for (const address of place.addresses) {
        const [answer] = yield* Effect.catchTag(bulk.fetch(address, [{ id, run }]), "BulkFailed", ({ message }) => {
          detail = message
          return Effect.succeed([])
        })
        if (answer?._tag === "Found") return answer.bytes
      }
      return yield* failed(detail)
    })
  return {
    forClient: Effect.gen(function*() {
      const scope = yield* Effect.scope
      // Most clients never ask.
      const connected = sockets === undefined
        ? Effect.fail(failed("it has no way to reach them"))
        : yield* Effect.cached(Scope.provide(
          BulkClient.make({
            connect: sockets.connectBulk,
            greeting: { role: "scheduler", name: "scheduler", ...(token === null ? {} : { token }) },
            limit: CONNECTIONS,
            valueLimit: RELAY_LIMIT
          }).pipe(Effect.provideService(Hashing, hashing)),
          scope
        ))
      return (wanted: Wanted) =>
        Stream.unwrap(Effect.gen(function*() {
          yield* Effect.acquireRelease(turns.take(1), () => turns.release(1), { interruptible: true })
          return Stream.fromIterable(pieces(yield* fetch(yield* connected, wanted)))
        })).pipe(
          Stream.rechunk(1),
          Stream.interruptWhen(Effect.andThen(Effect.sleep(WITHIN_MS), Effect.fail(failed("it took longer than 5 minutes"))))
        )
    })
  }
}

function* pieces(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE)
}

const missing = new RelayFailed({ reason: "Missing", detail: "" })
const failed = (detail: string) => new RelayFailed({ reason: "Failed", detail })
const tooLarge = (nbytes: number) =>
  new RelayFailed({ reason: "TooLarge", detail: `the value has ${Math.round(nbytes / 2 ** 20)} MiB, and the scheduler hands on ${RELAY_LIMIT / 2 ** 20} MiB at most` })
