/**
 * How the arguments, results and failures of tasks travel: what the client and
 * the worker must do alike.
 *
 * A function's arguments are a list. A contract's payload stands in a list of
 * two, behind a word that says whether it went through the schema already
 * (`encoded`) or still must (`raw`): a payload with futures in it can be looked
 * at whole only on the worker, where their values are.
 *
 * Results travel under the name of their codec if they have one, so that a
 * dependent, too, gets instances and not what they are made of.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { PayloadInvalid } from "./Errors.ts"
import { classNamed } from "./Portable.ts"
import { fromCause, type Raised } from "./Raised.ts"
import { codecName, fnCodecName, type Handler, type Task, type TaskServices } from "./Task.ts"
import * as Registry from "./TaskRegistry.ts"
import * as Value from "./Value.ts"

/** How results and failures of one task travel. */
export interface ResultCodecs {
  readonly success?: { readonly name: string; readonly codec: Registry.Codec }
  readonly error?: { readonly name: string; readonly codec: Registry.Codec }
  /** URL of the module that the task was made in, which may export the classes of what it gives. */
  readonly module?: string
}

/** Those of a task made by `Task.fn`. */
export const codecsOfFn = (entry: Registry.FnEntry): ResultCodecs => ({
  ...(entry.success === undefined ? {} : { success: { name: fnCodecName(entry.name, "success"), codec: entry.success } }),
  ...(entry.error === undefined ? {} : { error: { name: fnCodecName(entry.name, "error"), codec: entry.error } }),
  ...(entry.module === null ? {} : { module: entry.module })
})

/** Those of a contract. */
export const codecsOfTask = (task: Task.Any): ResultCodecs => ({
  // A schema that needs services to encode cannot be one of a contract's: the types of `Task.make` do not say so, the failure does.
  success: { name: codecName(task, "success"), codec: task.success as unknown as Registry.Codec },
  error: { name: codecName(task, "error"), codec: task.error as unknown as Registry.Codec }
})

/** Decodes what travels under the name of a codec: of the given task first, else of any that this process knows. Throws. */
export const named = (own: ResultCodecs = {}) => (name: string, encoded: unknown): unknown => {
  const codec = own.success?.name === name ? own.success.codec : own.error?.name === name ? own.error.codec : Registry.codec(name)
  if (codec === undefined) {
    const cls = classNamed(name)
    throw new Error(
      cls === undefined
        ? `"${name}" names a codec of a task that this process has not loaded; import its module here too`
        : `the class ${cls} is not known in this process; \`Portable.register\` it where it is defined, or give the task a \`success\` schema`
    )
  }
  return Schema.decodeUnknownSync(codec)(encoded)
}

// ---- on the client

/**
 * The arguments of a contract: what to encode as a list.
 *
 * `isHole` says of an object whether it is a future. A payload without any is
 * validated here; of one with futures each field that has none, if its schema is
 * a struct, and that the fields are those of the schema.
 */
export const payloadArgs = (
  task: Task.Any,
  payload: unknown,
  isHole: (value: unknown) => boolean
): Result.Result<ReadonlyArray<unknown>, PayloadInvalid> => {
  if (!holdsHole(payload, isHole)) {
    const made = validated(task.payload, payload)
    if (Result.isFailure(made)) return Result.fail(made.failure)
    const encoded = Schema.encodeUnknownExit(asCodec(task.payload))(made.success)
    return Exit.isSuccess(encoded) ? Result.succeed(["encoded", encoded.value]) : Result.fail(invalidCause(encoded.cause, []))
  }
  const fields = (task.payload as { readonly fields?: Readonly<Record<string, Schema.Top>> }).fields
  if (fields !== undefined && typeof payload === "object" && payload !== null && !isHole(payload)) {
    for (const [name, value] of Object.entries(payload)) {
      const field = fields[name]
      if (field === undefined) return Result.fail(new PayloadInvalid({ path: [name], expected: `one of the fields ${Object.keys(fields).join(", ")}` }))
      if (holdsHole(value, isHole)) continue
      const made = validated(field, value, [name])
      if (Result.isFailure(made)) return Result.fail(made.failure)
    }
  }
  return Result.succeed(["raw", payload])
}

// ---- on the worker

/**
 * Runs an implementation of a contract with the arguments that `payloadArgs`
 * made, once they are decoded and their futures filled. A payload that is not
 * valid is a defect: the client could not see it.
 */
