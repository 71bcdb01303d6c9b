/**
 * What a client may be told, read once into settings in which nothing is
 * optional any more. What this version cannot do is refused by name.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ConnectError } from "@skein/protocol/Errors"
import { suggestion } from "@skein/protocol/Suggestion"
import * as Address from "@skein/transport/Address"

/** Paths of certificates. */
export interface TlsOptions {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface ClientOptions {
  /** `host:8786`, `tcp://host:8786` or `unix:/path`. */
  readonly address?: string
  /** Path of the file that the scheduler wrote; waited for while it is not there. Its token counts unless another is given. */
  readonly schedulerFile?: string
  /** Shown in the scheduler's logs, and to others whose key conflicts. @default a fresh one */
  readonly name?: string
  /** Limit on connecting. @default "30 seconds" */
  readonly timeout?: Duration.Input
  /** How long a session whose connection was lost may be resumed; after that, `SchedulerLost`. @default "60 seconds" */
  readonly resumeTimeout?: Duration.Input
  /** @default "5 seconds" */
  readonly heartbeatInterval?: Duration.Input
  /** Refused by this version. */
  readonly tls?: TlsOptions
  readonly token?: Redacted.Redacted<string>
  /** Fetch results from workers directly rather than through the scheduler. @default true where reachable */
  readonly directToWorkers?: boolean
  /** Connections open at once for fetching. @default 512 */
  readonly connectionLimit?: number
}

/** Where the scheduler is. */
export type Where =
  | { readonly _tag: "Address"; readonly address: string }
  /** As a file says that is there by the time. */
  | { readonly _tag: "File"; readonly path: string }

/** Options with every default filled in; milliseconds. */
export interface ClientSettings {
  readonly where: Where
  readonly name: string | undefined
  readonly timeoutMs: number
  readonly resumeMs: number
  readonly heartbeatMs: number
  readonly token: Redacted.Redacted<string> | undefined
  /** undefined: where workers can be reached. */
  readonly directToWorkers: boolean | undefined
  readonly connectionLimit: number
}

const known = [
  "address", "schedulerFile", "name", "timeout", "resumeTimeout", "heartbeatInterval", "token", "directToWorkers", "connectionLimit"
]
/** Later versions know these; the message says so instead of calling them mistakes. */
const later = ["tls"]

/** The settings, or the first option that is wrong. */
export const clientSettings = (options: ClientOptions): Result.Result<ClientSettings, ConnectError> => {
  const bad = (option: string, why: string) => Result.fail(badOption(options, option, why))
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || known.includes(option)) continue
    return bad(option, later.includes(option) ? NOT_YET : `is unknown${suggestion(option, known)}`)
  }
  const where = whereOf(options)
  if (Result.isFailure(where)) return Result.fail(where.failure)
  const durations: Record<string, number> = {}
  for (const [option, fallback] of [["timeout", 30_000], ["resumeTimeout", 60_000], ["heartbeatInterval", 5_000]] as const) {
    const ms = millisOf(options[option], fallback)
    if (ms === undefined) return bad(option, "must be a length of time above 0, such as \"30 seconds\"")
    durations[option] = ms
  }
  const { connectionLimit = 512, directToWorkers, name, token } = options
  if (!(Number.isSafeInteger(connectionLimit) && connectionLimit >= 1)) return bad("connectionLimit", "must be a whole number from 1")
  if (directToWorkers !== undefined && typeof directToWorkers !== "boolean") return bad("directToWorkers", "must be true or false")
  if (name !== undefined && (typeof name !== "string" || name === "" || name.length > 256)) return bad("name", "must be a text of 1 to 256 characters")
  if (token !== undefined && !Redacted.isRedacted(token)) return bad("token", "must be made with Redacted.make, so that no log shows it")
  return Result.succeed({
    where: where.success,
    name,
    timeoutMs: durations["timeout"]!,
    resumeMs: durations["resumeTimeout"]!,
    heartbeatMs: durations["heartbeatInterval"]!,
    token,
    directToWorkers,
    connectionLimit
  })
}

/** Goes on after the name of an option that a later version will know. */
export const NOT_YET = "is not in this release yet; leave it out"

/** One failure for every option that is wrong: which, and what to do. */
export const badOption = ({ address, schedulerFile }: Pick<ClientOptions, "address" | "schedulerFile">, option: string, why: string): ConnectError =>
  ConnectError.because("BadOption", address ?? schedulerFile ?? "", `\`${option}\` ${why}`)

const whereOf = (options: ClientOptions): Result.Result<Where, ConnectError> => {
  const { address = "", schedulerFile } = options
  if (schedulerFile !== undefined) {
    if (typeof schedulerFile !== "string" || schedulerFile === "") return Result.fail(badOption(options, "schedulerFile", "must be the path of a file"))
    if (options.address !== undefined) return Result.fail(badOption(options, "schedulerFile", "says where the scheduler is, and so does `address`: leave one of them out"))
    return Result.succeed({ _tag: "File", path: schedulerFile })
  }
  const parsed = Address.parse(address)
  return Result.isSuccess(parsed)
    ? Result.succeed({ _tag: "Address", address: Address.print(parsed.success) })
    : Result.fail(ConnectError.because("BadAddress", address, address === "" ? undefined : parsed.failure.detail))
}

/** Undefined if it is no length of time above 0. */
export const millisOf = (input: Duration.Input | undefined, fallback: number): number | undefined => {
  if (input === undefined) return fallback
  const duration = Duration.fromInput(input)
  const ms = Option.isSome(duration) ? Duration.toMillis(duration.value) : 0
  return ms > 0 ? ms : undefined
}
