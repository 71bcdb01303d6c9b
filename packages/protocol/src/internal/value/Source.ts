/**
 * Bytes being read: what comes out of them that holds no other value, never
 * beyond their end.
 */
import * as Hex from "effect/encoding/Hex"
import * as Utf8 from "../utf8.ts"

/** The bytes make no sense here. */
export class Malformed {
  readonly at: number
  readonly expected: string
  constructor(at: number, expected: string) {
    this.at = at
    this.expected = expected
  }
}

const copyOf = Uint8Array.prototype.slice

/** Everything about bytes is said in tags.ts. */
export class Source {
  protected readonly bytes: Uint8Array
  protected at = 0
  private view: DataView | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Where reading has got to. */
  get position(): number {
    return this.at
  }

  protected float(): number {
    this.need(8)
    this.view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }

  protected text(): string {
    const length = this.size(1)
    const { bytes } = this
    const end = this.at + length
    if (length < 24) {
      let text = ""
      for (let i = this.at; i < end; i++) {
        const unit = bytes[i]!
        if (unit >= 128) return this.longText(end)
        text += String.fromCharCode(unit)
      }
      this.at = end
      return text
    }
    return this.longText(end)
  }

  private longText(end: number): string {
    const text = Utf8.decode(this.bytes.subarray(this.at, end))
    this.at = end
    return text
  }

  protected utf16(): string {
    const length = this.size(1)
    if (length % 2 === 1) throw new Malformed(this.at, "two bytes a character")
    let text = ""
    for (let end = this.at + length; this.at < end; this.at += 2) {
      text += String.fromCharCode(this.bytes[this.at]! | (this.bytes[this.at + 1]! << 8))
    }
    return text
  }

  protected bigint(): bigint {
    const sign = this.byte()
    const length = this.size(1)
    if (sign > 1 || length === 0) throw new Malformed(this.at, "a big integer")
    const magnitude = BigInt("0x" + Hex.encode(this.bytes.subarray(this.at, this.at + length)))
    this.at += length
    return sign === 1 ? -magnitude : magnitude
  }

  protected byte(): number {
    if (this.at >= this.bytes.length) throw new Malformed(this.at, "more bytes")
    return this.bytes[this.at++]!
  }

  /** An unsigned varint of up to 32 bits. */
  protected count(): number {
    let byte = this.byte()
    if (byte < 128) return byte
    let value = byte & 127
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.byte()
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
    byte = this.byte()
    if (byte > 15) throw new Malformed(this.at, "a number of at most 32 bits")
    return value + byte * 2 ** 28
  }

  /** A count of things that take at least `bytesEach`: no more than there can be. */
  protected size(bytesEach: number): number {
    const count = this.count()
    if (count * bytesEach > this.bytes.length - this.at) throw new Malformed(this.at, "more bytes")
    return count
  }

  /** A copy of so many bytes, in memory of its own. The bytes may be those of a `Buffer`, whose own `slice` is a view. */
  protected copied(length: number): Uint8Array<ArrayBuffer> {
    const from = this.at
    this.at += length
    return copyOf.call(this.bytes, from, this.at) as Uint8Array<ArrayBuffer> // a copy is never shared memory
  }

  private need(count: number): void {
    if (count > this.bytes.length - this.at) throw new Malformed(this.at, "more bytes")
  }
}
