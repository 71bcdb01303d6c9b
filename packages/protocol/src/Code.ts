/**
 * The identity of code: what a worker must find before it can run a task.
 *
 * A digest is of task name, module and text together, never of text alone: all
 * bodies made by `Effect.fn` share one text, and by it a worker would run the
 * wrong function. A module is named by its package and the path inside it, so
 * that two machines with the same package in different folders agree.
 *
 * The text is sent only if it says everything, that is if it has no free
 * variables; otherwise a worker must know the code from a module.
 */
import * as Schema from "effect/Schema"
import { Isolation } from "./Ids.ts"
import * as Utf8 from "./internal/utf8.ts"

/** Where code can be imported from. */
export const CodeModule = Schema.Struct({
  /** The same on every machine: the package's name and the path inside it, such as `my-app/src/tasks.ts`. */
  id: Schema.String,
  /** Where the submitting process has it; tried by a worker on the same machine that has not been told of the module. */
  url: Schema.String
})
export type CodeModule = typeof CodeModule.Type

/** One piece of code, told once in a session and then called by number. */
export const CodeDef = Schema.Struct({
  /** In hexadecimal; see `digestOf`. */
  digest: Schema.String,
  /** The task's name, or the function's, or "anonymous". */
  name: Schema.String,
  /** `contract`: found by name and version among the layers of `Task.make`; `function`: an exported or sent function. */
  kind: Schema.Literals(["function", "contract"]),
  /** The function's own source; present only if it has no free variables but globals. */
  text: Schema.NullOr(Schema.String),
  /** Null for a function whose module is not known, such as one made by `eval`. */
  module: Schema.NullOr(CodeModule),
  /** Where the body runs if the task does not say. */
  isolation: Isolation,
  /** Of a contract; 1 for functions. */
  version: Schema.Number
})
export type CodeDef = typeof CodeDef.Type

/** The parts of a `CodeDef` that its digest is of. */
export interface CodeIdentity {
  readonly name: string
  readonly module: string | null
  readonly text: string
  readonly version: number
}

/**
 * The digest of a piece of code, in hexadecimal (32 characters, 128 bits).
 *
 * Each part is preceded by its length, so that no two identities write the same
 * bytes. The hash function is handed in, for this package has none.
 */
export const digestOf = (identity: CodeIdentity, sha256: (bytes: Uint8Array) => Uint8Array): string => {
  const parts = [identity.name, identity.module ?? "", identity.text, String(identity.version)]
  return Utf8.hex(sha256(Utf8.encode(parts.map((part) => `${part.length}:${part}`).join(""))).subarray(0, 16))
}
