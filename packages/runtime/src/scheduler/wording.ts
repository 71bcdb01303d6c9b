/**
 * Failures in words, for logs and explanations that a scheduler gives. It has not
 * loaded the modules of tasks, so what travels under the name of a codec stays
 * what it is made of.
 */
import * as Cause from "effect/Cause"
import { describeThrown, type Failure, TaskError } from "@skein/protocol/Failure"
import { decodeFailure } from "@skein/protocol/Raised"

/** Characters of an error that are told at most. */
const LONGEST = 500

/** One line, without what it is about: `threw on worker-0: Error: boom`. */
export const words = (failure: Failure, at: { readonly key: string; readonly task: string }): string => {
  const error = Cause.squash(decodeFailure(failure, { ...at, named: (_, encoded) => encoded }))
  const said = error instanceof TaskError ? error.reason.message : `failed with ${describe(error)}`
  const [first = ""] = said.split("\n")
  return first.length > LONGEST ? `${first.slice(0, LONGEST)}…` : first
}

/** A tag says more than the fields beside it. */
const describe = (error: unknown): string =>
  !(error instanceof Error) && typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : describeThrown(error)
