/**
 * Reads a value from bytes. See tags.ts for the format.
 *
 * The bytes may come from anybody. Every length is compared with what is left
 * before anything is made of that size, nesting is bounded, and a name such as
 * `__proto__` becomes a field like any other. What makes no sense throws
 * `Malformed`; Value.ts catches it, and whatever a constructor throws at
 * nonsense, such as a broken regular expression.
 */
import * as BigDecimal from "effect/BigDecimal"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { Malformed, Source } from "./Source.ts"
import { ArrayBufferKind, BufferKind, byteKinds, DataViewKind, ErrorHas, LONG_BYTES, MAX_DEPTH, NodeBuffer, SuppressedError, Tag, Url, UrlSearchParams } from "./tags.ts"

export interface Reading {
  /** The value of the future at this position. */
  readonly fill: ((index: number) => unknown) | undefined
  /** What the codec of this name makes of an encoded value; it may throw. */
  readonly named: ((name: string, encoded: unknown) => unknown) | undefined
  /** Long bytes may be given out as views of those that are read. */
  readonly own: boolean
}

export class Reader extends Source {
  private depth = 0
  private readonly options: Reading

  constructor(bytes: Uint8Array, options: Reading) {
    super(bytes)
    this.options = options
  }

  /** The one value that the bytes hold. */
  all(): unknown {
    const value = this.value()
    if (this.at !== this.bytes.length) throw new Malformed(this.at, "nothing after the value")
    return value
  }

  private value(): unknown {
    const tag = this.byte()
    if (tag >= Tag.Small) return tag - Tag.Small
    switch (tag) {
      case Tag.Null:
        return null
      case Tag.Undefined:
        return undefined
      case Tag.False:
        return false
      case Tag.True:
        return true
      case Tag.Int: {
        const zigzag = this.count()
        return (zigzag >>> 1) ^ -(zigzag & 1)
      }
      case Tag.Float:
        return this.float()
      case Tag.Text:
        return this.text()
      case Tag.Utf16:
        return this.utf16()
      case Tag.BigInt:
        return this.bigint()
      case Tag.Date:
        return new Date(this.float())
      case Tag.Bytes:
        return this.binary()
      case Tag.Pad:
        return this.padded()
      case Tag.None:
        return Option.none()
      case Tag.Future:
        return this.future()
      default:
        if (this.depth >= MAX_DEPTH) throw new Malformed(this.at, `at most ${MAX_DEPTH} levels`)
        this.depth++
        const nested = this.nested(tag)
        this.depth--
        return nested
    }
  }

  private nested(tag: number): unknown {
    switch (tag) {
      case Tag.Object:
        return this.fields({})
      case Tag.BareObject:
        return this.fields(Object.create(null))
      case Tag.Array:
        return this.array()
      case Tag.Map:
        return new Map(this.entries())
      case Tag.Set:
        return new Set(this.elements())
      case Tag.Error:
        return this.error()
      case Tag.RegExp:
        return new RegExp(this.string(), this.string())
      case Tag.RegExpAt: {
        const found = new RegExp(this.string(), this.string())
        found.lastIndex = this.numeric()
        return found
      }
      case Tag.Symbol:
        return Symbol.for(this.string())
      case Tag.Url:
        if (Url === undefined) throw new Malformed(this.at, "no URL, for this runtime has none")
        return new Url(this.string())
      case Tag.UrlSearchParams:
        if (UrlSearchParams === undefined) throw new Malformed(this.at, "no URLSearchParams, for this runtime has none")
        return new UrlSearchParams(this.string())
      case Tag.BigDecimal: {
        const value = this.value()
        const scale = this.numeric()
        if (typeof value !== "bigint" || !Number.isSafeInteger(scale)) throw new Malformed(this.at, "a decimal number")
        return BigDecimal.make(value, scale)
      }
      case Tag.Some:
        return Option.some(this.value())
      case Tag.Success:
        return Result.succeed(this.value())
      case Tag.Failure:
        return Result.fail(this.value())
      case Tag.ExitSuccess:
        return Exit.succeed(this.value())
      case Tag.ExitFailure: {
        const cause = this.value()
        if (!Cause.isCause(cause)) throw new Malformed(this.at, "a cause")
        return Exit.failCause(cause)
      }
      case Tag.Cause:
        return this.cause()
      case Tag.Duration: {
        const length = this.value()
        if (typeof length === "bigint") return Duration.nanos(length)
        if (typeof length !== "number" || Number.isNaN(length)) throw new Malformed(this.at, "a length of time")
        return Duration.millis(length)
      }
      case Tag.Utc:
        return DateTime.makeUnsafe(this.numeric())
      case Tag.Zoned: {
        const at = this.numeric()
        const zone = this.value()
        if (typeof zone !== "string" && typeof zone !== "number") throw new Malformed(this.at, "a time zone")
        return DateTime.makeZonedUnsafe(at, { timeZone: zone })
      }
      case Tag.Chunk:
        return Chunk.fromIterable(this.elements())
      case Tag.HashMap:
        return HashMap.fromIterable(this.entries())
      case Tag.HashSet:
        return HashSet.fromIterable(this.elements())
      case Tag.Named: {
        const name = this.string()
        const encoded = this.value()
        if (this.options.named === undefined) throw new Malformed(this.at, `no value of "${name}", for no codecs are known here`)
        return this.options.named(name, encoded)
      }
      default:
        throw new Malformed(this.at - 1, `a kind of value, and ${tag} is none`)
    }
  }

