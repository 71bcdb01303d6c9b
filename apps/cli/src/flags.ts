/**
 * Flags that several commands have, and how failures become messages.
 */
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** The cluster's token; none unless the flag is given. From a file, because a command line is visible to every user of the machine. */
export const tokenFile = Flag.FileText("token-file").pipe(
  Flag.filterMap(
    (text) => text.trim() === "" ? Option.none() : Option.some(Redacted.make(text.trim())),
    () => "the file is empty; it must hold the cluster's token"
  ),
  Flag.withMetavar("FILE"),
  Flag.withDescription("File that holds the cluster's token, and nobody else may read"),
  Flag.optional
)

/** What the user reads in place of a stack: the error's own message. */
export const explained = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, CliError.UserError, R> =>
  Effect.mapError(effect, (error) => new CliError.UserError({ cause: error, userMessage: error.message }))

/** Refuses a number outside of the range, ends included. */
export const within = (least: number, most: number): (flag: Flag.Flag<number>) => Flag.Flag<number> =>
  Flag.filter((n) => n >= least && n <= most, () => `a number from ${least} to ${most}`)
