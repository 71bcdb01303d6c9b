/**
 * How a command ends: its exit code, and what is told of a failure.
 *
 *   0    it has done what it was asked for
 *   1    what it ran has failed: a program, a cluster, a simulation
 *   2    it was asked for something that cannot be, and nothing was begun
 *   3    there is no scheduler where it looked for one, or it was not let in
 *   130  ended by Ctrl-C (SIGINT), 143 by SIGTERM; in good order, unless that came twice
 *
 * A failure is told once, on standard error, by the message that it has for
 * whoever reads it; only what nobody has foreseen comes with its stack.
 */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Schema from "effect/Schema"

/** The command line asks for something that cannot be. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

/** What a command ran has failed, and this is all that there is to be said. */
export class Found extends Schema.TaggedError<Found>()("Found", { message: Schema.String }) {}

export interface Failing {
  readonly code: number
  /** Undefined: it has been told already. */
  readonly text: string | undefined
}

/** What is to be said of a failure; of one that is an interruption only, nothing. */
export const failing = (cause: Cause.Cause<unknown>): Failing => {
  if (Cause.hasInterruptsOnly(cause)) return { code: 1, text: undefined }
  if (Cause.hasDies(cause)) return { code: 1, text: Cause.pretty(cause) }
  const error = Cause.squash(cause)
  if (CliError.isCliError(error)) return error._tag === "ShowHelp" ? { code: error.errors.length === 0 ? 0 : 2, text: undefined } : { code: 2, text: said(error) }
  const { _tag: tag, reason } = typeof error === "object" && error !== null ? error as { readonly _tag?: unknown; readonly reason?: unknown } : {}
  switch (tag) {
    case "Found":
      return { code: 1, text: messageOf(error) }
    case "Refused":
      return { code: 2, text: said(error) }
    case "ConnectError":
      return { code: reason === "BadAddress" || reason === "BadOption" ? 2 : 3, text: said(error) }
    case "ClusterError":
      return { code: reason === "BadOption" ? 2 : 1, text: said(error) }
    default:
      return { code: 1, text: said(error) }
  }
}

const messageOf = (error: unknown): string => error instanceof Error && error.message !== "" ? error.message : String(error)
const said = (error: unknown): string => `✖ ${messageOf(error)}`
