/**
 * From settings to a client's core: dials the scheduler, and owns the loops that
 * stand on the session.
 *
 * There are two: the session's own, which hands over what the scheduler reports,
 * and the outbox, which tells it what was submitted. Whatever stops either ends
 * the session, and the session's end is told to everybody who waits.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { ClientReportRpcs, ClientRpcs } from "@skein/protocol/ClientRpcs"
import { ConnectError } from "@skein/protocol/Errors"
import { SchedulerLost } from "@skein/protocol/Failure"
import { learnExports } from "@skein/protocol/Portable"
import * as BulkClient from "@skein/transport/BulkClient"
import * as Duplex from "@skein/transport/Duplex"
import type { Greeting } from "@skein/transport/Handshake"
import { Hashing } from "@skein/transport/Hashing"
import * as Session from "@skein/transport/Session"
import { Collecting } from "./Collecting.ts"
import { makeCodes } from "./internal/code.ts"
import type { Core, SchedulerClient } from "./internal/core.ts"
import { makeFetching } from "./internal/fetching.ts"
import type { Located } from "./internal/locating.ts"
import * as Outbox from "./internal/outbox.ts"
import { References } from "./internal/references.ts"
import { Platform } from "./Platform.ts"

/** How long the end of the scope waits for what was told last. */
const FLUSH_MS = 1_000

/** A client's core. Its session ends with the scope, in good order, or once the scheduler is known to be gone. */
export const connect = Effect.fnUntraced(function*(
  settings: Located,
  gone: Effect.Effect<unknown>
): Effect.fn.Return<Core, ConnectError, Platform | Hashing | Scope.Scope> {
  const { core, open } = yield* assemble(settings, gone)
  yield* open
  return core
})

/** The same, but it connects when it is first used. That it cannot be reached is then the end of its session. */
export const connectLater = Effect.fnUntraced(function*(settings: Located): Effect.fn.Return<Core, never, Platform | Hashing | Scope.Scope> {
  return (yield* assemble(settings, Effect.never)).core
})

/** All but the session, which `open` begins, or else the first that is told or asked. Its fibers are scheduled as the platform has it. */
const assemble = (settings: Located, gone: Effect.Effect<unknown>) =>
  Effect.flatMap(Platform, (platform) => {
    const scheduled = platform.scheduled ?? identity
    return scheduled(assembled(settings, gone, platform, scheduled))
  })

