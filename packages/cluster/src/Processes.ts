/**
 * A cluster whose scheduler and workers are processes of this machine.
 *
 *   nanny of the scheduler   its end is the cluster's: without a journal, what it knew is gone
 *   nanny of each worker     starts it again, 5 times in a minute, and tells the scheduler how it ended
 *   nanny line               the session over which the nannies tell
 *
 * Each stands under a supervisor of its own, for workers come and go. All
 * processes start at once: a worker looks for its scheduler until that is
 * there. Only a TCP port that the system is to choose must be waited for.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as FiberMap from "effect/FiberMap"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { ClusterError } from "@skein/protocol/Errors"
import type { ProcessId } from "@skein/protocol/Ids"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import type { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import { defaultHeapMiB } from "@skein/runtime/node/NodeMemory"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"
import type { Sockets } from "@skein/runtime/worker/Sockets"
import { Hashing } from "@skein/transport/Hashing"
import { Directory, socketIn } from "./Directory.ts"
import * as ClusterLog from "./internal/clusterLog.ts"
import * as NannyLine from "./internal/nannyLine.ts"
import type { Parts } from "./internal/parts.ts"
import { listenAddress, type Surroundings, workerConfig } from "./internal/workerConfig.ts"
import * as Entries from "./node/Entries.ts"
import { checkCount, type Plan } from "./Options.ts"

type Services = Directory | Hashing | ProcessSpawner | Scope.Scope | Sockets

/** Starts the scheduler and all workers; returns when every one of them is up. They end, in order, with the scope. */
export const start = Effect.fnUntraced(function*(plan: Plan): Effect.fn.Return<Parts, ClusterError, Services> {
  const directory = yield* (yield* Directory).make
  const token = Redacted.make(Hex.encode((yield* Hashing).random(32)))
  const log = yield* ClusterLog.make
  const line = yield* NannyLine.make
  // Closed last to first: the line, for nobody need hear of ends that are wished, the workers, the scheduler.
  const scheduler = yield* startScheduler(plan, directory, token)
  const address = plan.listening._tag === "Unix" ? listenAddress(plan, directory, "scheduler", 0) : yield* whenReady(scheduler)
  const workers = yield* makeWorkers({ plan, directory, token, address, log, line })
  const speaking = Effect.orDie(line.run({ address, token, endProcess: workers.endProcess }))
  yield* Effect.forkScoped(supervised({ id: "nanny line", start: speaking, restart: "transient" }, 0))
  // The scheduler's own failure says more than that of the workers that cannot find it.
  yield* Effect.raceFirst(
    Effect.andThen(workers.scale(plan.workers), Effect.asVoid(whenReady(scheduler))),
    Effect.andThen(scheduler.awaitStatus(({ _tag }) => _tag === "GivenUp"), Effect.asVoid(whenReady(scheduler)))
  )
  yield* log.add(`${plan.workers} workers and the scheduler are up at ${address}`)
  const gone = Effect.asVoid(scheduler.awaitStatus(({ _tag }) => _tag === "GivenUp" || _tag === "Stopped"))
  return {
    address,
    token,
    // New workers would look for a scheduler that has ended, one life after the other.
    scale: (count) => Effect.raceFirst(workers.scale(count), Effect.andThen(gone, ClusterError.because("WorkersFailed", { detail: "the scheduler has ended" }))),
    logs: Effect.all({ own: log.all, scheduler: linesOf(scheduler), workers: workers.logs }).pipe(
      Effect.map(({ own, scheduler, workers }) => new Map([["cluster", own], ["scheduler", scheduler], ...workers]))
    ),
    shutdown: Effect.andThen(workers.stop, scheduler.stop),
    gone
  }
})

/** A child's life under a supervisor of its own, which has logged what went wrong when this ends. Of a nanny's child the nanny's status tells more. */
const supervised = <R>(child: Supervisor.Child<R>, intensity: number) =>
  Effect.ignore(Supervisor.supervise({ name: `supervisor of ${child.id}`, strategy: "one-for-one", intensity, children: [child] }))

/** Restarts of a nanny itself within OTP's five seconds: a defect of it may pass. */
const NANNY_INTENSITY = 1

const startScheduler = Effect.fnUntraced(function*(plan: Plan, directory: string, token: Redacted.Redacted<string>) {
  const listening = plan.listening._tag === "Tcp"
    ? { protocol: "tcp", host: plan.listening.host, port: plan.listening.port }
    : { protocol: "unix", path: socketIn(directory, "scheduler") }
  const nanny = yield* Nanny.make({
    name: "scheduler",
    entry: Entries.scheduler,
    nodeArgs: [`--max-old-space-size=${plan.schedulerHeapMiB ?? defaultHeapMiB()}`],
    config: { ...listening, token: Redacted.value(token) },
    image: Entries.all,
    policy: { intensity: 0 }
  })
  // At once: it is the first that the others need.
  yield* Effect.forkScoped(supervised(nanny.child, NANNY_INTENSITY), { startImmediately: true })
  return nanny
})

