/**
 * What a submission carries: tasks, the edges between them, and the code they call.
 *
 * The client names what it submits by its own numbers (`Ref`, `CodeRef`), so an
 * edge costs a few bytes and nobody can name what is not his. A graph may come
 * in several messages; nothing of it starts before the one that says `last`,
 * for otherwise inner tasks would be computed and forgotten before their
 * dependents arrive.
 */
import * as Schema from "effect/Schema"
import { CodeDef } from "./Code.ts"
import { CodeRef, Isolation, Key, Ref } from "./Ids.ts"
import * as packed from "./internal/rows/packed.ts"
import { Terms } from "./Terms.ts"

/** Code that later tasks of this session may call. Told once. */
export const DeclaredCode = Schema.Struct({ ref: CodeRef, def: CodeDef })
export type DeclaredCode = typeof DeclaredCode.Type

/**
 * What a task says about its attempts, beyond how many there may be. Most tasks say nothing, and then it is not there at all.
 * Milliseconds.
 */
export const AttemptRules = Schema.Struct({
  /** For how long one attempt may run, from when its body begins; `Infinity`: for as long as it takes. */
  timeoutMs: Schema.Number,
  /** Between the first failed attempt and the next; 0: at once. */
  delayMs: Schema.Number,
  /** By which the delay grows with each further failure. */
  factor: Schema.Number,
  /** To which it grows at most; `Infinity`: without end. */
  maxDelayMs: Schema.Number
})
export type AttemptRules = typeof AttemptRules.Type

export const SubmittedTask = Schema.Struct({
  ref: Ref,
  key: Key,
  code: CodeRef,
  /** The encoded arguments, opaque to the scheduler. Holes in them are numbered by position in `dependencies`. */
  args: Schema.Uint8Array,
  /** Tasks whose results fill the holes; declared earlier in this session and not yet released. */
  dependencies: Schema.Array(Ref),
  /** Higher first. */
  priority: Schema.Number,
  /** How often a failed attempt is repeated. */
  retries: Schema.Number,
  isolation: Isolation,
  rules: Schema.optionalKey(AttemptRules),
  /** The place of its terms in `Graph.terms`, if it has any. */
  terms: Schema.optionalKey(Schema.Number)
})
export type SubmittedTask = typeof SubmittedTask.Type

/** tasks: dependencies before dependents. */
export const Graph = Schema.Struct({
  codes: Schema.Array(DeclaredCode),
  tasks: packed.tasks(),
  /** On which some of the tasks are submitted. */
  terms: Schema.optionalKey(Schema.Array(Terms)),
  /** Whether this is the last message of its graph. */
  last: Schema.Boolean
})
export type Graph = typeof Graph.Type

/**
 * Codes that a session may call: of those that it told, the last so many, and what the same message calls. A program that makes
 * functions without end tells some of them again.
 */
export const CODES_REMEMBERED = 10_000

/** Forgets what may no longer be called once a message has been read. `codes`: in the order in which they were told. */
export const forgetOldCodes = (codes: Map<CodeRef, unknown>): void => {
  for (const told of codes.keys()) {
    if (codes.size <= CODES_REMEMBERED) return
    codes.delete(told)
  }
}

/** Tasks in one message at most; longer graphs come in several. */
export const TASKS_PER_MESSAGE = 5_000
/** Bytes of arguments and code in one message at most, unless one task alone has more. */
export const BYTES_PER_MESSAGE = 1 << 20
/** Bytes of one task's encoded arguments at most; larger values do not belong in a graph. */
export const ARGS_LIMIT = 8 << 20
/** A result of at most this many encoded bytes rides on the report that it is there. */
export const INLINE_LIMIT = 4_096
