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
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ClusterError } from "@skein/protocol/Errors"
import * as SchedulerFile from "@skein/protocol/SchedulerFile"
import type { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import type { Sockets } from "@skein/runtime/worker/Sockets"
import { Hashing } from "@skein/transport/Hashing"
import { Directory, socketIn } from "./Directory.ts"
import * as ClusterLog from "./internal/clusterLog.ts"
import * as NannyLine from "./internal/nannyLine.ts"
import { linesOf, NANNY_INTENSITY, supervised, whenReady } from "./internal/nannied.ts"
import type { Parts } from "./internal/parts.ts"
import { makeFilter, unfolded } from "./internal/printing.ts"
import { listenAddress, schedulerConfig, workerConfig } from "./internal/workerConfig.ts"
import * as Entries from "./node/Entries.ts"
import * as LocalAddress from "./node/LocalAddress.ts"
import type { LogsFrom, Plan } from "./Options.ts"
import * as Workers from "./Workers.ts"

type Services = Directory | Hashing | ProcessSpawner | Scope.Scope | Sockets

/** Starts the scheduler and all workers; returns when every one of them is up. They end, in order, with the scope. */
export const start = Effect.fnUntraced(function*(plan: Plan): Effect.fn.Return<Parts, ClusterError, Services> {
  const files = yield* Directory
  const directory = yield* files.make
  if (plan.worker.localDirectory !== undefined) yield* files.ensure(plan.worker.localDirectory)
  const token = plan.scheduler.token ?? Redacted.make(Hex.encode((yield* Hashing).random(32)))
  const log = yield* ClusterLog.make
  const onLine = makePrinter(yield* Console.Console, plan.logsFrom)
  const line = yield* NannyLine.make
  // Closed last to first: the line, for nobody need hear of ends that are wished, the workers, the scheduler.
  const scheduler = yield* startScheduler(plan, directory, token, onLine("scheduler"))
  const address = plan.listening._tag === "Unix" ? listenAddress(plan, directory, "scheduler", 0) : yield* Effect.flatMap(whenReady(scheduler), LocalAddress.dialled)
  const workers = yield* Workers.make({
    nameOf: (index) => `worker-${index}`,
    configOf: (name) => ({ ...workerConfig({ plan, directory, token, address }, name), nanny: plan.name }),
    env: plan.worker.environment,
    onLine,
    log,
    line
  })
  const opened = yield* Latch.make()
  // It calls when it will be heard: whoever only tries again and again, at longer and longer intervals, comes late. Of a scheduler that
  // does not come up, its own failure tells.
  const speaking = Effect.matchEffect(whenReady(scheduler), {
    onFailure: () => Effect.void,
    onSuccess: () => Effect.orDie(line.run({ name: plan.name, address, token, timeoutMs: 30_000, endProcess: workers.endProcess, logs: workers.logs, onOpen: opened.open }))
  })
  yield* Effect.forkScoped(supervised({ id: "nanny line", start: speaking, restart: "transient" }, 0))
  // A scheduler that has not heard of the nannies would take its workers for such as nobody starts again. Its own failure says more
  // than that of the workers that cannot find it.
  yield* Effect.raceAllFirst([
    Effect.andThen(workers.scale(plan.workers), Effect.andThen(whenReady(scheduler), opened.await)),
    Effect.andThen(scheduler.awaitStatus(({ _tag }) => _tag === "GivenUp"), Effect.asVoid(whenReady(scheduler))),
    // With a short `idleTimeout` it may end again before the workers have come.
    Effect.andThen(whenReady(scheduler), Effect.andThen(scheduler.awaitStatus(({ _tag }) => _tag === "Stopped"), ClusterError.because("WorkersFailed", { detail: "the scheduler has ended" })))
  ])
  if (plan.scheduler.schedulerFile !== undefined) yield* files.keepFile(plan.scheduler.schedulerFile, SchedulerFile.format(address, token))
  yield* log.add(`${plan.name}: ${plan.workers} workers and the scheduler are up at ${address}`)
  const gone = Effect.asVoid(scheduler.awaitStatus(({ _tag }) => _tag === "GivenUp" || _tag === "Stopped"))
  // Workers would look for it, and their nannies start them again to do so.
  yield* Effect.forkScoped(Effect.andThen(gone, workers.stop("the scheduler has ended")))
  return {
    address,
    token,
    scale: workers.scale,
    logs: Effect.all({ own: log.all, scheduler: linesOf(scheduler), workers: workers.logs }).pipe(
      Effect.map(({ own, scheduler, workers }) => new Map([["cluster", own], ["scheduler", scheduler], ...workers]))
    ),
    // Their nannies start them again.
    revive: Effect.void,
    shutdown: Effect.andThen(workers.stop("the cluster is being shut down"), scheduler.stop),
    gone
  }
})

const startScheduler = Effect.fnUntraced(function*(plan: Plan, directory: string, token: Redacted.Redacted<string>, onLine: (line: Nanny.LogLine) => void) {
  const listening = plan.listening._tag === "Tcp"
    ? { protocol: "tcp", host: plan.listening.host, port: plan.listening.port }
    : { protocol: "unix", path: socketIn(directory, "scheduler") }
  const nanny = yield* Nanny.make({
    name: "scheduler",
    entry: Entries.scheduler,
    nodeArgs: [`--max-old-space-size=${plan.schedulerHeapMiB}`],
    config: { ...schedulerConfig(plan, token), ...listening },
    onLine,
    image: Entries.all,
    // By itself it ends in order only when nobody needs it any more.
    policy: { intensity: 0, restart: "transient" }
  })
  // At once: it is the first that the others need.
  yield* Effect.forkScoped(supervised(nanny.child, NANNY_INTENSITY), { startImmediately: true })
  return nanny
})

/** Prints lines of the part of this name, those from a level on, on this program's standard error. */
const makePrinter = (console: Console.Console, from: LogsFrom) => (name: string) => {
  const isPrinted = makeFilter(from)
  return (line: Nanny.LogLine): void => {
    if (isPrinted(line)) console.error(`[${name}] ${unfolded(line.text)}`)
  }
}
