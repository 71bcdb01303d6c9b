/**
 * What a local cluster may be told, and what that comes to.
 *
 * Options are read once, here, into a `Plan` in which nothing is optional any
 * more. What this release cannot do is refused by name: an option that was
 * accepted and ignored would be believed.
 */
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { AdaptOptions } from "@skein/client/Cluster"
import { ClusterError } from "@skein/protocol/Errors"
import type { Resources } from "@skein/protocol/Resources"
import * as MemoryLimit from "@skein/runtime/MemoryLimit"
import { boundHost, checkNames, count, port, readTasks, type Tasks, text, within, type Wrong, wrong } from "./internal/reading.ts"
import type { Machine } from "./Machine.ts"
import { type Listening, type LocalSchedulerOptions, readLocalScheduler, type SchedulerSettings } from "./SchedulerOptions.ts"
import { FIBERS_PER_THREAD, type LocalWorkerOptions, memoryLimit, readLocalWorker, resources, type WorkerSettings } from "./WorkerOptions.ts"

export type { Machine } from "./Machine.ts"
export type { Tasks } from "./internal/reading.ts"

/** From which level on what schedulers and workers log is printed. */
export type LogsFrom = "Debug" | "Info" | "Warn" | "Error" | "None"

export interface LocalClusterOptions<E = never, R = never> {
  /** Shown in logs, and as the nanny of its workers. @default "local-cluster" */
  readonly name?: string
  /** @default from the number of cores */
  readonly workers?: number
  /** Plain functions in progress at once per worker. @default from the number of cores */
  readonly threadsPerWorker?: number
  /** Effects and async functions in progress at once per worker, counted apart from threads. @default 16 per thread */
  readonly fibersPerWorker?: number
  /** Each worker in its own process, under a nanny, or all as fibers of this one. @default true */
  readonly processes?: boolean
  /** A layer only with `processes: false`. */
  readonly tasks?: Tasks<E, R>
  /**
   * Per worker: bytes, "2GiB", a fraction of the machine's memory up to 1, "auto" (an even share), or null or 0 for none. A worker's
   * nanny ends it at 95 % of it; with `processes: false` there are no nannies, and it is only shown. @default "auto"
   */
  readonly memoryLimit?: number | string | null
  /** What each worker offers to tasks that ask for it, e.g. `{ GPU: 1 }`. @default nothing */
  readonly resources?: Readonly<Record<string, number>>
  /** Further options of every worker. */
  readonly worker?: LocalWorkerOptions
  /** Further options of the scheduler. */
  readonly scheduler?: LocalSchedulerOptions
  /** @default "unix", a socket in a directory of mode 0700; "tcp" where a host, port or interface is given */
  readonly protocol?: "tcp" | "unix" | "inproc"
  /**
   * The limit of the scheduler's heap, in bytes; nearly there, it refuses new tasks with `Overloaded`. Counts in whole MiB, 64 at
   * least; with `processes: false` there is no such limit. @default half of the machine's memory, from 512 MiB to 16 GiB
   */
  readonly schedulerHeap?: number
  /** With TCP. @default "127.0.0.1" */
  readonly host?: string
  /** With TCP; 0: any free port. @default 0 */
  readonly schedulerPort?: number
  /** Bind the address of this network interface instead of `host`. */
  readonly interface?: string
  /** null: none; the only one in this release. @default null */
  readonly dashboardAddress?: string | null
  /** Lines below this level are kept for `logs` and not printed. @default "Warn" */
  readonly silenceLogs?: LogsFrom

  /** Not in this release, as all that follow: they fail with "BadOption". */
  readonly security?: boolean | Readonly<Record<string, string>>
  readonly dashboardPrefix?: string
  readonly adapt?: AdaptOptions
  readonly journal?: string
  readonly blockedHandlers?: ReadonlyArray<string>
}

