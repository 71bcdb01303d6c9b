/**
 * A worker by itself, for programs that are one: fibers of the program, and
 * threads for plain functions.
 *
 * Nobody starts it again: it has no nanny. `skein worker` and `LocalCluster` give
 * each worker a process, and nannies.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { badOption, type ClientOptions, clientSettings } from "@skein/client/ClientOptions"
import { type Located, locate } from "@skein/client/Locating"
import * as NodePlatform from "@skein/client/node/Platform"
import { ClusterError, ConnectError } from "@skein/protocol/Errors"
import type { SchedulerLost } from "@skein/protocol/Failure"
import { ProcessId } from "@skein/protocol/Ids"
import * as TaskImport from "@skein/protocol/TaskImport"
import { isLoopback } from "@skein/runtime/scheduler/SchedulerConfig"
import type { SupervisorShutdown } from "@skein/runtime/supervision/Supervisor"
import * as WorkerConfig from "@skein/runtime/worker/WorkerConfig"
import * as Address from "@skein/transport/Address"
import { Hashing } from "@skein/transport/Hashing"
import * as Memory from "@skein/transport/Memory"
import { ConnectFailed } from "@skein/transport/Session"
import { Directory, socketIn } from "./Directory.ts"
import { checkNames, readTasks, type Tasks, type Wrong } from "./internal/reading.ts"
import * as WorkerHere from "./internal/workerHere.ts"
import * as Environment from "./node/Environment.ts"
import * as LocalAddress from "./node/LocalAddress.ts"
import * as Machine from "./node/Machine.ts"
import * as PrivateDirectory from "./node/PrivateDirectory.ts"
import { Scheduler, SchedulerHere } from "./Scheduler.ts"
import { FOR_EVER_MS, type OneWorkerSettings, readWorker, workerKnown, workerLater, type WorkerOptions } from "./WorkerOptions.ts"

export interface WorkerService {
  /** Where peers and clients fetch results from it. */
  readonly address: string
  readonly name: string
  /** Completes when it has ended: sent away by its scheduler, or because it cannot go on. */
  readonly closed: Effect.Effect<void>
  /** Its data moves to others, then it closes. In this version data does not move yet: it dies with a `ClusterError` "Unsupported". */
  readonly drain: Effect.Effect<void, SchedulerLost>
}

/** `timeout` limits the first search for a scheduler; later it looks for as long as `deathTimeout` says. */
export type WorkerLayerOptions<E = never, R = never> =
  & Omit<ClientOptions, "directToWorkers" | "resumeTimeout">
  & WorkerOptions
  & { readonly tasks?: Tasks<E, R> }

export class Worker extends Context.Service<Worker, WorkerService>()("skein/Worker") {
  /** A worker of the scheduler at `address` or of `schedulerFile`. Registered when the layer is built; ends, in order, with its scope. */
  static layer<E = never, R = never>(options: WorkerLayerOptions<E, R>): Layer.Layer<Worker, ConnectError | E, R> {
    return built(options, start(options))
  }

  /** Beside a scheduler of the same program. */
  static layerHere<E = never, R = never>(
    options: WorkerOptions & { readonly tasks?: Tasks<E, R> } = {}
  ): Layer.Layer<Worker, ConnectError | E, Scheduler | R> {
    return built(options, Effect.gen(function*() {
      const { address } = yield* Scheduler
      const here = yield* Effect.serviceOption(SchedulerHere)
      const token = Option.isSome(here) ? here.value.token : undefined
      return yield* start({ ...options, address, ...(token === undefined ? {} : { token }) })
    }))
  }
}

const built = <E, R, R2>(
  _: { readonly tasks?: Tasks<E, R> },
  starting: Effect.Effect<WorkerService, ConnectError, R2>
) =>
  // What the layer of tasks fails with and needs is known to its type only; see `start`.
  Layer.effect(Worker, TaskImport.notForTasks(starting)).pipe(
    Layer.provide(NodePlatform.layer),
    Layer.provide(PrivateDirectory.layer)
  ) as Layer.Layer<Worker, ConnectError | E, Exclude<R2, Layer.Success<typeof NodePlatform.layer> | Directory | Scope.Scope> | R>

const ofClient = ["address", "schedulerFile", "name", "timeout", "heartbeatInterval", "token", "connectionLimit"] as const

