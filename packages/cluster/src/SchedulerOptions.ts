/**
 * What a scheduler may be told, and what that comes to.
 */
import type * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { isLoopback } from "@skein/runtime/scheduler/SchedulerConfig"
import { boundHost, checkNames, count, millis, port, text, type Wrong, wrong } from "./internal/reading.ts"
import type { Machine } from "./Machine.ts"

export interface SchedulerOptions {
  /** @default "127.0.0.1" */
  readonly host?: string
  /** 0: any free port. @default 8786 */
  readonly port?: number
  /** Bind the address of this network interface instead of `host`. */
  readonly interface?: string
  /** "unix": a socket in a directory of mode 0700; "inproc": for who runs in this program. @default "tcp" */
  readonly protocol?: "tcp" | "unix" | "inproc"
  /** Where to write the address for clients and workers, and the token if there is one: nobody else can read it. Removed at the end. */
  readonly schedulerFile?: string
  /** What clients and workers must show; a host beyond loopback needs one. @default random in a `LocalCluster`, else none */
  readonly token?: Redacted.Redacted<string>
  /** Check all invariants after every batch; one that is broken ends the scheduler. @default false */
  readonly validate?: boolean
  /** How many workers a task may end while executing; one more, and it fails with `KilledWorker`. @default 3 (it ends on the 4th) */
  readonly allowedFailures?: number
  /** A worker silent for so long is lost. @default "5 minutes" */
  readonly workerTtl?: Duration.Input
  /** Ends itself after so long without work, even if clients are connected. @default none */
  readonly idleTimeout?: Duration.Input
  /** Tasks that no connected worker can run for so long fail with `NoEligibleWorker`. @default none */
  readonly noWorkersTimeout?: Duration.Input
  /** null: none; the only one in this release. @default null */
  readonly dashboardAddress?: string | null

  /** Not in this release, as all that follow. */
  readonly security?: boolean | Readonly<Record<string, string>>
  readonly dashboardPrefix?: string
  readonly journal?: string
  readonly preload?: ReadonlyArray<URL | string>
  /** Queued root tasks per thread; Infinity turns queuing off. */
  readonly workerSaturation?: number
  readonly workStealing?: boolean
}

/** Those that a `LocalCluster` takes under `scheduler`; the others are its own. */
export type LocalSchedulerOptions = Omit<SchedulerOptions, "host" | "port" | "interface" | "protocol" | "security" | "dashboardAddress" | "dashboardPrefix" | "journal">

/** Where a scheduler or a worker listens. */
export type Listening =
  | { readonly _tag: "Unix" }
  | { readonly _tag: "Tcp"; readonly host: string; readonly port: number }
  | { readonly _tag: "Inproc" }

/** The fields of `SchedulerConfig` that options speak of; plain JSON, as its process reads it. What nobody said is missing. */
export interface SchedulerTuning {
  readonly validate?: boolean
  readonly allowedFailures?: number
  readonly workerTtlMs?: number
  readonly idleTimeoutMs?: number
  readonly noWorkersTimeoutMs?: number
}

/** What is said of a scheduler, wherever it listens. */
export interface SchedulerSettings {
  readonly schedulerFile: string | undefined
  readonly token: Redacted.Redacted<string> | undefined
  readonly tuning: SchedulerTuning
}

const common = ["schedulerFile", "token", "validate", "allowedFailures", "workerTtl", "idleTimeout", "noWorkersTimeout"]
const commonLater = ["preload", "workerSaturation", "workStealing"]

/** The settings and where to listen, or the first option that is wrong. */
export const readScheduler = (
  options: SchedulerOptions,
  machine: Machine
): Result.Result<SchedulerSettings & { readonly listening: Listening }, Wrong> =>
  Result.gen(function*() {
    yield* checkNames(options, ["host", "port", "interface", "protocol", "dashboardAddress", ...common], [...commonLater, "security", "journal", "dashboardPrefix"])
    if (options.dashboardAddress !== undefined && options.dashboardAddress !== null) yield* wrong("dashboardAddress", "can only be null in this release: no dashboard")
    const settings = yield* readSettings(options)
    const host = yield* boundHost(options, machine)
    const { protocol = "tcp" } = options
    if (protocol !== "tcp" && protocol !== "unix" && protocol !== "inproc") return yield* wrong("protocol", `must be "tcp", "unix" or "inproc", got ${JSON.stringify(protocol)}`)
    if (protocol !== "tcp") {
      for (const option of ["host", "port", "interface"] as const) {
        if (options[option] !== undefined) yield* wrong(option, `needs \`protocol: "tcp"\`, and the protocol is "${protocol}"`)
      }
      return { ...settings, listening: protocol === "unix" ? { _tag: "Unix" as const } : { _tag: "Inproc" as const } }
    }
    const listening = { _tag: "Tcp" as const, host: host ?? "127.0.0.1", port: yield* port("port", options.port ?? 8_786) }
    if (settings.token === undefined && !isLoopback(listening.host)) {
      yield* wrong("token", `is missing: others can reach ${listening.host}, and could run code on the workers. Give a token, or listen on 127.0.0.1`)
    }
    return { ...settings, listening }
  })

/** Those of a scheduler that is a part of a local cluster. */
export const readLocalScheduler = (options: LocalSchedulerOptions): Result.Result<SchedulerSettings, Wrong> =>
  Result.andThen(checkNames(options, common, commonLater), () => readSettings(options))

const readSettings = (options: LocalSchedulerOptions): Result.Result<SchedulerSettings, Wrong> =>
  Result.gen(function*() {
    const { allowedFailures, token, validate } = options
    const schedulerFile = yield* text("schedulerFile", options.schedulerFile)
    if (token !== undefined && !(Redacted.isRedacted(token) && typeof Redacted.value(token) === "string" && Redacted.value(token) !== "")) {
      yield* wrong("token", "must be a text made with Redacted.make, so that no log shows it")
    }
    if (validate !== undefined && typeof validate !== "boolean") yield* wrong("validate", "must be true or false")
    if (allowedFailures !== undefined) yield* count("allowedFailures", allowedFailures, 0)
    const workerTtlMs = yield* millis("workerTtl", options.workerTtl)
    const idleTimeoutMs = yield* millis("idleTimeout", options.idleTimeout)
    const noWorkersTimeoutMs = yield* millis("noWorkersTimeout", options.noWorkersTimeout)
    return {
      schedulerFile,
      token,
      tuning: {
        ...(validate === undefined ? {} : { validate }),
        ...(allowedFailures === undefined ? {} : { allowedFailures }),
        ...(workerTtlMs === undefined ? {} : { workerTtlMs }),
        ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
        ...(noWorkersTimeoutMs === undefined ? {} : { noWorkersTimeoutMs })
      }
    }
  })