const assembled = Effect.fnUntraced(function*(
  settings: Located,
  gone: Effect.Effect<unknown>,
  platform: Platform["Service"],
  scheduled: NonNullable<Platform["Service"]["scheduled"]>
) {
  const { address } = settings
  const hashing = yield* Hashing
  const collecting = yield* Collecting
  const scope = yield* Effect.scope
  // Begun first, so that it ends last, after what stands on the session and what is told in the end.
  const ofSession = yield* Scope.fork(scope)
  const unique = Hex.encode(hashing.random(16))
  const name = settings.name ?? `client-${unique.slice(0, 8)}`
  const id = `${name}-${unique.slice(0, 12)}`
  const greeting: Greeting = { role: "client", name, ...(settings.token === undefined ? {} : { token: settings.token }) }

  const outbox = yield* Outbox.make
  const references = new References(name, (ref) => outbox.offer({ _tag: "Release", ref }))
  const bulk = yield* BulkClient.make({ connect: platform.connectBulk ?? platform.connect, greeting, limit: settings.connectionLimit })
  const opened = Deferred.makeUnsafe<Opened, ConnectError>()
  let isOpening = false
  const open = Effect.suspend(() => {
    if (isOpening) return Deferred.await(opened)
    isOpening = true
    // In a fiber of the client's own: who happens to be the first may be interrupted.
    const opening = Effect.gen(function*() {
      const session = yield* dial(platform, settings, greeting)
      const scheduler = yield* Duplex.make(session, { serve: ClientReportRpcs, call: ClientRpcs }).pipe(
        Effect.provide(ClientReportRpcs.toLayer({ Report: ({ segments }) => Effect.sync(() => references.report(segments)) }))
      )
      // Should the session be over already, everybody hears of that in another way.
      yield* Effect.ignore(scheduler.Introduce({ id }))
      return { session, scheduler }
    }).pipe(
      Effect.provideService(Hashing, hashing),
      scheduled,
      // Before anybody hears of it who could come back for more.
      Effect.onError(() => Effect.sync(() => references.end(SchedulerLost.at(address))))
    )
    return Effect.andThen(Effect.forkIn(Deferred.into(Scope.provide(opening, ofSession), opened), scope, { startImmediately: true }), Deferred.await(opened))
  })
  const scheduler = Effect.mapBoth(open, {
    onFailure: notOpened,
    onSuccess: ({ scheduler }) => scheduler
  })

  const telling = outbox.run({
    submit: (graph) => Effect.flatMap(scheduler, (rpc) => rpc.Submit({ graph })),
    release: (refs) => Effect.flatMap(scheduler, (rpc) => rpc.Release({ refs })),
    retry: (refs) => Effect.flatMap(scheduler, (rpc) => rpc.Retry({ refs })),
    detach: (refs) => Effect.flatMap(scheduler, (rpc) => rpc.Detach({ refs })),
    want: (rows) => Effect.flatMap(scheduler, (rpc) => rpc.Want({ rows })),
    watch: (ref, on) => Effect.flatMap(scheduler, (rpc) => rpc.Watch({ ref, on }))
  })
  const over = Effect.flatMap(Effect.mapError(Deferred.await(opened), notOpened), ({ session }) => session.ended)
  const lost = Effect.andThen(gone, Effect.fail(Session.SessionEnded.of("closed", "the scheduler has ended")))
  yield* Effect.raceAllFirst([telling, over, lost]).pipe(
    Effect.onExit((exit) =>
      Effect.suspend(() => {
        references.end(SchedulerLost.at(address))
        // Interrupted, this is the end of the scope, which closes the session in good order.
        if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return Effect.void
        const { cause } = exit
        return Deferred.isDoneUnsafe(opened)
          ? Effect.flatMap(Effect.exit(Deferred.await(opened)), (now) => Exit.isSuccess(now) ? now.value.session.end(cause) : Effect.void)
          : Effect.void
      })),
    // The end is everybody's news by now; a bug is also the log's.
    Effect.tapDefect((defect) => Effect.logError("the client's session ended by a defect", defect)),
    Effect.exit,
    Effect.forkScoped({ startImmediately: true })
  )
  let closed = false
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      return Effect.ignore(Effect.timeout(outbox.flushed, FLUSH_MS))
    })
  )
  let calls = 0
  const core: Core = {
    id,
    name,
    address,
    references,
    outbox,
    scheduler,
    connection: connectionOf(Deferred.await(opened)),
    bulk: makeFetching(bulk, scheduler, settings.directToWorkers),
    learn: makeLearning(platform.exportsOf),
    codeOf: makeCodes({ sha256: hashing.sha256, packageAt: platform.packageAt, sourceOf: platform.sourceOf }),
    digest: (bytes) => hashing.sha256Hex(bytes).slice(0, 32),
    fresh: () => `${unique.slice(12)}-${calls++}`,
    collecting,
    terminal: platform.terminal,
    isClosed: () => closed
  }
  return { core, open }
})

/** How long a module that is still being evaluated is waited for: it may be the program, which waits for us. */
const LEARN_WITHIN = "1 second"
/** Modules that are remembered as looked at. */
const MODULES_KEPT = 10_000

const makeLearning = (exportsOf: Platform["Service"]["exportsOf"]): Core["learn"] => {
  const looked = new Set<string>()
  return (module) =>
    Effect.suspend(() => {
      if (exportsOf === undefined || looked.has(module)) return Effect.void
      if (looked.size >= MODULES_KEPT) looked.clear()
      looked.add(module)
      // A module that cannot be had brings no classes; what comes of that is said of the value.
      return exportsOf(module).pipe(Effect.timeout(LEARN_WITHIN), Effect.map(learnExports), Effect.ignore)
    })
}

const notOpened = ({ message }: ConnectError): Session.SessionEnded => Session.SessionEnded.of("refused", message)

/** Its states from the first on, once it is open. What a slow reader misses is never the last. */
const connectionOf = (opened: Effect.Effect<Opened, ConnectError>): Stream.Stream<Session.Status> =>
  Stream.unwrap(Effect.match(opened, {
    onFailure: () => Stream.make<[Session.Status]>("lost"),
    onSuccess: ({ session }) =>
      SubscriptionRef.changes(session.status).pipe(
        Stream.changes,
        Stream.takeUntil((status) => status === "lost"),
        Stream.buffer({ capacity: STATUSES_KEPT, strategy: "sliding" })
      )
  }))

const STATUSES_KEPT = 16

interface Opened {
  readonly session: Session.Session
  readonly scheduler: SchedulerClient
}

const dial = Effect.fnUntraced(function*(platform: Platform["Service"], settings: Located, greeting: Greeting) {
  const { address } = settings
  const socket = yield* platform.connect(address).pipe(
    Effect.mapError(({ message }) => ConnectError.because("BadAddress", address, message))
  )
  return yield* Session.dial({
    socket,
    greeting,
    beatMs: settings.heartbeatMs,
    graceMs: settings.resumeMs,
    timeoutMs: settings.timeoutMs
  }).pipe(Effect.mapError(({ detail, reason }) => ConnectError.because(reason, address, detail)))
})
