/**
 * The identity of code: what a worker must find before it can run a task.
 *
 * A digest is of task name, module and text together, never of text alone: all
 * bodies made by `Effect.fn` share one text, and by it a worker would run the
 * wrong function. A module is named by its package and the path inside it, so
 * that two machines with the same package in different folders agree.
 *
 * The text is sent only if it says everything, that is if it has no free
 * variables but those whose values go with it; otherwise a worker must know the
 * code from a module.
 */
import * as Hex from "effect/encoding/Hex"
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

/** Characters in a code's text, and bytes of what it captures, at most. */
export const CODE_LIMIT = 8 << 20

/** One piece of code, told once in a session and then called by number. */
export const CodeDef = Schema.Struct({
  /** In hexadecimal; see `digestOf`. */
  digest: Schema.String,
  /** The task's name, or the function's, or "anonymous". */
  name: Schema.String,
  /** `contract`: found by name and version among the layers of `Task.make`; `function`: an exported or sent function. */
  kind: Schema.Literals(["function", "contract"]),
  /** The function's own source; present only if it has no free variables but globals, its own name, and what it captures. */
  text: Schema.NullOr(Schema.String),
  /** A record of the values that go with the text, as a value is encoded: the text's variables of these names. */
  captures: Schema.optionalKey(Schema.Uint8Array),
  /** Where the task says that it is, or else where it was made; null if neither is known, as in a REPL. */
  module: Schema.NullOr(CodeModule),
  /** The task itself named the module, so a worker tries that before the text. */
  moduleFirst: Schema.Boolean,
  /**
   * What is known of the body without running it. An `unknown` one is taken for a plain function, though it may turn
   * out to return an Effect, which a worker then runs as a fiber.
   */
  body: Schema.Literals(["effect", "async", "unknown"]),
  /** Where the body runs if a submission does not say. */
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
  /** Encoded; undefined, as for most, is none. */
  readonly captures?: Uint8Array | undefined
}

/**
 * The digest of a piece of code, in hexadecimal (32 characters, 128 bits).
 *
 * Each part is preceded by its length, so that no two identities write the same
 * bytes. The hash function is handed in, for this package has none.
 */
export const digestOf = (identity: CodeIdentity, sha256: (bytes: Uint8Array) => Uint8Array): string => {
  const parts = [identity.name, identity.module ?? "", identity.text, String(identity.version)]
  const bytes = Utf8.encode(parts.map((part) => `${part.length}:${part}`).join(""))
  // They come last, so nothing needs to say where they end.
  return Hex.encode(sha256(identity.captures === undefined ? bytes : concat(bytes, identity.captures)).subarray(0, 16))
}

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** The identity of a definition that has its text with it. */
export const identityOf = (def: CodeDef, text: string): CodeIdentity => ({
  name: def.name,
  module: def.module?.id ?? null,
  text,
  version: def.version,
  captures: def.captures
})

/**
 * A module's name that is the same on every machine: its package's name and the
 * path inside it. A module in no package is named by its file alone.
 *
 * `packageAt` looks into a folder, given by its URL, for a package.json and says
 * the name in it ("" if it has none); undefined if there is no such file.
 */
export const moduleIdOf = (url: string, packageAt: (folder: string) => string | undefined): string => {
  const path = url.replace(/[?#].*$/, "")
  for (let slash = path.lastIndexOf("/"); slash > "file://".length - 1; slash = path.lastIndexOf("/", slash - 1)) {
    const name = packageAt(path.slice(0, slash + 1))
    if (name !== undefined) return `${name}${path.slice(slash)}`
  }
  return path.slice(path.lastIndexOf("/") + 1)
}
