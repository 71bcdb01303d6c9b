/**
 * What a client may be told, read once into settings in which nothing is
 * optional any more. What this version cannot do is refused by name.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ConnectError } from "@skein/protocol/Errors"
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
  /** Path of the file that the scheduler wrote. Refused by this version. */
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
  /** Refused by this version: results always come from workers directly. */
  readonly directToWorkers?: boolean
  /** Connections open at once for fetching. @default 512 */
  readonly connectionLimit?: number
}

/** Options with every default filled in; milliseconds. */
export interface ClientSettings {
  readonly address: string
  readonly name: string | undefined
  readonly timeoutMs: number
  readonly resumeMs: number
  readonly heartbeatMs: number
  readonly token: Redacted.Redacted<string> | undefined
  readonly connectionLimit: number
}

const known = ["address", "name", "timeout", "resumeTimeout", "heartbeatInterval", "token", "connectionLimit"]

/** The settings, or the first option that is wrong. */
export const clientSettings = (options: ClientOptions): Result.Result<ClientSettings, ConnectError> => {
  const address = options.address ?? ""
  const bad = (option: string, why: string) => Result.fail(ConnectError.because("BadOption", address, `\`${option}\` ${why}`))
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || known.includes(option)) continue
    return bad(option, notYet.has(option) ? "is not supported by this version; leave it out" : `is unknown; known are ${known.join(", ")}`)
  }
  const parsed = Address.parse(address)
  if (Result.isFailure(parsed)) return Result.fail(ConnectError.because("BadAddress", address, address === "" ? undefined : parsed.failure.detail))
  const durations: Record<string, number> = {}
  for (const [option, fallback] of [["timeout", 30_000], ["resumeTimeout", 60_000], ["heartbeatInterval", 5_000]] as const) {
    const ms = millisOf(options[option], fallback)
    if (ms === undefined) return bad(option, "must be a length of time above 0, such as \"30 seconds\"")
    durations[option] = ms
  }
  const { connectionLimit = 512, name, token } = options
  if (!(Number.isSafeInteger(connectionLimit) && connectionLimit >= 1)) return bad("connectionLimit", "must be a whole number from 1")
  if (name !== undefined && (typeof name !== "string" || name === "" || name.length > 256)) return bad("name", "must be a text of 1 to 256 characters")
  if (token !== undefined && !Redacted.isRedacted(token)) return bad("token", "must be made with Redacted.make, so that no log shows it")
  return Result.succeed({
    address: Address.print(parsed.success),
    name,
    timeoutMs: durations["timeout"]!,
    resumeMs: durations["resumeTimeout"]!,
    heartbeatMs: durations["heartbeatInterval"]!,
    token,
    connectionLimit
  })
}

const notYet: ReadonlySet<string> = new Set(["schedulerFile", "tls", "directToWorkers"])

/** Undefined if it is no length of time above 0. */
const millisOf = (input: Duration.Input | undefined, fallback: number): number | undefined => {
  if (input === undefined) return fallback
  const duration = Duration.fromInput(input)
  const ms = Option.isSome(duration) ? Duration.toMillis(duration.value) : 0
  return ms > 0 ? ms : undefined
}
