/**
 * What a local cluster may be told, and what that comes to.
 *
 * Options are read once, here, into a `Plan` in which nothing is optional any
 * more. What this release cannot do is refused by name: an option that was
 * accepted and ignored would be believed.
 */
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ClusterError } from "@skein/protocol/Errors"
import { suggestion } from "@skein/protocol/Suggestion"

/** Modules, imported by the worker: every exported `Task.fn` and every exported layer of contracts counts. Or such a layer, which each worker builds afresh. */
export type Tasks<E = never, R = never> = URL | string | ReadonlyArray<URL | string> | Layer.Layer<never, E, R>

export interface LocalClusterOptions<E = never, R = never> {
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
  /** null: no limit; the only one in this release. @default null */
  readonly memoryLimit?: number | string | null
  /** @default "unix", a socket in a directory of mode 0700; "tcp" where a host or port is given */
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
  /** null: none; the only one in this release. @default null */
  readonly dashboardAddress?: string | null

  /** Not in this release, as all that follow: they fail with "BadOption". */
  readonly name?: string
  readonly resources?: Readonly<Record<string, number>>
  readonly worker?: Readonly<Record<string, unknown>>
  readonly scheduler?: Readonly<Record<string, unknown>>
  readonly interface?: string
  readonly security?: boolean | Readonly<Record<string, string>>
  readonly dashboardPrefix?: string
  readonly adapt?: { readonly minimum?: number; readonly maximum: number; readonly interval?: Duration.Input }
  readonly journal?: string
  readonly blockedHandlers?: ReadonlyArray<string>
  readonly silenceLogs?: "Debug" | "Info" | "Warn" | "Error" | "None"
  readonly token?: Redacted.Redacted<string>
}

/** Where the scheduler listens. */
export type Listening =
  | { readonly _tag: "Unix" }
  | { readonly _tag: "Tcp"; readonly host: string; readonly port: number }
  | { readonly _tag: "Inproc" }

/** Options with every default filled in. */
export interface Plan<E = never, R = never> {
  readonly workers: number
  readonly threadsPerWorker: number
  readonly fibersPerWorker: number
  readonly processes: boolean
  /** URLs of modules. */
  readonly modules: ReadonlyArray<string>
  /** Contracts built from a layer of this process; with `processes: false` only. */
  readonly layer: Layer.Layer<never, E, R> | undefined
  /** Of the scheduler's process; undefined: the default. */
  readonly schedulerHeapMiB: number | undefined
  readonly listening: Listening
}

/** What the machine offers, for the defaults. */
export interface Machine {
  /** Cores this process may use. */
  readonly cores: number
  /** The folder from which relative paths of modules are meant, as a URL that ends in a slash. */
  readonly folder: string
}

const known = [
  "workers", "threadsPerWorker", "fibersPerWorker", "processes", "tasks", "memoryLimit", "protocol", "host", "schedulerPort", "schedulerHeap", "dashboardAddress"
] as const

/** Later releases know these; the message says so instead of calling them mistakes. */
const later = [
  "name", "resources", "worker", "scheduler", "interface", "security", "dashboardPrefix", "adapt", "journal", "blockedHandlers", "silenceLogs"
] as const

/** Fibers of one worker for each of its threads. */
const FIBERS_PER_THREAD = 16

/**
 * The plan, or the first option that is wrong.
 *
 * Source of the numbers: dask.distributed `deploy/local.py` and `deploy/utils.py`, `nprocesses_nthreads`.
 */
export const plan = <E, R>(options: LocalClusterOptions<E, R>, machine: Machine): Result.Result<Plan<E, R>, ClusterError> => {
  for (const option of Object.keys(options)) {
    if ((known as ReadonlyArray<string>).includes(option)) continue
    if (options[option as keyof LocalClusterOptions] === undefined) continue
    return bad(option, (later as ReadonlyArray<string>).includes(option)
      ? "is not in this release yet; leave it out"
      : `is unknown${suggestion(option, known)}`)
  }
  const processes = options.processes ?? true
  const counted = counts(options, processes, machine.cores)
  if (Result.isFailure(counted)) return Result.fail(counted.failure)
  const listening = listen(options, processes)
  if (Result.isFailure(listening)) return Result.fail(listening.failure)
  const heap = schedulerHeap(options.schedulerHeap, processes)
  if (Result.isFailure(heap)) return Result.fail(heap.failure)
  const schedulerHeapMiB = heap.success
  if (options.memoryLimit !== undefined && options.memoryLimit !== null) {
    return bad("memoryLimit", "can only be null in this release: no limit")
  }
  if (options.dashboardAddress !== undefined && options.dashboardAddress !== null) {
    return bad("dashboardAddress", "can only be null in this release: no dashboard")
  }
  const tasks = options.tasks
  if (Layer.isLayer(tasks)) {
    return processes
      ? bad("tasks", "is a layer, which cannot travel to another process; give the URL of the module that exports it, or `processes: false`")
      : Result.succeed({ ...counted.success, processes, modules: [], layer: tasks as Layer.Layer<never, E, R>, listening: listening.success, schedulerHeapMiB })
  }
  const modules = moduleUrls(tasks as Exclude<Tasks, Layer.Layer<never>> | undefined, machine.folder)
  if (Result.isFailure(modules)) return Result.fail(modules.failure)
  return Result.succeed({ ...counted.success, processes, modules: modules.success, layer: undefined, listening: listening.success, schedulerHeapMiB })
}

