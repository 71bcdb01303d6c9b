/**
 * A scheduler by itself, for programs that are one.
 *
 * It is fibers of the program; `skein scheduler` is such a program, and
 * `LocalCluster` starts one in a process of its own.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { ClusterError } from "@skein/protocol/Errors"
import * as File from "@skein/protocol/SchedulerFile"
import * as TaskImport from "@skein/protocol/TaskImport"
import * as NodeMemory from "@skein/runtime/node/NodeMemory"
import * as NodeVersions from "@skein/runtime/node/NodeVersions"
import { Journal } from "@skein/runtime/scheduler/Journal"
import { Memory } from "@skein/runtime/scheduler/Memory"
import * as SchedulerConfig from "@skein/runtime/scheduler/SchedulerConfig"
import * as Tree from "@skein/runtime/scheduler/Tree"
import type { SupervisorShutdown } from "@skein/runtime/supervision/Supervisor"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Address from "@skein/transport/Address"
import { Network } from "@skein/transport/Memory"
import * as Hashing from "@skein/transport/node/Hashing"
import { inTurns } from "@skein/transport/node/Turns"
import { Directory, socketIn } from "./Directory.ts"
import { notStarted } from "./internal/notStarted.ts"
import * as LocalAddress from "./node/LocalAddress.ts"
import * as Machine from "./node/Machine.ts"
import * as PrivateDirectory from "./node/PrivateDirectory.ts"
import { badOption } from "./Options.ts"
import { type Listening, readScheduler, type SchedulerOptions } from "./SchedulerOptions.ts"
import { RESUME_LIMIT_MS } from "./WorkerOptions.ts"

export interface SchedulerService {
  /** As clients and workers dial it. */
  readonly address: string
  /** Where the dashboard is; schedulers of this version have none. */
  readonly dashboardLink: Option.Option<string>
}

export class Scheduler extends Context.Service<Scheduler, SchedulerService>()("skein/Scheduler") {
  /** Listens when the layer is built, and ends with its scope. Fails with "BadOption", or "PortTaken". */
  static layer(options: SchedulerOptions = {}): Layer.Layer<Scheduler, ClusterError> {
    return layerAt(options, undefined)
  }
}

/** What only those know who stand beside a scheduler of this program. */
export class SchedulerHere extends Context.Service<SchedulerHere, {
  /** What it takes to be let in. */
  readonly token: Redacted.Redacted<string> | undefined
  /** Completes when it has been idle for as long as it may; fails when it cannot go on, which its log has told by then. */
  readonly ended: Effect.Effect<void, SupervisorShutdown>
}>()("@skein/cluster/SchedulerHere") {}

/** `Scheduler.layer`, and what stands beside it. `path`: of the unix socket; undefined: where the options say. */
export const layerAt = (options: SchedulerOptions, path: string | undefined): Layer.Layer<Scheduler | SchedulerHere, ClusterError> =>
  Layer.effectContext(inTurns(TaskImport.notForTasks(start(options, path)))).pipe(
    Layer.provide([Hashing.layer, Journal.layerNoop, NodeSockets.layer, PrivateDirectory.layer]),
    Layer.provideMerge(Network.layer)
  )

const start = Effect.fnUntraced(function*(options: SchedulerOptions, path: string | undefined) {
  const { listening, schedulerFile, token, tuning } = yield* Effect.mapError(Effect.fromResult(readScheduler(options, Machine.here())), badOption)
  const config = yield* Effect.orDie(SchedulerConfig.decode({
    ...tuning,
    token: token === undefined ? null : Redacted.value(token),
    // Workers say how late they may come back; this is the most that they may say.
    workerGraceMs: RESUME_LIMIT_MS
  }))
  const files = yield* Directory
  const { address: bound, server } = yield* Effect.mapError((yield* Sockets).listen(path === undefined ? yield* addressOf(listening) : Address.print(Address.unix(path))), ({ message }) => notStarted(message))
  const address = yield* LocalAddress.dialled(bound)
  const tree = yield* Effect.provide(Effect.provideService(Tree.start(config, server), Memory, NodeMemory.make()), NodeVersions.layer)
  if (schedulerFile !== undefined) yield* files.keepFile(schedulerFile, File.format(address, token))
  yield* Effect.forkScoped(Effect.tapCause(tree.ended, (cause) => Effect.logError(`the scheduler at ${address} has ended`, cause)))
  return Context.make(Scheduler, { address, dashboardLink: Option.none() }).pipe(Context.add(SchedulerHere, { token, ended: tree.ended }))
})

const addressOf = Effect.fnUntraced(function*(listening: Listening) {
  switch (listening._tag) {
    case "Tcp":
      return Address.print(Address.tcp(listening.host, listening.port))
    case "Unix":
      return Address.print(Address.unix(socketIn(yield* (yield* Directory).make, "scheduler")))
    case "Inproc":
      return Address.print(Address.inproc("scheduler"))
  }
})