export const callHandler = (handler: Handler, args: unknown): Effect.Effect<unknown, unknown, TaskServices> => {
  const [form, payload] = Array.isArray(args) ? args as ReadonlyArray<unknown> : []
  if (form === "encoded") {
    return Effect.matchCauseEffect(Schema.decodeUnknownEffect(asCodec(handler.task.payload))(payload), {
      onFailure: (cause) => Effect.die(invalidCause(cause, [])),
      onSuccess: handler.run
    })
  }
  if (form !== "raw") return Effect.die(new PayloadInvalid({ path: [], expected: "the payload of a contract" }))
  const made = validated(handler.task.payload, payload)
  return Result.isSuccess(made) ? handler.run(made.success) : Effect.die(made.failure)
}

/** The bytes of what a body returned, or why they cannot be. */
export const encodeResult = (value: unknown, codecs: ResultCodecs): Result.Result<Uint8Array, Raised> => {
  let carried = value
  if (codecs.success !== undefined) {
    const encoded = Schema.encodeUnknownExit(codecs.success.codec)(value)
    if (Exit.isFailure(encoded)) {
      const { expected, path } = invalidCause(encoded.cause, [])
      return Result.fail({ _tag: "ResultInvalid", path, found: `a value that its schema refuses (expected ${expected})` })
    }
    carried = new Value.Named(codecs.success.name, encoded.value)
  }
  const bytes = Value.encode(carried)
  return Result.isSuccess(bytes)
    ? Result.succeed(bytes.success)
    : Result.fail({ _tag: "ResultInvalid", path: bytes.failure.path, found: bytes.failure.found })
}

/** What a body's failure is as it travels. None: it was interrupted, and nothing else. */
export const raisedOf = (cause: Cause.Cause<unknown>, codecs: ResultCodecs): Option.Option<Raised> =>
  Option.map(fromCause(cause), (raised) => {
    if (raised._tag !== "Error" || codecs.error === undefined) return raised
    const encoded = Schema.encodeUnknownExit(codecs.error.codec)(raised.error)
    // What the codec does not cover travels as values do.
    return Exit.isSuccess(encoded) ? { _tag: "Error", error: new Value.Named(codecs.error.name, encoded.value) } : raised
  })

// ---- both

/** The value of the schema's type that `input` makes, defaults filled in; or what is wrong with it, and where. */
const validated = (schema: Schema.Top, input: unknown, at: ReadonlyArray<string> = []): Result.Result<unknown, PayloadInvalid> => {
  const made = Effect.runSyncExit(schema.makeEffect(input, { parseOptions: { onExcessProperty: "error" } }))
  if (Exit.isSuccess(made)) return Result.succeed(made.value)
  const { expected, path } = invalidCause(made.cause, at)
  return Result.fail(new PayloadInvalid({ path, expected: `${expected}${got(input, path.slice(at.length))}` }))
}

/** What stands there instead, if that is short and no secret: what was to be hidden is not shown for being of the wrong kind. */
const got = (input: unknown, path: ReadonlyArray<string>): string => {
  let part = input
  for (const name of path) {
    if (typeof part !== "object" || part === null || !Object.hasOwn(part, name)) return ""
    part = (part as Readonly<Record<string, unknown>>)[name]
  }
  if (typeof part === "number" || typeof part === "boolean" || part === null || part === undefined) return `, got ${String(part)}`
  return typeof part === "bigint" ? `, got ${part}n` : ""
}

const invalidCause = (cause: Cause.Cause<unknown>, at: ReadonlyArray<string>): PayloadInvalid => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  const issue = error instanceof Schema.SchemaError ? error.issue : error
  if (!SchemaIssue.isIssue(issue)) {
    return new PayloadInvalid({ path: at, expected: `a value that its schema can look at without waiting (${String(Cause.squash(cause))})` })
  }
  const first = formatIssue(issue).issues[0]
  const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  return new PayloadInvalid({ path: [...at, ...path], expected: (first?.message ?? "another value").replace(/^Expected /, "") })
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const asCodec = (schema: Schema.Top): Registry.Codec => schema as unknown as Registry.Codec

/** Futures are looked for as deep as the type `Input` allows them, and a level more. */
const HOLES_DEEP = 8

/** Whether a future stands in it: in plain objects, arrays, maps and sets. */
export const holdsHole = (value: unknown, isHole: (value: unknown) => boolean, deep = HOLES_DEEP): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (isHole(value)) return true
  if (deep === 0) return false
  const inside = (part: unknown) => holdsHole(part, isHole, deep - 1)
  if (Array.isArray(value)) return value.some(inside)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return Object.values(value).some(inside)
  if (value instanceof Map) return Array.from(value.values()).some(inside)
  return value instanceof Set && Array.from(value).some(inside)
}
