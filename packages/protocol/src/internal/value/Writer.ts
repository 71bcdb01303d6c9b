/**
 * Writes a value as bytes. See tags.ts for the format.
 *
 * What is nested refuses itself by throwing `Refused`; Value.ts catches it. The
 * path to the refused part is kept as it goes, which costs one store a level.
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { describe } from "./describe.ts"
import { Output, Refused, TooDeep } from "./Output.ts"
import { ArrayBufferKind, BufferKind, byteKinds, DataViewKind, ErrorHas, LONG_BYTES, MAX_DEPTH, NodeBuffer, SuppressedError, Tag, Url, UrlSearchParams } from "./tags.ts"

export interface Writing {
  /** The number that stands for this value, if it is a future. */
  readonly hole: ((value: object) => number | undefined) | undefined
  /** Which codec writes this instance of a class, and what it makes of it; a text says why it cannot. */
  readonly named: (value: object) => NamedValue | string | undefined
  readonly limitBytes: number
}

export interface NamedValue {
  readonly name: string
  readonly encoded: unknown
}

/** Kept between calls up to this size. */
const KEPT_BYTES = 1 << 16
/** Own properties of longer arrays are not looked for: naming a million elements would cost more than writing them. */
const SMALL_ARRAY = 64

let spare: Writer | undefined
/** Of a writer that writes nothing. */
const idle: Writing = { hole: undefined, named: () => undefined, limitBytes: 0 }

export class Writer extends Output {
  private depth = 0
  /** By depth: the name of the part being written. */
  private readonly path: Array<string | number | undefined> = [undefined]
  private options: Writing

  private constructor(options: Writing) {
    super()
    this.options = options
  }

