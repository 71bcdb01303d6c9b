/**
 * How any value becomes bytes, and a value again.
 *
 * Arguments and results are opaque to everybody but the two ends, so the format
 * is ours: one tag byte and what belongs to it (internal/value/tags.ts). JSON
 * would lose half of what programs pass about, and structured clone exists in
 * Node alone. What has no encoding is refused, with the path to it, before
 * anything is sent: half an object that arrives as a whole one is found far too
 * late.
 *
 * Travels: null, undefined, booleans, numbers, bigints, texts, registered
 * symbols, dates, maps, sets, plain objects, arrays, bytes of all kinds, regular
 * expressions, URLs and their parameters, errors with their own fields, and
 * Effect's Option, Result, Exit, Cause, Duration, DateTime, Chunk, HashMap,
 * HashSet and BigDecimal. A future travels as the position of its task among the
 * dependencies. Instances of classes travel under the name of a codec, if there
 * is one (Portable.ts); an error whose class the other side does not know arrives
 * there as an error of the same name, tag and fields.
 *
 * Two references to one object arrive as two objects, as they do in JSON: bodies
 * get values of their own, and equal arguments have equal bytes, and so one key,
 * however they were put together. What contains itself is refused for that.
 * Memory that is shared between threads is refused, for nobody there would see
 * what is written here, and so is a `Redacted`, whose secret would travel bare.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describeThrown, showPath } from "./Failure.ts"
import { Refused, TooDeep, TooLong } from "./internal/value/Output.ts"
import { Reader } from "./internal/value/Reader.ts"
import { Malformed } from "./internal/value/Source.ts"
import { Writer, type Writing } from "./internal/value/Writer.ts"
import * as Portable from "./Portable.ts"

/** The value at `path` has no encoding; `found` says what it is. */
export class ValueUnencodable extends Schema.TaggedError<ValueUnencodable>()("ValueUnencodable", {
  path: Schema.Array(Schema.String),
  found: Schema.String,
  /** It is data, but takes more than this. */
  limitBytes: Schema.optionalKey(Schema.Number)
}) {
  override get message() {
    return `At ${showPath(this.path)}: ${this.found} cannot be sent. Send the data it is made of.`
  }
}

/** The bytes hold no value; from byte `at` on they make no sense. */
export class ValueInvalid extends Schema.TaggedError<ValueInvalid>()("ValueInvalid", {
  at: Schema.Number,
  expected: Schema.String
}) {
  override get message() {
    return `Byte ${this.at} of an encoded value: expected ${this.expected}.`
  }
}

export interface EncodeOptions {
  /** The position that stands for this object, if it is a future. Asked about instances of classes only. */
  readonly hole?: (value: object) => number | undefined
  /** The name of the codec for this instance of a class, and what it makes of it. @default classes that travel by themselves */
  readonly named?: (value: object) => { readonly name: string; readonly encoded: unknown } | undefined
  /** @default 1 GiB */
  readonly limitBytes?: number
}

export interface DecodeOptions {
  /** The value of the future at this position. May throw. */
  readonly fill?: (index: number) => unknown
  /** What the codec of this name makes of `encoded`. May throw. */
  readonly named?: (name: string, encoded: unknown) => unknown
  /**
   * The bytes are the caller's alone, who needs them no more: typed arrays of 64 KiB and more are then views of them and not
   * copies. @default false
   */
  readonly own?: boolean
}

/** A value that is to travel under the name of a codec, already encoded by it. */
export class Named {
  readonly name: string
  readonly encoded: unknown
  constructor(name: string, encoded: unknown) {
    this.name = name
    this.encoded = encoded
  }
}

/** The bytes of a value. */
export const encode = (value: unknown, options?: EncodeOptions): Result.Result<Uint8Array<ArrayBuffer>, ValueUnencodable> =>
  written(options, value, (writer) => writer.value(value))

/** The bytes of an array, such as a list of arguments, whatever fields it has besides. */
export const encodeList = (
  values: ReadonlyArray<unknown>,
  options?: EncodeOptions
): Result.Result<Uint8Array<ArrayBuffer>, ValueUnencodable> => written(options, values, (writer) => writer.list(values))

/** The value of bytes, which may come from anybody. */
export const decode = (bytes: Uint8Array, options?: DecodeOptions): Result.Result<unknown, ValueInvalid> => {
  const reader = new Reader(bytes, { fill: options?.fill, named: options?.named, own: options?.own ?? false })
  try {
    return Result.succeed(reader.all())
  } catch (thrown) {
    // A constructor that was given nonsense, a fill or a codec throws what it likes: it is the bytes that are wrong.
    return Result.fail(
      thrown instanceof Malformed
        ? new ValueInvalid({ at: thrown.at, expected: thrown.expected })
        : new ValueInvalid({ at: reader.position, expected: `other bytes (${thrown instanceof Error ? thrown.message : String(thrown)})` })
    )
  }
}

const written = (
  options: EncodeOptions | undefined,
  whole: unknown,
  write: (writer: Writer) => void
): Result.Result<Uint8Array<ArrayBuffer>, ValueUnencodable> => {
  try {
    return Result.succeed(Writer.bytes(options === undefined ? plain : writing(options), write))
  } catch (thrown) {
    const cycle = thrown instanceof TooDeep ? cycleIn(whole, thrown.path) : undefined
    if (cycle !== undefined) return Result.fail(new ValueUnencodable({ path: cycle, found: "something that contains itself" }))
    if (thrown instanceof TooLong) return Result.fail(new ValueUnencodable({ path: thrown.path, found: thrown.found, limitBytes: thrown.limitBytes }))
    if (thrown instanceof Refused) return Result.fail(new ValueUnencodable({ path: thrown.path, found: thrown.found }))
    // A getter or a proxy of the user's threw.
    return Result.fail(new ValueUnencodable({ path: [], found: `something that throws when read (${describeThrown(thrown)})` }))
  }
}

/** The path to the first thing that holds it already, on the way down a path that does not end. */
const cycleIn = (whole: unknown, path: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const around = new Set<unknown>()
  let part = whole
  for (const [depth, name] of path.entries()) {
    around.add(part)
    // What is no field of it is not looked into: then the path says all there is to say.
    part = part instanceof Map ? part.get(name) : part instanceof Set ? [...part][Number(name)] : (part as Readonly<Record<string, unknown>> | undefined)?.[name]
    if (part === undefined) return undefined
    if (around.has(part)) return path.slice(0, depth + 1)
  }
  return undefined
}

/** `Named` needs no registry: it brings its name along. */
const ownName = (value: object) => value instanceof Named ? value : Portable.encoded(value)

const plain: Writing = { hole: undefined, named: ownName, limitBytes: 2 ** 30 }

const writing = ({ hole, limitBytes = plain.limitBytes, named }: EncodeOptions): Writing => ({
  hole,
  limitBytes,
  named: named === undefined ? ownName : (value) => ownName(value) ?? named(value)
})
