/**
 * Bytes being written: a buffer that grows, and what goes into it that holds no
 * other value.
 */
import * as Utf8 from "../utf8.ts"
import { Tag } from "./tags.ts"

/** What cannot be written, and where it was found. */
export class Refused {
  readonly path: ReadonlyArray<string>
  readonly found: string
  constructor(path: ReadonlyArray<string>, found: string) {
    this.path = path
    this.found = found
  }
}

/** Nested deeper than is read; mostly because it contains itself. */
export class TooDeep extends Refused {}

/** More bytes than may be written. */
export class TooLong extends Refused {
  readonly limitBytes: number
  constructor(path: ReadonlyArray<string>, limitBytes: number) {
    super(path, `more than ${limitBytes} bytes in all`)
    this.limitBytes = limitBytes
  }
}

/** Lengths come first; everything about bytes is said in tags.ts. */
export abstract class Output {
  protected bytes = new Uint8Array(1024)
  protected at = 0
  protected limitBytes = 0
  private view = new DataView(this.bytes.buffer)

  /** The path to the part that is being written. */
  protected abstract where(): ReadonlyArray<string>

  protected number(value: number): void {
    if (value === (value | 0) && !(value === 0 && 1 / value < 0)) {
      if (value >= 0 && value < 128) return this.byte(Tag.Small + value)
      this.byte(Tag.Int)
      return this.count(((value << 1) ^ (value >> 31)) >>> 0)
    }
    this.room(9)
    this.bytes[this.at] = Tag.Float
    this.view.setFloat64(this.at + 1, value, true)
    this.at += 9
  }

  protected date(value: Date): void {
    this.room(9)
    this.bytes[this.at] = Tag.Date
    this.view.setFloat64(this.at + 1, value.getTime(), true)
    this.at += 9
  }

  protected bigint(value: bigint): void {
    this.byte(Tag.BigInt)
    this.byte(value < 0n ? 1 : 0)
    let digits = (value < 0n ? -value : value).toString(16)
    if (digits.length % 2 === 1) digits = "0" + digits
    this.count(digits.length / 2)
    this.room(digits.length / 2)
    for (let i = 0; i < digits.length; i += 2) this.bytes[this.at++] = Number.parseInt(digits.slice(i, i + 2), 16)
  }

  protected text(value: string): void {
    const { length } = value
    if (length < 128) {
      // Short texts are mostly ASCII and mostly names: copied here, without a call. The length takes one byte.
      this.room(length + 2)
      const start = this.at
      const bytes = this.bytes
      bytes[start] = Tag.Text
      bytes[start + 1] = length
      let i = 0
      for (; i < length; i++) {
        const unit = value.charCodeAt(i)
        if (unit >= 128) break
        bytes[start + 2 + i] = unit
      }
      if (i === length) {
        this.at = start + 2 + length
        return
      }
    }
    this.longText(value)
  }

  private longText(value: string): void {
    if (/\p{Surrogate}/u.test(value)) {
      this.byte(Tag.Utf16)
      this.count(value.length * 2)
      this.room(value.length * 2)
      for (let i = 0; i < value.length; i++, this.at += 2) this.view.setUint16(this.at, value.charCodeAt(i), true)
      return
    }
    this.byte(Tag.Text)
    if (value.length < 1 << 16) {
      // The length comes first and is not known yet: written behind the place of the longest one, then moved up.
      this.room(value.length * 3 + 3)
      const written = Utf8.encodeInto(value, this.bytes.subarray(this.at + 3))
      const from = this.at + 3
      this.count(written)
      this.bytes.copyWithin(this.at, from, from + written)
      this.at += written
    } else {
      const bytes = Utf8.encode(value)
      this.count(bytes.length)
      this.raw(bytes)
    }
  }

  protected raw(bytes: Uint8Array): void {
    this.room(bytes.length)
    this.bytes.set(bytes, this.at)
    this.at += bytes.length
  }

  protected byte(value: number): void {
    if (this.at >= this.bytes.length) this.grow(1)
    this.bytes[this.at++] = value
  }

  protected count(value: number): void {
    this.room(5)
    while (value >= 128) {
      this.bytes[this.at++] = (value & 127) | 128
      value >>>= 7
    }
    this.bytes[this.at++] = value
  }

  protected room(count: number): void {
    if (this.at + count > this.bytes.length) this.grow(count)
  }

  private grow(count: number): void {
    const needed = this.at + count
    if (needed > this.limitBytes) throw new TooLong(this.where(), this.limitBytes)
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.at))
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }
}