/** Options with every default filled in. */
export interface Plan<E = never, R = never> {
  readonly name: string
  readonly workers: number
  readonly threadsPerWorker: number
  readonly fibersPerWorker: number
  /** Of each worker, in bytes; null: none. */
  readonly memoryLimitBytes: number | null
  /** Of each worker. */
  readonly resources: Resources
  readonly processes: boolean
  /** URLs of modules. */
  readonly modules: ReadonlyArray<string>
  /** Contracts built from a layer of this process; with `processes: false` only. */
  readonly layer: Layer.Layer<never, E, R> | undefined
  /** Of the scheduler's process, if it has one of its own. */
  readonly schedulerHeapMiB: number
  readonly listening: Listening
  readonly scheduler: SchedulerSettings
  readonly worker: WorkerSettings
  readonly logsFrom: LogsFrom
}

const known = [
  "name", "workers", "threadsPerWorker", "fibersPerWorker", "processes", "tasks", "memoryLimit", "resources", "worker", "scheduler", "protocol", "host",
  "schedulerPort", "interface", "schedulerHeap", "dashboardAddress", "silenceLogs"
]
/** Later releases know these; the message says so instead of calling them mistakes. */
const later = ["security", "dashboardPrefix", "adapt", "journal", "blockedHandlers"]

const levels: ReadonlyArray<LogsFrom> = ["Debug", "Info", "Warn", "Error", "None"]

/**
 * The plan, or the first option that is wrong.
 *
 * Source of the numbers: dask.distributed `deploy/local.py` and `deploy/utils.py`, `nprocesses_nthreads`.
 */
export const plan = <E, R>(options: LocalClusterOptions<E, R>, machine: Machine): Result.Result<Plan<E, R>, ClusterError> =>
  Result.mapError(read(options, machine), badOption)

/** One failure for every option that is wrong: which, and what to do. */
export const badOption = ({ option, why }: Wrong): ClusterError => ClusterError.because("BadOption", { option, detail: `\`${option}\` ${why}` })

/** A number of workers that somebody asks for. */
export const checkCount = (option: string, value: number, least: number): Result.Result<number, ClusterError> =>
  Result.mapError(count(option, value, least), badOption)

const read = <E, R>(options: LocalClusterOptions<E, R>, machine: Machine): Result.Result<Plan<E, R>, Wrong> =>
  Result.gen(function*() {
    yield* checkNames(options, known, later)
    const { dashboardAddress, processes = true, silenceLogs = "Warn" } = options
    if (typeof processes !== "boolean") yield* wrong("processes", "must be true or false")
    if (dashboardAddress !== undefined && dashboardAddress !== null) yield* wrong("dashboardAddress", "can only be null in this release: no dashboard")
    if (!levels.includes(silenceLogs)) yield* wrong("silenceLogs", `must be one of ${levels.join(", ")}, got ${JSON.stringify(silenceLogs)}`)
    const counted = yield* counts(options, processes, machine.cores)
    const listening = yield* listen(options, processes, machine)
    const { layer, modules } = yield* readTasks(options.tasks, machine)
    if (layer !== undefined && processes) {
      yield* wrong("tasks", "is a layer, which cannot travel to another process; give the URL of the module that exports it, or `processes: false`")
    }
    return {
      ...counted,
      name: (yield* text("name", options.name)) ?? "local-cluster",
      memoryLimitBytes: yield* memoryLimit(options.memoryLimit, machine, counted.workers),
      resources: yield* resources(options.resources),
      processes,
      modules,
      layer,
      schedulerHeapMiB: yield* schedulerHeap(options.schedulerHeap, processes, machine),
      listening,
      scheduler: yield* Result.mapError(readLocalScheduler(options.scheduler ?? {}), within("scheduler")),
      worker: yield* Result.mapError(readAllWorkers(options.worker ?? {}, machine, listening, counted.workers), within("worker")),
      logsFrom: silenceLogs
    }
  })

