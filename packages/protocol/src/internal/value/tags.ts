/**
 * The first byte of every encoded value says what follows.
 *
 * Numbers are part of the format: a new kind takes a new number, an old number
 * is never given to another kind.
 *
 * "length", "count" and "index" are unsigned varints: 7 bits a byte, lowest
 * first, the high bit says that more follow.
 */
export const Tag = {
  Null: 0,
  Undefined: 1,
  False: 2,
  True: 3,
  /** zigzag varint of a 32-bit integer */
  Int: 4,
  /** 8 bytes, little endian; −0, NaN and the infinities too */
  Float: 5,
  /** sign byte, length, magnitude, highest byte first */
  BigInt: 6,
  /** length, UTF-8 */
  Text: 7,
  /** length in bytes, UTF-16 little endian: a text with lone surrogates, which UTF-8 cannot say */
  Utf16: 8,
  /** 8 bytes: milliseconds since 1970 as a float; NaN for an invalid date */
  Date: 9,
  /** count, then keys and values in turn */
  Map: 10,
  /** count, values */
  Set: 11,
  /** count, then names (length, UTF-8 or as Utf16 below) and values in turn */
  Object: 12,
  /** as Object, without a prototype */
  BareObject: 13,
  /** count, values */
  Array: 14,
  /** inside arrays only: no element here */
  Hole: 15,
  /** kind byte, length in bytes, bytes */
  Bytes: 16,
  /** source, flags (both as values) */
  RegExp: 17,
  /** its text, as a value */
  Url: 18,
  /**
   * flags byte, name, message, [stack], [cause], [errors], [error, suppressed], then as Object: own fields;
   * or, with a class: its name, and what its codec makes of the error
   */
  Error: 19,
  None: 20,
  Some: 21,
  Success: 22,
  Failure: 23,
  ExitSuccess: 24,
  /** a Cause, as a value */
  ExitFailure: 25,
  /** count, then for each reason 0 fail + value, 1 die + value, 2 interrupt + fiber number or undefined */
  Cause: 26,
  /** milliseconds as a number, nanoseconds as a bigint; the infinities as numbers */
  Duration: 27,
  /** milliseconds since 1970 as a number */
  Utc: 28,
  /** milliseconds since 1970, then the zone: its name, or its offset in milliseconds */
  Zoned: 29,
  /** count, values */
  Chunk: 30,
  /** count, then keys and values in turn */
  HashMap: 31,
  /** count, values */
  HashSet: 32,
  /** index: the value of the task at this position among the dependencies */
  Future: 33,
  /** name (as a value), value: what the codec of that name makes of it */
  Named: 34,
  /** up to seven of them, then long Bytes, whose first lies at a multiple of eight: so they can be looked at where they are */
  Pad: 35,
  /** its key, as a value: a symbol made by `Symbol.for` */
  Symbol: 36,
  /** its text, as a value */
  UrlSearchParams: 37,
  /** value (a bigint), scale (a number), as values */
  BigDecimal: 38,
  /** as RegExp, then lastIndex as a value: one that has searched already */
  RegExpAt: 39,
  /** 128 to 255: the integers 0 to 127 */
  Small: 128
} as const

/** In an Error's flags byte. */
export const ErrorHas = { Stack: 1, Cause: 2, Errors: 4, Class: 8, Suppressed: 16 } as const

/** How deep values may be nested, in both directions. */
export const MAX_DEPTH = 64

/** Views on bytes, by the number that stands for them; all little endian. Those of one byte an element first. */
export const byteKinds: ReadonlyArray<ByteKind> = [
  Uint8Array, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
  BigInt64Array, BigUint64Array, ...optional("Float16Array")
]
/** Bytes in bulk from this many on, where a copy costs more than it is worth. */
export const LONG_BYTES = 64 * 1024
export const ArrayBufferKind = 32
export const DataViewKind = 33
/** Node's Buffer; a Uint8Array where there is none. */
export const BufferKind = 34

interface ByteKind {
  new(buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView
  readonly prototype: object
  readonly BYTES_PER_ELEMENT: number
}

/** A kind that not every runtime has, at the end of the list. */
function optional(name: "Float16Array"): ReadonlyArray<ByteKind> {
  const kind = (globalThis as { readonly [name]?: ByteKind })[name]
  return kind === undefined ? [] : [kind]
}

/** Where the runtime has them; none is part of the language that everybody speaks. */
const globals = globalThis as {
  readonly URL?: new(text: string) => { readonly href: string }
  readonly URLSearchParams?: new(text: string) => object
  readonly SuppressedError?: new(error: unknown, suppressed: unknown) => Error
  readonly Buffer?: { readonly prototype: object; from(buffer: ArrayBuffer, byteOffset?: number, length?: number): Uint8Array }
}
export const Url = globals.URL
export const UrlSearchParams = globals.URLSearchParams
export const SuppressedError = globals.SuppressedError
export const NodeBuffer = globals.Buffer