  // ---- what holds other values

  private array(): Array<unknown> {
    const count = this.size(1)
    const values: Array<unknown> = []
    for (let i = 0; i < count; i++) {
      if (this.bytes[this.at] === Tag.Hole) {
        this.at++
        values.length = i + 1
      } else {
        values.push(this.value())
      }
    }
    return values
  }

  private elements(): Array<unknown> {
    const count = this.size(1)
    const values: Array<unknown> = []
    for (let i = 0; i < count; i++) values.push(this.value())
    return values
  }

  private entries(): Array<[unknown, unknown]> {
    const count = this.size(2)
    const entries: Array<[unknown, unknown]> = []
    for (let i = 0; i < count; i++) entries.push([this.value(), this.value()])
    return entries
  }

  private fields<T extends object>(target: T): T {
    const count = this.size(2)
    for (let i = 0; i < count; i++) {
      const name = this.string()
      setField(target, name, this.value())
    }
    return target
  }

  private error(): Error {
    const has = this.byte()
    const name = this.string()
    const message = this.string()
    const stack = (has & ErrorHas.Stack) === 0 ? undefined : this.string()
    const cause = (has & ErrorHas.Cause) === 0 ? none : this.value()
    const errors = (has & ErrorHas.Errors) === 0 ? none : this.value()
    const suppressing = (has & ErrorHas.Suppressed) === 0 ? undefined : [this.value(), this.value()] as const
    const error = (has & ErrorHas.Class) === 0
      ? errorOf(name, this.fields<Record<string, unknown>>(Object.create(null)), suppressing !== undefined)
      : this.ofClass(name)
    if (error.message !== message) setHidden(error, "message", message)
    setHidden(error, "stack", stack ?? `${name}: ${message}`)
    if (error.name !== name) setHidden(error, "name", name)
    if (cause !== none && !Object.hasOwn(error, "cause")) setHidden(error, "cause", cause)
    if (errors !== none) setHidden(error, "errors", errors)
    if (suppressing !== undefined) {
      setHidden(error, "error", suppressing[0])
      setHidden(error, "suppressed", suppressing[1])
    }
    return error
  }

  /** An instance of its class; an error with the same fields if that class is not known here, for it can still be caught by its tag. */
  private ofClass(name: string): Error {
    const codec = this.string()
    const encoded = this.value()
    try {
      const revived = this.options.named?.(codec, encoded)
      if (revived instanceof Error) return revived
    } catch {
      // Of a class that this process does not know, or knows otherwise.
    }
    const isFields = typeof encoded === "object" && encoded !== null && Object.getPrototypeOf(encoded) === Object.prototype
    return errorOf(name, isFields ? encoded as Readonly<Record<string, unknown>> : {}, false)
  }