const schedulerHeap = (bytes: number | undefined, processes: boolean, machine: Machine): Result.Result<number, Wrong> => {
  if (bytes === undefined) return Result.succeed(MemoryLimit.defaultHeapMiB(machine.memoryBytes))
  if (!processes) return wrong("schedulerHeap", "needs a scheduler with a process of its own: leave `processes: false` out, or give this process `--max-old-space-size`")
  const mebibytes = Math.floor(bytes / 2 ** 20)
  return mebibytes >= 64 && mebibytes < 2 ** 22 ? Result.succeed(mebibytes) : wrong("schedulerHeap", `must be a number of bytes, 64 MiB at least, got ${bytes}`)
}

/** What all workers are told has to fit all of them. */
const readAllWorkers = (options: LocalWorkerOptions, machine: Machine, listening: Listening, workers: number): Result.Result<WorkerSettings, Wrong> =>
  Result.gen(function*() {
    const settings = yield* readLocalWorker(options, machine)
    if (listening._tag !== "Tcp") {
      for (const option of ["host", "port", "interface"] as const) {
        if (options[option] !== undefined) yield* wrong(option, "needs `protocol: \"tcp\"`: workers listen as their scheduler does")
      }
    }
    if (workers > 1 && settings.port > 0) yield* wrong("port", `is one port, and there are ${workers} workers: leave it out, and each takes a free one`)
    if (workers > 1 && settings.contactAddress !== null) yield* wrong("contactAddress", `is one address, and there are ${workers} workers`)
    return settings
  })

type Counts = Pick<Plan, "workers" | "threadsPerWorker" | "fibersPerWorker">

const counts = (
  options: Pick<LocalClusterOptions, "workers" | "threadsPerWorker" | "fibersPerWorker">,
  processes: boolean,
  cores: number
): Result.Result<Counts, Wrong> => {
  for (const [option, least] of [["workers", 0], ["threadsPerWorker", 1], ["fibersPerWorker", 1]] as const) {
    const checked = count(option, options[option] ?? least, least)
    if (Result.isFailure(checked)) return Result.fail(checked.failure)
  }
  const preferred = breakdown(cores)
  const workers = options.workers ??
    (options.threadsPerWorker !== undefined
      ? (processes ? Math.max(1, Math.floor(cores / options.threadsPerWorker)) : 1)
      : processes ? preferred.workers : 1)
  const threadsPerWorker = options.threadsPerWorker ??
    (options.workers !== undefined ? Math.max(1, Math.ceil(cores / Math.max(1, workers))) : processes ? preferred.threads : cores)
  return Result.succeed({ workers, threadsPerWorker, fibersPerWorker: options.fibersPerWorker ?? FIBERS_PER_THREAD * threadsPerWorker })
}

/** Up to four cores a worker each; from there on about as many workers as threads in each. */
const breakdown = (cores: number): { readonly workers: number; readonly threads: number } => {
  if (cores <= 4) return { workers: cores, threads: 1 }
  let workers = Math.ceil(Math.sqrt(cores))
  while (cores % workers !== 0) workers++
  return { workers, threads: cores / workers }
}

const listen = (
  options: Pick<LocalClusterOptions, "host" | "protocol" | "schedulerPort" | "interface">,
  processes: boolean,
  machine: Machine
): Result.Result<Listening, Wrong> =>
  Result.gen(function*() {
    const { protocol, schedulerPort } = options
    const host = yield* boundHost(options, machine)
    if (protocol === "tcp" || (protocol === undefined && (host !== undefined || schedulerPort !== undefined))) {
      return { _tag: "Tcp", host: host ?? "127.0.0.1", port: yield* port("schedulerPort", schedulerPort ?? 0) } as const
    }
    if (protocol !== undefined && protocol !== "unix" && protocol !== "inproc") {
      return yield* wrong("protocol", `must be "tcp", "unix" or "inproc", got ${JSON.stringify(protocol)}`)
    }
    for (const option of ["host", "schedulerPort", "interface"] as const) {
      if (options[option] !== undefined) yield* wrong(option, `needs \`protocol: "tcp"\`, and the protocol is "${protocol}"`)
    }
    if (protocol !== "inproc") return { _tag: "Unix" } as const
    return processes ? yield* wrong("protocol", "\"inproc\" needs `processes: false`: other processes cannot reach it") : { _tag: "Inproc" } as const
  })