  /** Whatever `write` writes, as bytes of its own. */
  static bytes(options: Writing, write: (writer: Writer) => void): Uint8Array<ArrayBuffer> {
    const writer = spare ?? new Writer(options)
    // Taken, so that a getter that encodes something itself does not write over us; not given back if it throws.
    spare = undefined
    writer.options = options
    writer.limitBytes = options.limitBytes
    writer.path[0] = undefined
    write(writer)
    if (writer.bytes.length > KEPT_BYTES) return writer.bytes.subarray(0, writer.at)
    const bytes = writer.bytes.slice(0, writer.at)
    writer.at = 0
    // What the caller gave may hold futures, which nothing may keep alive.
    writer.options = idle
    spare = writer
    return bytes
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "number":
        return this.number(value)
      case "string":
        return this.text(value)
      case "boolean":
        return this.byte(value ? Tag.True : Tag.False)
      case "undefined":
        return this.byte(Tag.Undefined)
      case "bigint":
        return this.bigint(value)
      case "object":
        return value === null ? this.byte(Tag.Null) : this.nested(value)
      case "symbol":
        return this.symbol(value)
      default:
        throw this.refused(value)
    }
  }

  /** As an array, whatever else the list is. */
  list(values: ReadonlyArray<unknown>): void {
    this.byte(Tag.Array)
    this.count(values.length)
    for (let i = 0; i < values.length; i++) {
      this.path[this.depth] = i
      const value = values[i]
      if (value === undefined && !(i in values)) this.byte(Tag.Hole)
      else this.value(value)
    }
  }

  // ---- what may hold other values

  private nested(value: object): void {
    if (this.depth >= MAX_DEPTH) throw new TooDeep(this.where(), `something nested more than ${MAX_DEPTH} deep`)
    this.depth++
    this.path[this.depth] = undefined
    this.object(value)
    this.depth--
  }

  private object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.fields(Tag.Object, value)
    if (prototype === Array.prototype) return this.array(value as ReadonlyArray<unknown>)
    if (prototype === null) return this.fields(Tag.BareObject, value)
    if (prototype === Uint8Array.prototype) return this.view8(0, value as Uint8Array)
    const hole = this.options.hole?.(value)
    if (hole !== undefined) {
      this.byte(Tag.Future)
      return this.count(hole)
    }
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.binary(value, prototype)
    if (value instanceof Error) return this.error(value)
    if (this.builtIn(value, prototype) || this.effectData(value)) return
    const named = this.options.named(value)
    if (typeof named === "string") throw new Refused(this.where(), named)
    if (named !== undefined) {
      this.byte(Tag.Named)
      this.text(named.name)
      return this.value(named.encoded)
    }
    if (isPlainElsewhere(prototype)) return this.fields(Tag.Object, value)
    throw this.refused(value)
  }

  /** What the language and every runtime have, and has no fields. */
  private builtIn(value: object, prototype: unknown): boolean {
    if (prototype === Map.prototype) this.entries(Tag.Map, value as ReadonlyMap<unknown, unknown>)
    else if (prototype === Set.prototype) this.elements(Tag.Set, value as ReadonlySet<unknown>, (value as ReadonlySet<unknown>).size)
    else if (prototype === Date.prototype) this.date(value as Date)
    else if (prototype === RegExp.prototype) this.regExp(value as RegExp)
    else if (Url !== undefined && prototype === Url.prototype) {
      this.byte(Tag.Url)
      this.text((value as { readonly href: string }).href)
    } else if (UrlSearchParams !== undefined && prototype === UrlSearchParams.prototype) {
      this.byte(Tag.UrlSearchParams)
      this.text(String(value))
    } else return false
    // What somebody hung on to it would be lost.
    const [field] = Object.keys(value)
    if (field !== undefined) throw new Refused(this.where(), `${describe(value)} with the field "${field}"`)
    return true
  }

  private regExp(value: RegExp): void {
    this.byte(value.lastIndex === 0 ? Tag.RegExp : Tag.RegExpAt)
    this.text(value.source)
    this.text(value.flags)
    if (value.lastIndex !== 0) this.number(value.lastIndex)
  }

  /** Those in the registry of all symbols are the same everywhere; any other is one process's own. */
  private symbol(value: symbol): void {
    const key = Symbol.keyFor(value)
    if (key === undefined) throw this.refused(value)
    this.byte(Tag.Symbol)
    this.text(key)
  }

  private array(values: ReadonlyArray<unknown>): void {
    if (values.length <= SMALL_ARRAY) {
      // A match of a regular expression, for one, is an array with fields: half of it would be lost.
      const names = Object.keys(values)
      const last = names[names.length - 1]
      if (last !== undefined && !(Number(last) < values.length)) {
        throw new Refused(this.where(), `an array with the field "${last}"`)
      }
    }
    this.list(values)
  }

  private fields(tag: number, value: object): void {
    const names = Object.keys(value)
    if (Object.getOwnPropertySymbols(value).length > 0) throw new Refused(this.where(), "an object with a symbol for a name")
    this.byte(tag)
    this.count(names.length)
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      this.path[this.depth] = name
      this.text(name)
      this.value((value as Record<string, unknown>)[name])
    }
  }

  private entries(tag: number, map: ReadonlyMap<unknown, unknown>): void {
    this.byte(tag)
    this.count(map.size)
    for (const [key, value] of map) {
      this.path[this.depth] = typeof key === "string" || typeof key === "number" ? key : "<a key>"
      this.value(key)
      this.path[this.depth] = typeof key === "string" || typeof key === "number" ? key : "<a value>"
      this.value(value)
    }
  }

  private elements(tag: number, values: Iterable<unknown>, size: number): void {
    this.byte(tag)
    this.count(size)
    let i = 0
    for (const value of values) {
      this.path[this.depth] = i++
      this.value(value)
    }
  }

  private error(error: Error): void {
    const { cause, errors, message, name, stack } = error as Error & { readonly cause?: unknown; readonly errors?: unknown }
    const hasCause = "cause" in error && cause !== undefined
    const hasErrors = Array.isArray(errors) && !Object.prototype.propertyIsEnumerable.call(error, "errors")
    const suppressing = SuppressedError !== undefined && error instanceof SuppressedError ? error as unknown as Suppressing : undefined
    const named = this.options.named(error)
    // A class whose schema cannot encode this one is no reason to say nothing of the error.
    const asClass = typeof named === "string" ? undefined : named
    this.byte(Tag.Error)
    this.byte(
      (typeof stack === "string" ? ErrorHas.Stack : 0) | (hasCause ? ErrorHas.Cause : 0) | (hasErrors ? ErrorHas.Errors : 0) |
        (asClass === undefined ? 0 : ErrorHas.Class) | (suppressing === undefined ? 0 : ErrorHas.Suppressed)
    )
    this.text(String(name))
    this.text(String(message))
    if (typeof stack === "string") this.text(stack)
    if (hasCause) {
      this.path[this.depth] = "cause"
      this.value(cause)
    }
    if (hasErrors) {
      this.path[this.depth] = "errors"
      this.value(errors)
    }
    if (suppressing !== undefined) {
      this.inside("error", suppressing.error)
      this.inside("suppressed", suppressing.suppressed)
    }
    if (asClass !== undefined) {
      this.text(asClass.name)
      return this.value(asClass.encoded)
    }
    const names = Object.keys(error).filter((field) => !ownOfErrors.has(field))
    // A `_tag` on the prototype is what Effect.catchTag looks for, so it goes along as if it were the error's own.
    const tag = (error as { readonly _tag?: unknown })._tag
    if (typeof tag === "string" && !names.includes("_tag")) names.push("_tag")
    this.count(names.length)
    for (const field of names) {
      this.path[this.depth] = field
      this.text(field)
      this.value((error as unknown as Record<string, unknown>)[field])
    }
  }

  /** Effect's own data: written through its public accessors, so that a change of its insides is no change of ours. */
  private effectData(value: object): boolean {
    if (Option.isOption(value)) {
      this.byte(Option.isSome(value) ? Tag.Some : Tag.None)
      if (Option.isSome(value)) this.inside("value", value.value)
    } else if (Result.isResult(value)) {
      this.byte(Result.isSuccess(value) ? Tag.Success : Tag.Failure)
      this.inside(Result.isSuccess(value) ? "success" : "failure", Result.isSuccess(value) ? value.success : value.failure)
    } else if (Exit.isExit(value)) {
      this.byte(Exit.isSuccess(value) ? Tag.ExitSuccess : Tag.ExitFailure)
      this.inside(Exit.isSuccess(value) ? "value" : "cause", Exit.isSuccess(value) ? value.value : value.cause)
    } else if (Cause.isCause(value)) {
      this.cause(value)
    } else if (Duration.isDuration(value)) {
      this.byte(Tag.Duration)
      this.duration(value)
    } else if (DateTime.isDateTime(value)) {
      this.byte(DateTime.isUtc(value) ? Tag.Utc : Tag.Zoned)
      this.number(value.epochMilliseconds)
      if (DateTime.isZoned(value)) this.value(value.zone._tag === "Named" ? value.zone.id : value.zone.offset)
    } else if (Chunk.isChunk(value)) {
      this.elements(Tag.Chunk, value, Chunk.size(value))
    } else if (HashMap.isHashMap(value)) {
      this.entries(Tag.HashMap, new Map(value))
    } else if (HashSet.isHashSet(value)) {
      this.elements(Tag.HashSet, value, HashSet.size(value))
    } else if (BigDecimal.isBigDecimal(value)) {
      this.byte(Tag.BigDecimal)
      this.bigint(value.value)
      this.number(value.scale)
    } else {
      return false
    }
    return true
  }

  private inside(name: string, value: unknown): void {
    this.path[this.depth] = name
    this.value(value)
  }

  private cause(cause: Cause.Cause<unknown>): void {
    this.byte(Tag.Cause)
    this.count(cause.reasons.length)
    for (const reason of cause.reasons) {
      this.byte(Cause.isFailReason(reason) ? 0 : Cause.isDieReason(reason) ? 1 : 2)
      this.inside(
        reason._tag,
        Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : reason.fiberId
      )
    }
  }

  private duration({ value }: Duration.Duration): void {
    switch (value._tag) {
      case "Millis":
        return this.number(value.millis)
      case "Nanos":
        return this.bigint(value.nanos)
      case "Infinity":
        return this.number(Infinity)
      case "NegativeInfinity":
        return this.number(-Infinity)
    }
  }

  // ---- bytes in bulk

  private binary(value: ArrayBuffer | ArrayBufferView, prototype: unknown): void {
    if (value instanceof ArrayBuffer) {
      if (prototype !== ArrayBuffer.prototype) throw this.refused(value)
      return this.view8(ArrayBufferKind, new Uint8Array(value))
    }
    const { buffer, byteLength, byteOffset } = value
    if (!(buffer instanceof ArrayBuffer)) throw new Refused(this.where(), "a view on memory shared with other threads (send a copy: `.slice()`)")
    const kind = byteKinds.findIndex((constructor) => constructor.prototype === prototype)
    const known = kind >= 0
      ? kind
      : prototype === DataView.prototype
      ? DataViewKind
      : NodeBuffer !== undefined && prototype === NodeBuffer.prototype
      ? BufferKind
      : undefined
    if (known === undefined) throw this.refused(value)
    this.view8(known, new Uint8Array(buffer, byteOffset, byteLength))
  }

  private view8(kind: number, bytes: Uint8Array): void {
    if (!(bytes.buffer instanceof ArrayBuffer)) throw new Refused(this.where(), "a view on memory shared with other threads (send a copy: `.slice()`)")
    // One growth for all of it: growing twice would copy twice.
    this.room(16 + bytes.length)
    if (bytes.length >= LONG_BYTES) for (let before = this.at + headOf(bytes.length); before % 8 !== 0; before++) this.byte(Tag.Pad)
    this.byte(Tag.Bytes)
    this.byte(kind)
    this.count(bytes.length)
    this.raw(bytes)
  }

  private refused(value: unknown): Refused {
    return new Refused(this.where(), describe(value))
  }

  /** From the outside in. */
  protected override where(): ReadonlyArray<string> {
    return this.path.slice(0, this.depth + 1).filter((part) => part !== undefined).map(String)
  }
}

/** Bytes that a tag, a kind and this length take. */
const headOf = (length: number): number => 3 + (length < 2 ** 7 ? 0 : length < 2 ** 14 ? 1 : length < 2 ** 21 ? 2 : length < 2 ** 28 ? 3 : 4)

interface Suppressing {
  readonly error: unknown
  readonly suppressed: unknown
}

/** Said apart from an error's other fields. */
const ownOfErrors: ReadonlySet<string> = new Set(["name", "message", "stack", "cause"])

/** The prototype of plain objects of another realm, such as a `node:vm` context. */
const isPlainElsewhere = (prototype: unknown): boolean =>
  typeof prototype === "object" && prototype !== null && Object.getPrototypeOf(prototype) === null &&
  Object.hasOwn(prototype, "isPrototypeOf")
