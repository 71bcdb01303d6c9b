/**
 * A whole worker: what it is made of, and who watches it.
 *
 *   worker           rest-for-one, no restart
 *   ├─ surroundings  one-for-one, 3 restarts in 5 minutes
 *   │  ├─ clock
 *   │  ├─ progress      what bodies say of it, to the scheduler
 *   │  ├─ blocked       warns of a body that held the event loop
 *   │  └─ peers      serves results, a fiber group for each connection
 *   ├─ executor      one fiber for each task, threads, layers of contracts, the client of bodies
 *   ├─ gather        one fiber for each peer that is asked
 *   ├─ state         the loop that owns the state
 *   └─ connection    one session with the scheduler after another
 *
 * What the state thinks is running is running, so neither it nor what runs can
 * be started again alone: the defect of one is the end of the worker. In a
 * process of its own that is exit code 1, and its nanny starts another; the
 * results it held are computed again.
 *
 * The same in a process of its own (main.ts) and as fibers of its owner's. There,
 * though, nothing can end a body that will not be interrupted: that is written
 * to the log, and the body keeps its slot.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { State } from "@skein/core/worker/State"
import * as BulkClient from "@skein/transport/BulkClient"
import type { Hashing } from "@skein/transport/Hashing"
import * as SteadyTime from "../SteadyTime.ts"
import { Notices } from "../nanny/Notices.ts"
import * as Ticking from "../Ticking.ts"
import * as Supervisor from "../supervision/Supervisor.ts"
import * as BlockedLoop from "./BlockedLoop.ts"
import * as Carrying from "./Carrying.ts"
import * as Code from "./Code.ts"
import * as Connection from "./Connection.ts"
import * as DataStore from "./DataStore.ts"
import * as Executor from "./Executor.ts"
import * as Gather from "./Gather.ts"
import { Host } from "./Host.ts"
import type { Modules } from "./Modules.ts"
import * as Mailbox from "./Mailbox.ts"
import * as PeerServer from "./PeerServer.ts"
import * as ProgressReports from "./ProgressReports.ts"
import { Sockets, type SocketsFailed } from "./Sockets.ts"
import { TaskClients } from "./TaskClients.ts"
import * as Threads from "./Threads.ts"
import * as Worker from "./Worker.ts"
import type { WorkerConfig } from "./WorkerConfig.ts"

/** What a worker takes from its surroundings. */
export type Services = Hashing | Sockets | Modules | Threads.ThreadSpawner | Host | Notices

export interface Options {
  /** Contracts built from a layer of this process; for workers that are fibers of it. */
  readonly tasks?: Layer.Layer<never, unknown>
  /** What is run in the place of bodies that are found. @default they themselves */
  readonly around?: Code.Around | undefined
}

export interface Tree {
  /**
   * Runs until the scheduler sends the worker away. Fails when it cannot go on. Interrupted, it ends its session in good order.
   */
  readonly run: Effect.Effect<void, Supervisor.SupervisorShutdown, Services>
  /** Open once it has been registered for the first time. */
  readonly registered: Latch.Latch
  /** Where it serves its results. */
  readonly dataAddress: string
  /** As of the last batch. */
  readonly state: () => State
  readonly store: DataStore.DataStore
}