/** What the child said when it was up. */
const whenReady = (nanny: Nanny.Nanny): Effect.Effect<string, ClusterError> =>
  nanny.ready.pipe(
    Effect.mapError((gaveUp) =>
      ClusterError.because(gaveUp.logTail.some((line) => line.includes("EADDRINUSE")) ? "PortTaken" : "WorkersFailed", { detail: gaveUp.message })
    ),
    Effect.flatMap((said) => Effect.orDie(Schema.decodeUnknownEffect(Schema.String)(said)))
  )

const linesOf = (nanny: Nanny.Nanny): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(nanny.logs, (lines) => lines.map(({ text }) => text))

interface WorkersOptions extends Surroundings {
  readonly log: ClusterLog.ClusterLog
  readonly line: NannyLine.NannyLine
}

/** The workers: as many as were last asked for. */
const makeWorkers = Effect.fnUntraced(function*(options: WorkersOptions) {
  const { log } = options
  const fibers = yield* FiberMap.make<string>()
  const services = yield* Effect.context<ProcessSpawner>()
  /** In the order in which they were started. */
  const nannies = new Map<string, Nanny.Nanny>()
  /** The lines of those that have gone, the latest 32 workers. */
  const past = new Map<string, ReadonlyArray<string>>()
  const alone = yield* Semaphore.make(1)
  const stopping = yield* Deferred.make<never, ClusterError>()
  let named = 0

  const add = Effect.gen(function*() {
    const nanny = yield* makeWorkerNanny(options, `worker-${named++}`)
    nannies.set(nanny.name, nanny)
    yield* FiberMap.run(fibers, nanny.name, Effect.provideContext(supervised(nanny.child, NANNY_INTENSITY), services))
    return nanny
  })
  const remove = Effect.fnUntraced(function*(nanny: Nanny.Nanny) {
    yield* nanny.stop
    nannies.delete(nanny.name)
    past.set(nanny.name, yield* linesOf(nanny))
    if (past.size > 32) past.delete([...past.keys()][0]!)
    yield* FiberMap.remove(fibers, nanny.name)
  })
  const scale = Effect.fnUntraced(function*(count: number) {
    yield* Effect.fromResult(checkCount("workers", count, 0))
    if (count !== nannies.size) yield* log.add(`scaling from ${nannies.size} to ${count} workers`)
    yield* Effect.forEach([...nannies.values()].slice(count), remove, { concurrency: "unbounded", discard: true })
    const added: Array<Nanny.Nanny> = []
    while (nannies.size < count) added.push(yield* add)
    yield* Effect.forEach(added, whenReady, { concurrency: "unbounded", discard: true }).pipe(
      // Those that never came up are nobody's workers.
      Effect.onError(() => Effect.forEach(added, remove, { concurrency: "unbounded", discard: true }))
    )
  })
  return {
    scale: (count: number) => Effect.raceFirst(alone.withPermits(1)(scale(count)), Deferred.await(stopping)),
    // What is being scaled may never come up.
    stop: Effect.andThen(
      Deferred.fail(stopping, ClusterError.because("WorkersFailed", { detail: "the cluster is being shut down" })),
      alone.withPermits(1)(Effect.suspend(() => Effect.forEach([...nannies.values()], remove, { concurrency: "unbounded", discard: true })))
    ),
    logs: Effect.suspend(() => Effect.forEach([...nannies.values()], (nanny) => Effect.map(linesOf(nanny), (lines) => [nanny.name, lines] as const))).pipe(
      Effect.map((present) => [...past, ...present])
    ),
    endProcess: Effect.fnUntraced(function*(process: ProcessId, reason: string) {
      for (const nanny of nannies.values()) {
        if ((yield* nanny.process) === process) {
          yield* log.add(`ending ${nanny.name}: ${reason}`)
          yield* nanny.endNow(reason)
        }
      }
    })
  }
})

const makeWorkerNanny = (options: WorkersOptions, name: string) => {
  const { line, log } = options
  return Nanny.make({
    name,
    entry: Entries.worker,
    config: { ...workerConfig(options, name), nanny: "local-cluster" },
    image: Entries.all,
    onLife: line.watching,
    onExit: (report: ExitReport) =>
      Effect.andThen(line.exited(report), report.ended === "closed" ? Effect.void : log.add(`${name} ended: ${report.ended} ${report.detail}`))
  })
}
