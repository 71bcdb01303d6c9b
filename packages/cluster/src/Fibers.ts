/**
 * A cluster that is fibers of this process: the scheduler, and workers whose
 * Effects and async functions run in this event loop. Plain functions have
 * threads still.
 *
 * The same parts on the same sockets as in a cluster of processes, without
 * nannies: a worker that ends by a defect of its own is not started again, and a
 * body that ends its process ends this one.
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { ClusterError } from "@skein/protocol/Errors"
import { ProcessId } from "@skein/protocol/Ids"
import * as SchedulerFile from "@skein/protocol/SchedulerFile"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as SchedulerConfig from "@skein/runtime/scheduler/SchedulerConfig"
import * as SchedulerTree from "@skein/runtime/scheduler/Tree"
import * as NodeVersions from "@skein/runtime/node/NodeVersions"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as WorkerConfig from "@skein/runtime/worker/WorkerConfig"
import { Hashing } from "@skein/transport/Hashing"
import { Network } from "@skein/transport/Memory"
import { Directory } from "./Directory.ts"
import * as ClusterLog from "./internal/clusterLog.ts"
import { notStarted } from "./internal/notStarted.ts"
import * as OwnLog from "./internal/ownLog.ts"
import type { Parts } from "./internal/parts.ts"
import * as WorkerHere from "./internal/workerHere.ts"
import { listenAddress, schedulerConfig, type Surroundings, workerConfig } from "./internal/workerConfig.ts"
import * as Environment from "./node/Environment.ts"
import * as LocalAddress from "./node/LocalAddress.ts"
import { checkCount, type Plan } from "./Options.ts"

type Services = Directory | Hashing | Network | Scope.Scope

/** Starts the scheduler and all workers; returns when every one of them is up. They end, in order, with the scope. */
export const start = Effect.fnUntraced(function*(plan: Plan): Effect.fn.Return<Parts, ClusterError, Services> {
  const files = yield* Directory
  const directory = yield* files.make
  if (plan.worker.localDirectory !== undefined) yield* files.ensure(plan.worker.localDirectory)
  const token = plan.scheduler.token ?? Redacted.make(Hex.encode((yield* Hashing).random(32)))
  yield* Environment.set(plan.worker.environment)
  const log = yield* ClusterLog.make
  const schedulerLog = OwnLog.make(plan.logsFrom)
  const scheduler = yield* schedulerLog.keep(startScheduler(plan, directory, token))
  const workers = yield* makeWorkers({ plan, directory, token, address: scheduler.address, log })
  yield* workers.scale(plan.workers)
  if (plan.scheduler.schedulerFile !== undefined) yield* files.keepFile(plan.scheduler.schedulerFile, SchedulerFile.format(scheduler.address, token))
  yield* log.add(`${plan.name}: ${plan.workers} workers and the scheduler are up at ${scheduler.address}`)
  return {
    address: scheduler.address,
    token,
    scale: workers.scale,
    logs: Effect.map(log.all, (own) => new Map([["cluster", own], ["scheduler", schedulerLog.lines()], ...workers.logs()])),
    revive: workers.revive,
    shutdown: Effect.andThen(workers.scale(0), scheduler.stop).pipe(Effect.ignore),
    gone: scheduler.gone
  }
})

/** The scheduler, in a scope of its own that `stop` closes before its time. */
const startScheduler = Effect.fnUntraced(function*(plan: Plan, directory: string, token: Redacted.Redacted<string>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const port = plan.listening._tag === "Tcp" ? plan.listening.port : 0
  const config = yield* Effect.orDie(SchedulerConfig.decode(schedulerConfig(plan, token)))
  const { address, ended } = yield* Effect.gen(function*() {
    const sockets = yield* Sockets
    const listening = yield* Effect.mapError(sockets.listen(listenAddress(plan, directory, "scheduler", port)), ({ message }) => notStarted(message))
    const tree = yield* Effect.provide(SchedulerTree.start(config, listening.server), [Journal.layerNoop, NodeVersions.layer])
    return { address: yield* LocalAddress.dialled(listening.address), ended: tree.ended }
  }).pipe(Effect.provide(NodeSockets.layer), Scope.provide(scope))
  return { address, gone: Effect.asVoid(Effect.exit(ended)), stop: Scope.close(scope, Exit.void) }
})

interface WorkersOptions extends Surroundings {
  readonly log: ClusterLog.ClusterLog
}

const makeWorkers = Effect.fnUntraced(function*(options: WorkersOptions) {
  const { log } = options
  const scope = yield* Effect.scope
  const services = yield* Effect.context<Hashing | Network>()
  /** Each worker's scope, in the order in which they were started. */
  const running = new Map<string, Scope.Closeable>()
  /** The lines of each worker, also of those that have gone; of the latest 32 workers besides those that run. */
  const logs = new Map<string, OwnLog.OwnLog>()
  const alone = yield* Semaphore.make(1)
  let named = 0

  const add = Effect.fnUntraced(function*(name: string) {
    const own = yield* Scope.fork(scope)
    running.set(name, own)
    const kept = logs.get(name) ?? OwnLog.make(options.plan.logsFrom)
    logs.set(name, kept)
    trim(logs, running)
    yield* kept.keep(startWorker(options, name)).pipe(
      Scope.provide(own),
      Effect.onError(() => remove(name))
    )
  })
  const remove = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const own = running.get(name)
      running.delete(name)
      return own === undefined ? Effect.void : Scope.close(own, Exit.void)
    })
  const scale = Effect.fnUntraced(function*(count: number) {
    yield* Effect.fromResult(checkCount("workers", count, 0))
    if (count !== running.size) yield* log.add(`scaling from ${running.size} to ${count} workers`)
    yield* Effect.forEach([...running.keys()].slice(count), remove, { concurrency: "unbounded", discard: true })
    yield* Effect.forEach(Array.from({ length: Math.max(0, count - running.size) }), () => Effect.suspend(() => add(`worker-${named++}`)), { concurrency: "unbounded", discard: true })
  })
  return {
    scale: (count: number) => alone.withPermits(1)(Effect.provideContext(scale(count), services)),
    /** All that there were, under the same names. */
    revive: alone.withPermits(1)(Effect.provideContext(
      Effect.suspend(() => Effect.forEach([...running.keys()], (name) => Effect.andThen(remove(name), add(name)), { concurrency: "unbounded", discard: true })),
      services
    )),
    logs: () => Array.from(logs, ([name, { lines }]) => [name, lines()] as const)
  }
})

const trim = (logs: Map<string, unknown>, running: ReadonlyMap<string, unknown>): void => {
  let past = logs.size - running.size
  for (const name of logs.keys()) {
    if (past <= 32) return
    if (running.has(name)) continue
    logs.delete(name)
    past--
  }
}

const startWorker = Effect.fnUntraced(function*(options: WorkersOptions, name: string) {
  const config = WorkerConfig.make({ ...workerConfig(options, name), name, process: ProcessId.make(name), nanny: null })
  const tree = yield* WorkerHere.start(config, options.plan.layer).pipe(
    Effect.mapError((failed) => ClusterError.because("WorkersFailed", { detail: failed.message }))
  )
  if (!tree.registered.isOpen()) {
    const exit = yield* Effect.exit(tree.ended)
    return yield* ClusterError.because("WorkersFailed", { detail: `${name} did not register with the scheduler: ${String(exit)}` })
  }
})