const schedulerHeap = (bytes: number | undefined, processes: boolean): Result.Result<number | undefined, ClusterError> => {
  if (bytes === undefined) return Result.succeed(undefined)
  if (!processes) return bad("schedulerHeap", "needs a scheduler with a process of its own: leave `processes: false` out, or give this process `--max-old-space-size`")
  const mebibytes = Math.floor(bytes / 2 ** 20)
  return mebibytes >= 64 && mebibytes < 2 ** 22 ? Result.succeed(mebibytes) : bad("schedulerHeap", `must be a number of bytes, 64 MiB at least, got ${bytes}`)
}

/** One failure for every option that is wrong: which, and what to do. */
const badOption = (option: string, why: string): ClusterError => ClusterError.because("BadOption", { option, detail: `\`${option}\` ${why}` })
const bad = (option: string, why: string) => Result.fail(badOption(option, why))

/** A number of workers, threads or fibers. */
export const checkCount = (option: string, count: number, least: number): Result.Result<number, ClusterError> =>
  Number.isSafeInteger(count) && count >= least && count <= 10_000
    ? Result.succeed(count)
    : bad(option, `must be a whole number from ${least} to 10,000, got ${count}`)

type Counts = Pick<Plan, "workers" | "threadsPerWorker" | "fibersPerWorker">

const counts = (
  options: Pick<LocalClusterOptions, "workers" | "threadsPerWorker" | "fibersPerWorker">,
  processes: boolean,
  cores: number
): Result.Result<Counts, ClusterError> => {
  for (const [option, least] of [["workers", 0], ["threadsPerWorker", 1], ["fibersPerWorker", 1]] as const) {
    const checked = checkCount(option, options[option] ?? least, least)
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
  { host, protocol, schedulerPort }: Pick<LocalClusterOptions, "host" | "protocol" | "schedulerPort">,
  processes: boolean
): Result.Result<Listening, ClusterError> => {
  const tcp = protocol === "tcp" || (protocol === undefined && (host !== undefined || schedulerPort !== undefined))
  if (tcp) {
    const port = schedulerPort ?? 0
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) return bad("schedulerPort", `must be a port from 0 to 65,535, got ${port}`)
    if (host === "") return bad("host", "must name an address, such as 127.0.0.1")
    return Result.succeed({ _tag: "Tcp", host: host ?? "127.0.0.1", port })
  }
  if (host !== undefined) return bad("host", `needs \`protocol: "tcp"\`, and the protocol is "${protocol}"`)
  if (schedulerPort !== undefined) return bad("schedulerPort", `needs \`protocol: "tcp"\`, and the protocol is "${protocol}"`)
  switch (protocol) {
    case undefined:
    case "unix":
      return Result.succeed({ _tag: "Unix" })
    case "inproc":
      return processes ? bad("protocol", "\"inproc\" needs `processes: false`: other processes cannot reach it") : Result.succeed({ _tag: "Inproc" })
    default:
      return bad("protocol", `must be "tcp", "unix" or "inproc", got ${JSON.stringify(protocol)}`)
  }
}

const moduleUrls = (
  tasks: URL | string | ReadonlyArray<URL | string> | undefined,
  folder: string
): Result.Result<ReadonlyArray<string>, ClusterError> => {
  if (tasks === undefined) return Result.succeed([])
  const urls: Array<string> = []
  for (const task of Array.isArray(tasks) ? tasks as ReadonlyArray<URL | string> : [tasks as URL | string]) {
    const url = typeof task === "string" ? (URL.canParse(task) ? new URL(task) : new URL(task, folder)) : task
    if (url.protocol !== "file:") return bad("tasks", `must be files, got ${url.href}`)
    urls.push(url.href)
  }
  return Result.succeed(urls)
}
