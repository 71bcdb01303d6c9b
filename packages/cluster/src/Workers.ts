/**
 * Worker processes under nannies of this one: those of a local cluster, and
 * those of `skein worker`.
 *
 *   nanny of each worker     starts it again, 5 times in a minute, and tells the scheduler how it ended
 *
 * Each stands under a supervisor of its own, for workers come and go.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Policy, Status } from "@skein/core/nanny/State"
import { ClusterError } from "@skein/protocol/Errors"
import type { ProcessId } from "@skein/protocol/Ids"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import type { ProcessSpawner } from "@skein/runtime/nanny/ChildProcess"
import * as Nanny from "@skein/runtime/nanny/Nanny"
import type * as ClusterLog from "./internal/clusterLog.ts"
import type * as NannyLine from "./internal/nannyLine.ts"
import { linesOf, NANNY_INTENSITY, supervised, whenReady } from "./internal/nannied.ts"
import * as Entries from "./node/Entries.ts"
import { checkCount } from "./Options.ts"

/** `memoryLimitBytes`: beyond 95 % of it the nanny ends the process. */
export interface Config {
  readonly [field: string]: Schema.Json
  readonly memoryLimitBytes: number | null
}

export interface Options {
  /** Names the first, second, … worker; no two alike. */
  readonly nameOf: (index: number) => string
  /** What the worker of this name is told: `WorkerConfig`, less what its nanny knows better. */
  readonly configOf: (name: string) => Config
  /** Called with each line that the worker of this name writes, as it comes; must not throw. @default nobody is told */
  readonly onLine?: (name: string) => (line: Nanny.LogLine) => void
  /** Added to the environment of each. @default nothing */
  readonly env?: Readonly<Record<string, string>>
  /** When and how often each is started again. @default core/nanny/State `defaultPolicy` */
  readonly policy?: Partial<Policy>
  readonly log: ClusterLog.ClusterLog
  readonly line: NannyLine.NannyLine
}

export interface Workers {
  /** Starts or ends workers until there are so many, and returns when the new ones are up. The youngest go first. */
  readonly scale: (count: number) => Effect.Effect<void, ClusterError>
  /** Waits until none of them runs and none is started again, each sent away by its scheduler; fails with the first that was given up by then. */
  readonly ended: Effect.Effect<void, ClusterError>
  /** Ends all, also those that are still coming up; whoever scales then, or later, fails with why. */
  readonly stop: (why: string) => Effect.Effect<void>
  /** Each worker's name → its last 1,000 lines, oldest first; of those that have gone, the latest 32. */
  readonly logs: Effect.Effect<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>
  /** Ends the life of this id, if it is one of theirs; the worker is started again. */
  readonly endProcess: (process: ProcessId, reason: string) => Effect.Effect<void>
}

/** Nobody runs before `scale`; all end, in order, with the scope. */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Workers, never, ProcessSpawner | Scope.Scope> {
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
    const nanny = yield* makeNanny(options, options.nameOf(named++))
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
    ended: Effect.suspend(() =>
      Effect.andThen(
        Effect.forEach([...nannies.values()], (nanny) => nanny.awaitStatus(isOver), { concurrency: "unbounded", discard: true }),
        Effect.forEach([...nannies.values()], (nanny) => Effect.flatMap(nanny.status, (status) => status._tag === "GivenUp" ? whenReady(nanny) : Effect.void), { discard: true })
      )
    ),
    // What is being scaled may never come up.
    stop: (why) => Effect.andThen(
      Deferred.fail(stopping, ClusterError.because("WorkersFailed", { detail: why })),
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

const isOver = ({ _tag }: Status) => _tag === "Stopped" || _tag === "GivenUp"

/**
 * Of a worker's memory, what the objects of its own thread may take. V8 lets a heap grow to its limit before it looks closely, and so
 * it has to be told of a lower one than the nanny's.
 */
const HEAP_RATIO = 0.75

const heapFlags = (memoryLimitBytes: number | null): ReadonlyArray<string> =>
  memoryLimitBytes === null ? [] : [`--max-old-space-size=${Math.floor(HEAP_RATIO * memoryLimitBytes / 2 ** 20)}`]

const makeNanny = ({ configOf, env, line, log, onLine, policy }: Options, name: string) => {
  const config = configOf(name)
  return Nanny.make({
    name,
    entry: Entries.worker,
    config,
    nodeArgs: heapFlags(config.memoryLimitBytes),
    ...(onLine === undefined ? {} : { onLine: onLine(name) }),
    ...(env === undefined ? {} : { env }),
    policy: { ...policy, memoryLimitBytes: config.memoryLimitBytes },
    image: Entries.all,
    onLife: line.watching,
    onExit: (report: ExitReport) =>
      Effect.andThen(line.exited(report), report.ended === "closed" ? Effect.void : log.add(`${name} ended: ${endIn(report)}`))
  })
}

/** How it ended, and what more is known; that mostly begins with how: "signal" and "signal SIGKILL". */
const endIn = ({ detail, ended }: ExitReport): string => detail.startsWith(ended) ? detail : `${ended} ${detail}`