/** Puts a worker together, and listens for peers until the scope closes; nothing else happens before `run` does. */
export const make = Effect.fnUntraced(function*(
  config: WorkerConfig,
  options: Options = {}
): Effect.fn.Return<Tree, SocketsFailed, Services | Scope.Scope> {
  const sockets = yield* Sockets
  const notices = yield* Notices
  const host = yield* Host
  const now = SteadyTime.of(yield* Clock.Clock)
  const listening = yield* sockets.listen(config.listen)
  const dataAddress = config.contact ?? listening.address

  const store = DataStore.make()
  const mailbox = Mailbox.make()
  const ticking = Ticking.make(now, () => mailbox.offer({ _tag: "Ticked", at: now() }))
  const registered = Latch.makeUnsafe(false)
  const progress = ProgressReports.make((row) => connection.contact.report(row))
  const blocked = host.cpuMs && BlockedLoop.make({ worker: config.name, cpuMs: host.cpuMs, isOwn: config.nanny !== null, bodies: () => executor.current()?.inProcess() ?? [] })
  const executor = makePart((): Effect.Effect<Executor.Executor, never, Services | Scope.Scope> => makeExecutor(config, options, connection.contact, store, mailbox, progress, blocked?.held))
  const gather = makePart((): Effect.Effect<Gather.Gather, never, Hashing | Scope.Scope> => makeGather(config, sockets, connection.contact, store, mailbox))
  const carrying = Carrying.make({
    store,
    executor: executor.part,
    gather: gather.part,
    notices,
    report: (row) => connection.contact.report(row),
    wake: ticking.wake,
    endProcess: (reason) => endProcess(config, notices, reason)
  })
  const worker = Worker.make({ mailbox, carrying })
  const connection: Connection.Connection = Connection.make({
    config,
    dataAddress,
    store,
    mailbox,
    sockets,
    host,
    state: worker.state,
    onRegistered: registered.open
  })

  const sentAway = Deferred.makeUnsafe<void>()
  const surroundings = Supervisor.supervise<Hashing>({
    name: `worker ${config.name}/surroundings`,
    strategy: "one-for-one",
    intensity: 3,
    period: "5 minutes",
    children: [
      { id: "clock", start: ticking.run },
      { id: "progress", start: progress.run },
      ...(blocked === undefined ? [] : [{ id: "blocked", start: blocked.run }]),
      { id: "peers", start: PeerServer.run(config, store, listening.server, mailbox.offer) }
    ]
  })
  const supervised = Supervisor.supervise<Services>({
    name: `worker ${config.name}`,
    strategy: "rest-for-one",
    intensity: 0,
    children: [
      { id: "surroundings", start: surroundings },
      { id: "executor", start: executor.start, started: executor.started },
      { id: "gather", start: gather.start, started: gather.started },
      { id: "state", start: worker.run },
      { id: "connection", start: Effect.andThen(connection.run, Deferred.done(sentAway, Exit.void)), restart: "transient" }
    ]
  })
  return {
    run: Effect.raceFirst(supervised, Deferred.await(sentAway)),
    registered,
    dataAddress,
    state: worker.state,
    store
  }
})

/**
 * A worker as a part of its owner, until the scope closes. Returns once it has been registered, or has failed. Race `ended` with
 * whatever needs it: that completes when the scheduler sends the worker away, and fails when the worker ends by itself.
 */
export const start = Effect.fnUntraced(function*(
  config: WorkerConfig,
  options: Options = {}
): Effect.fn.Return<Tree & { readonly ended: Effect.Effect<void, Supervisor.SupervisorShutdown> }, SocketsFailed, Services | Scope.Scope> {
  const tree = yield* make(config, options)
  const fiber = yield* Effect.forkScoped(tree.run)
  yield* Effect.raceFirst(tree.registered.await, Effect.exit(Fiber.join(fiber)))
  return { ...tree, ended: Fiber.join(fiber) }
})

const makeExecutor = Effect.fnUntraced(function*(
  config: WorkerConfig,
  options: Options,
  contact: Connection.Contact,
  store: DataStore.DataStore,
  mailbox: Mailbox.Mailbox,
  progress: Executor.Progress,
  held: BlockedLoop.BlockedLoop["held"] | undefined
) {
  const client = yield* (yield* TaskClients).make(config)
  const code = yield* Code.make({ worker: config.name, tasks: config.tasks, layer: options.tasks, allow: config.code, around: options.around, client })
  const threads = yield* Threads.make({ nthreads: config.nthreads })
  return yield* Executor.make({ worker: config.name, store, code, threads, client, held, progress, defOf: contact.defOf, emit: mailbox.offer, wake: mailbox.wake })
})

const makeGather = Effect.fnUntraced(function*(
  config: WorkerConfig,
  sockets: Sockets["Service"],
  contact: Connection.Contact,
  store: DataStore.DataStore,
  mailbox: Mailbox.Mailbox
) {
  const client = yield* BulkClient.make({
    connect: sockets.connectBulk,
    limit: config.connectionLimit,
    greeting: { role: "worker", name: config.name, ...(config.token === null ? {} : { token: Redacted.make(config.token) }) }
  })
  return yield* Gather.make({ store, client, addressOf: contact.addressOf, emit: mailbox.offer })
})

const endProcess = (config: WorkerConfig, notices: Notices["Service"], reason: string): Effect.Effect<void> =>
  config.nanny === null
    ? Effect.logError(`worker ${config.name} cannot stop a body: ${reason}. It has no process of its own that could be ended, so the body keeps its slot`)
    : Effect.andThen(Effect.logWarning(`worker ${config.name} asks for the end of its process: ${reason}`), notices.write({ endMe: reason }))

/** A part that lives in a child's scope and is used by others; they come after it, so it is there when they use it. */
const makePart = <A extends { readonly failed: Effect.Effect<never> }, R>(make: () => Effect.Effect<A, never, R>) => {
  const started = Latch.makeUnsafe(false)
  let current: A | undefined
  const start = Effect.gen(function*() {
    current = yield* Effect.suspend(make)
    yield* started.open
    return yield* current.failed
  })
  const part = (): A => {
    if (current === undefined) throw new Error("a part of the worker was used before it was started")
    return current
  }
  return { start, started, part, current: () => current }
}
