/**
 * The client that the bodies of one worker share.
 *
 * It connects when the first body uses it. A session that is over is over for
 * those who used it; the next body finds a new client.
 *
 * Source: dask.distributed `worker.py`, `Worker._get_client`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Hashing } from "@skein/transport/Hashing"
import { Client, makeService } from "./Client.ts"
import { type ClientOptions, clientSettings } from "./ClientOptions.ts"
import { Collecting } from "./Collecting.ts"
import { connectLater } from "./Connection.ts"
import { located } from "./internal/locating.ts"
import { Platform } from "./Platform.ts"

/** What it must know of its worker. */
export interface Of {
  /** The worker's. */
  readonly name: string
  /** Where the scheduler listens. */
  readonly scheduler: string
  /** The cluster's; null: none. */
  readonly token: string | null
}

/** For whoever puts workers together: makes the clients of workers of this platform. */
export const maker = Effect.gen(function*() {
  const services = Context.make(Platform, yield* Platform).pipe(Context.add(Hashing, yield* Hashing), Context.add(Collecting, yield* Collecting))
  return { make: (worker: Of) => Effect.provideContext(make(worker), services) }
})

/** Begins it; it ends with the scope. What it gives is asked for each body anew. */
export const make = Effect.fnUntraced(function*(
  worker: Of
): Effect.fn.Return<Effect.Effect<Context.Context<Client>>, never, Platform | Hashing | Scope.Scope> {
  const settings = yield* Effect.orDie(Effect.flatMap(Effect.fromResult(clientSettings(optionsOf(worker))), located))
  const scope = yield* Effect.scope
  const services = yield* Effect.context<Platform | Hashing>()
  const begin = Effect.gen(function*() {
    const own = yield* Scope.fork(scope)
    const core = yield* Scope.provide(connectLater(settings), own)
    return { core, own, context: Context.make(Client, makeService(core)) }
  }).pipe(Effect.provideContext(services))
  let latest = yield* begin
  const alone = yield* Semaphore.make(1)
  const replace = alone.withPermits(1)(Effect.suspend(() => {
    const { context, core, own } = latest
    // Of several bodies that find it over the first replaces it.
    if (core.references.lost === undefined) return Effect.succeed(context)
    return Effect.uninterruptible(Effect.flatMap(begin, (next) => {
      latest = next
      return Effect.as(Effect.forkIn(Scope.close(own, Exit.void), scope), next.context)
    }))
  }))
  return Effect.suspend(() => latest.core.references.lost === undefined ? Effect.succeed(latest.context) : replace)
})

/**
 * How long its session may be without a connection, and so how long what bodies had submitted outlives their worker: until its nanny
 * has started it again and the bodies have come back for that. Otherwise a child that ends its workers would be a new one each time.
 */
const RESUME = "15 seconds"

const optionsOf = ({ name, scheduler, token }: Of): ClientOptions => ({
  address: scheduler,
  name: `tasks of ${name}`,
  resumeTimeout: RESUME,
  ...(token === null ? {} : { token: Redacted.make(token) })
})