const start = Effect.fnUntraced(function*<E, R>(options: WorkerLayerOptions<E, R>) {
  const machine = Machine.here()
  const refused = (wrong: Wrong) => badOption(options, wrong.option, wrong.why)
  const read = yield* Effect.mapError(Effect.fromResult(Result.gen(function*() {
    yield* checkNames(options, [...ofClient, ...workerKnown, "tasks"], [...workerLater, "tls"])
    return { settings: yield* readWorker(options, machine), tasks: yield* readTasks(options.tasks, machine) }
  })), refused)
  const { settings, tasks } = read
  const said = Object.fromEntries(ofClient.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))
  const { connectionLimit, heartbeatMs, timeoutMs } = yield* Effect.fromResult(clientSettings(said))
  const to = yield* locate(said)
  const hashing = yield* Hashing
  const unique = Hex.encode(hashing.random(8))
  const files = yield* Directory
  if (settings.localDirectory !== undefined) yield* Effect.mapError(files.ensure(settings.localDirectory), ({ detail }) => ConnectError.because("BadOption", to.address, detail))
  const directory = yield* Effect.orDie(files.make)
  const listening = yield* listenBeside(to, settings, directory, unique)
  yield* Environment.set(settings.environment)

  const name = settings.name ?? `worker-${unique.slice(0, 8)}`
  const config = WorkerConfig.make({
    name,
    process: ProcessId.make(`${name}/${unique}`),
    nanny: null,
    scheduler: to.address,
    token: to.token === undefined ? null : Redacted.value(to.token),
    listen: listening.address,
    contact: settings.contactAddress,
    host: listening.host,
    nthreads: settings.nthreads,
    nfibers: settings.nfibers,
    memoryLimitBytes: settings.memoryLimitBytes,
    resources: settings.resources,
    localDirectory: settings.localDirectory ?? directory,
    tasks: tasks.modules,
    resumeMs: settings.resumeMs,
    firstConnectMs: Math.min(timeoutMs, settings.deathMs ?? Infinity),
    connectMs: settings.deathMs ?? FOR_EVER_MS,
    connectionLimit: Math.min(connectionLimit, 10_000),
    ...(options.heartbeatInterval === undefined ? {} : { beatMs: heartbeatMs })
  })
  // The layer of tasks is built inside the worker, which shares the surroundings; what it needs stands in them, says the type of the layer.
  const surroundings = yield* Effect.context<never>()
  const own = tasks.layer === undefined ? undefined : Layer.provide(tasks.layer, Layer.succeedContext(surroundings as Context.Context<R>))
  const tree = yield* Effect.mapError(
    WorkerHere.start(config, own),
    (failed) => ConnectError.because("BadAddress", failed.address, failed.detail)
  ).pipe(Effect.provideService(Memory.Network, Option.getOrElse(yield* Effect.serviceOption(Memory.Network), Memory.makeNetwork)))
  if (!tree.registered.isOpen()) return yield* Effect.flatMap(Effect.exit(tree.ended), (exit) => Effect.fail(unregistered(exit, to.address)))
  yield* Effect.forkScoped(Effect.tapCause(tree.ended, (cause) => Effect.logError(`worker ${name} has ended`, cause)))
  const service: WorkerService = {
    address: tree.dataAddress,
    name,
    closed: Effect.asVoid(Effect.exit(tree.ended)),
    drain: Effect.die(ClusterError.because("Unsupported", {
      option: "drain",
      detail: "End the worker's scope: what it alone holds is computed again. Results that move to other workers come with the next stage"
    }))
  }
  return service
})

/** Where it serves results, as it was told or else where its scheduler sees it. */
const listenBeside = Effect.fnUntraced(function*(to: Located, { host, port }: OneWorkerSettings, directory: string, unique: string) {
  const scheduler = Result.getOrThrow(Address.parse(to.address))
  if (scheduler._tag !== "Tcp" && (host !== undefined || port > 0)) {
    return yield* Effect.fail(badOption({ address: to.address }, host === undefined ? "port" : "host", "needs a scheduler that is reached by TCP: workers listen as their scheduler does"))
  }
  switch (scheduler._tag) {
    case "Unix":
      return { address: Address.print(Address.unix(socketIn(directory, "worker"))), host: "localhost" }
    case "Inproc":
      return { address: Address.print(Address.inproc(`worker-${unique}`)), host: "localhost" }
    case "Tcp": {
      const bound = host ?? (yield* LocalAddress.seenBy(scheduler, to.address))
      if (to.token === undefined && !isLoopback(bound)) {
        return yield* Effect.fail(badOption(
          { address: to.address },
          "token",
          `is missing: others can reach ${bound}, and could read what this worker holds. Give the scheduler a token, and the worker the same, or listen on 127.0.0.1`
        ))
      }
      return { address: Address.print(Address.tcp(bound, port)), host: bound }
    }
  }
})

/** Why it is not there: in the words of whoever could not connect, if it was that. */
const unregistered = (exit: Exit.Exit<void, SupervisorShutdown>, address: string): ConnectError => {
  if (Exit.isSuccess(exit)) return ConnectError.because("Refused", address, "the scheduler sent this worker away")
  const shutdown = Cause.findErrorOption(exit.cause)
  const error = Option.isSome(shutdown) ? Cause.findErrorOption(shutdown.value.cause) : Option.none()
  return Option.isSome(error) && error.value instanceof ConnectFailed
    ? ConnectError.because(error.value.reason, address, error.value.detail)
    : ConnectError.because("Refused", address, Cause.pretty(exit.cause))
}
