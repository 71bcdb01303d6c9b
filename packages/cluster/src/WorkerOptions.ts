/**
 * What a worker may be told, and what that comes to.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { expectedResources, type Resources } from "@skein/protocol/Resources"
import * as MemoryLimit from "@skein/runtime/MemoryLimit"
import * as Address from "@skein/transport/Address"
import { boundHost, checkNames, count, millis, port, text, type Wrong, wrong } from "./internal/reading.ts"
import type { Machine } from "./Machine.ts"

export interface WorkerOptions {
  readonly name?: string
  /** Plain functions in progress at once. @default the number of cores */
  readonly threads?: number
  /** Effects and async functions in progress at once, counted apart from threads. @default 16 per thread */
  readonly fibers?: number
  /** Bytes, "2GiB", a fraction of the machine's memory up to 1, "auto" (all of it for one worker), or null or 0 for none. @default "auto" */
  readonly memoryLimit?: number | string | null
  /** What it offers to tasks that ask for it, e.g. `{ GPU: 2 }`. @default nothing */
  readonly resources?: Readonly<Record<string, number>>
  /** Where its data server listens. @default that of its connection to the scheduler */
  readonly host?: string
  /** 0: any free port. @default 0 */
  readonly port?: number
  /** Bind the address of this network interface instead of `host`. */
  readonly interface?: string
  /** What peers are told to dial, behind a proxy or in a container. @default the address listened on */
  readonly contactAddress?: string
  /** For its own files; made if it is not there. @default one of its own, which goes with it */
  readonly localDirectory?: string
  /** Set in its process's environment, before anything of it runs. @default nothing */
  readonly environment?: Readonly<Record<string, string>>
  /** null: no page of its own; the only one in this release. @default null */
  readonly dashboardAddress?: string | null
  /** Ends itself if it has not reached a scheduler by then. @default none */
  readonly deathTimeout?: Duration.Input
  /** How long its session may be resumed before its tasks are placed elsewhere. At most a minute. @default "5 seconds" */
  readonly resumeTimeout?: Duration.Input

  /** Not in this release, as what follows. */
  readonly lifetime?: { readonly duration: Duration.Input; readonly stagger?: Duration.Input; readonly restart?: boolean }
  readonly preload?: ReadonlyArray<URL | string>
}

/** Those that a `LocalCluster` takes under `worker`; the others are its own. */
export type LocalWorkerOptions = Omit<WorkerOptions, "name" | "threads" | "fibers" | "memoryLimit" | "resources">

/** What is said of any worker. */
export interface WorkerSettings {
  /** Undefined: beside its connection to the scheduler. */
  readonly host: string | undefined
  readonly port: number
  readonly contactAddress: string | null
  readonly localDirectory: string | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly deathMs: number | undefined
  readonly resumeMs: number
}

/** What is said of one worker besides. */
export interface OneWorkerSettings extends WorkerSettings {
  readonly name: string | undefined
  readonly nthreads: number
  readonly nfibers: number
  readonly memoryLimitBytes: number | null
  readonly resources: Resources
}

/** Fibers of one worker for each of its threads. */
export const FIBERS_PER_THREAD = 16
/** The longest time that schedulers of this version wait for a worker to come back. */
export const RESUME_LIMIT_MS = 60_000
/** How long a worker looks for its scheduler if nobody said: as long as anybody lives. Milliseconds. */
export const FOR_EVER_MS = 2 ** 40

const common = ["host", "port", "interface", "contactAddress", "localDirectory", "environment", "dashboardAddress", "deathTimeout", "resumeTimeout"]
export const workerKnown: ReadonlyArray<string> = ["name", "threads", "fibers", "memoryLimit", "resources", ...common]
export const workerLater: ReadonlyArray<string> = ["lifetime", "preload"]

/** The settings, or the first option that is wrong. Of the names whoever calls has to see that they are known. */
export const readWorker = (options: WorkerOptions, machine: Machine): Result.Result<OneWorkerSettings, Wrong> =>
  Result.gen(function*() {
    const settings = yield* readSettings(options, machine)
    const nthreads = yield* count("threads", options.threads ?? machine.cores, 1)
    const nfibers = yield* count("fibers", options.fibers ?? FIBERS_PER_THREAD * nthreads, 1)
    return {
      ...settings,
      name: yield* text("name", options.name),
      nthreads,
      nfibers,
      memoryLimitBytes: yield* memoryLimit(options.memoryLimit, machine, 1),
      resources: yield* resources(options.resources)
    }
  })

/** Those of all workers of a local cluster. */
export const readLocalWorker = (options: LocalWorkerOptions, machine: Machine): Result.Result<WorkerSettings, Wrong> =>
  Result.andThen(checkNames(options, common, workerLater), () => readSettings(options, machine))

const readSettings = (options: LocalWorkerOptions, machine: Machine): Result.Result<WorkerSettings, Wrong> =>
  Result.gen(function*() {
    const { contactAddress } = options
    if (options.dashboardAddress !== undefined && options.dashboardAddress !== null) yield* wrong("dashboardAddress", "can only be null in this release: no page")
    if (contactAddress !== undefined) {
      const parsed = Address.parse(contactAddress)
      if (Result.isFailure(parsed)) yield* wrong("contactAddress", `must be an address: ${parsed.failure.message}`)
    }
    const resumeMs = (yield* millis("resumeTimeout", options.resumeTimeout)) ?? 5_000
    if (resumeMs > RESUME_LIMIT_MS) yield* wrong("resumeTimeout", "must be a minute at most: no scheduler waits longer")
    const host = yield* boundHost(options, machine)
    if (contactAddress === undefined && (host === "0.0.0.0" || host === "::")) {
      yield* wrong("host", `is every address of this machine, and peers have to dial one: name that, or give \`contactAddress\``)
    }
    return {
      host,
      port: yield* port("port", options.port ?? 0),
      contactAddress: contactAddress === undefined ? null : Address.print(Result.getOrThrow(Address.parse(contactAddress))),
      localDirectory: yield* text("localDirectory", options.localDirectory),
      environment: yield* environment(options.environment),
      deathMs: yield* millis("deathTimeout", options.deathTimeout),
      resumeMs
    }
  })

/** In bytes; null: none. `workers`: how many share the machine. */
export const memoryLimit = (limit: WorkerOptions["memoryLimit"], { memoryBytes }: Machine, workers: number): Result.Result<number | null, Wrong> =>
  Result.mapError(MemoryLimit.parse(limit === undefined ? "auto" : limit, { machineBytes: memoryBytes, workers }), (why): Wrong => ({ option: "memoryLimit", why }))

export const resources = (offered: WorkerOptions["resources"]): Result.Result<Resources, Wrong> => {
  const expected = offered === undefined ? undefined : expectedResources(offered)
  return expected === undefined ? Result.succeed(offered ?? {}) : wrong("resources", `must be ${expected}`)
}

const environment = (said: WorkerOptions["environment"] = {}): Result.Result<Readonly<Record<string, string>>, Wrong> => {
  if (typeof said !== "object" || said === null || Array.isArray(said)) return wrong("environment", "must be texts by name, such as { LEVEL: \"3\" }")
  for (const [name, value] of Object.entries(said)) {
    if (!/^[^=\0]+$/.test(name)) return wrong("environment", `has the name ${JSON.stringify(name)}, which no variable can have`)
    if (typeof value !== "string" || value.includes("\0")) return wrong("environment", `must have a text for ${name}, got ${value === null ? "null" : typeof value}`)
  }
  return Result.succeed(said)
}