  private cause(): Cause.Cause<unknown> {
    const count = this.size(2)
    const reasons: Array<Cause.Reason<unknown>> = []
    for (let i = 0; i < count; i++) {
      const kind = this.byte()
      const value = this.value()
      if (kind === 0) reasons.push(Cause.makeFailReason(value))
      else if (kind === 1) reasons.push(Cause.makeDieReason(value))
      else if (kind === 2 && (value === undefined || typeof value === "number")) reasons.push(Cause.makeInterruptReason(value))
      else throw new Malformed(this.at, "a reason of a cause")
    }
    return Cause.fromReasons(reasons)
  }

  // ---- what holds nothing

  private future(): unknown {
    const index = this.count()
    if (this.options.fill === undefined) throw new Malformed(this.at, "no future here")
    return this.options.fill(index)
  }

  private numeric(): number {
    const value = this.value()
    if (typeof value !== "number") throw new Malformed(this.at, "a number")
    return value
  }

  private string(): string {
    const value = this.value()
    if (typeof value !== "string") throw new Malformed(this.at, "a text")
    return value
  }

  /** Bytes in bulk, after what makes them lie well. */
  private padded(): unknown {
    for (let pads = 1; pads < 8; pads++) {
      const tag = this.byte()
      if (tag === Tag.Bytes) return this.binary()
      if (tag !== Tag.Pad) break
    }
    throw new Malformed(this.at, "bytes in bulk")
  }

  private binary(): unknown {
    const kind = this.byte()
    const length = this.size(1)
    if (this.options.own && length >= LONG_BYTES) return this.viewed(kind, length)
    // A copy: aligned as its elements need it, and not keeping a whole message alive.
    return this.bytesOf(kind, this.copied(length).buffer, 0, length)
  }

  /** Long bytes where they are, unless their elements need another place, or they are to be a buffer of their own. */
  private viewed(kind: number, length: number): unknown {
    const { buffer, byteOffset } = this.bytes.subarray(this.at, this.at + length) as Uint8Array<ArrayBuffer>
    this.at += length
    return kind === ArrayBufferKind || byteOffset % 8 !== 0
      ? this.bytesOf(kind, buffer.slice(byteOffset, byteOffset + length), 0, length)
      : this.bytesOf(kind, buffer, byteOffset, length)
  }

  private bytesOf(kind: number, buffer: ArrayBuffer, offset: number, length: number): unknown {
    if (kind === ArrayBufferKind) return buffer
    if (kind === DataViewKind) return new DataView(buffer, offset, length)
    if (kind === BufferKind) return NodeBuffer === undefined ? new Uint8Array(buffer, offset, length) : NodeBuffer.from(buffer, offset, length)
    const constructor = byteKinds[kind]
    if (constructor === undefined) throw new Malformed(this.at, `a kind of bytes, and ${kind} is none`)
    if (length % constructor.BYTES_PER_ELEMENT !== 0) throw new Malformed(this.at, "whole elements")
    return new constructor(buffer, offset, length / constructor.BYTES_PER_ELEMENT)
  }
}

const none: unique symbol = Symbol("none")

/** Plain assignment to `__proto__` would change what the object is. */
const setField = (target: object, name: string, value: unknown): void => {
  if (name === "__proto__") {
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true })
  } else {
    ;(target as Record<string, unknown>)[name] = value
  }
}

/** Of the language's class of this name, with these fields. One with a tag can be yielded in Effect.gen, as errors with tags can. */
const errorOf = (name: string, fields: Readonly<Record<string, unknown>>, suppressing: boolean): Error => {
  const error: Error = typeof fields["_tag"] === "string"
    ? new Data.Error<{}>(undefined)
    : suppressing && SuppressedError !== undefined
    ? new SuppressedError(undefined, undefined)
    : new (errorClasses.get(name) ?? Error)()
  for (const field of Object.keys(fields)) setField(error, field, fields[field])
  return error
}

/** As the language's own constructors set what an error says of itself. */
const setHidden = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, enumerable: false, writable: true, configurable: true })
}

const errorClasses: ReadonlyMap<string, new() => Error> = new Map<string, new() => Error>([
  ["TypeError", TypeError],
  ["RangeError", RangeError],
  ["SyntaxError", SyntaxError],
  ["ReferenceError", ReferenceError],
  ["EvalError", EvalError],
  ["URIError", URIError],
  ["AggregateError", class extends AggregateError {
    constructor() {
      super([])
    }
  }]
])
