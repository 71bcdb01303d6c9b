/**
 * What rows are made of, as bytes: numbers, small bytes, and columns of text.
 *
 * Numbers are written as values are (internal/value/tags.ts), so that any number
 * arrives as it was sent: which of them can be an id is the receiver's business,
 * which looks each one up. Keys stand together, as one text of 64 of them: to
 * make one long string and cut it costs a fifth of making each of its own. The
 * price is that one key that is kept keeps its 63 neighbours, 2 KB or so.
 */
import { Output } from "../value/Output.ts"
import { Malformed, Source } from "../value/Source.ts"
import { Tag } from "../value/tags.ts"
import * as Utf8 from "../utf8.ts"

/** Texts in one column. */
export const TEXTS_TOGETHER = 64
/** A buffer that has grown beyond is not kept. */
const KEPT_BYTES = 2 << 20

export class RowWriter extends Output {
  /** The bytes of what `write` writes, which writes no other rows meanwhile. */
  static bytes<A>(value: A, write: (writer: RowWriter, value: A) => void): Uint8Array<ArrayBuffer> {
    spare.at = 0
    spare.limitBytes = 2 ** 30
    write(spare, value)
    const bytes = spare.bytes.slice(0, spare.at)
    if (spare.bytes.length > KEPT_BYTES) spare = new RowWriter()
    return bytes
  }

  protected where(): ReadonlyArray<string> {
    return []
  }

  override number(value: number): void {
    super.number(value)
  }

  override byte(value: number): void {
    super.byte(value)
  }

  override count(value: number): void {
    super.count(value)
  }

  /** Length, bytes. */
  blob(bytes: Uint8Array): void {
    this.count(bytes.length)
    this.raw(bytes)
  }

  numbers(values: ReadonlyArray<number>): void {
    this.count(values.length)
    for (const value of values) this.number(value)
  }

  /** Length in bytes, UTF-8. Where one text ends and the next begins is said elsewhere. */
  column(text: string): void {
    if (text.length > 1 << 16) return this.blob(Utf8.encode(text))
    this.room(text.length * 3 + 5)
    // Its length is not known yet: written behind the place of the longest one, then moved up.
    const from = this.at + 3
    const written = Utf8.encodeInto(text, this.bytes.subarray(from))
    this.count(written)
    if (this.at !== from) this.bytes.copyWithin(this.at, from, from + written)
    this.at += written
  }
}

let spare = new RowWriter()

/** Blobs of one byte: what bodies give that give nothing, a truth value or a small number. An array of its own is 224 bytes. */
const single: Array<Uint8Array | undefined> = new Array<undefined>(256).fill(undefined)

export class RowReader extends Source {
  isAtEnd(): boolean {
    return this.at === this.bytes.length
  }

  malformed(expected: string): Malformed {
    return new Malformed(this.at, expected)
  }

  override byte(): number {
    return super.byte()
  }

  override count(): number {
    return super.count()
  }

  /** Named by who reads it: what it means, if anything, is found out when it is looked up. */
  number<Id extends number>(): Id {
    const tag = this.byte()
    if (tag >= Tag.Small) return tag - Tag.Small as Id
    if (tag === Tag.Int) {
      const zigzag = this.count()
      return ((zigzag >>> 1) ^ -(zigzag & 1)) as Id
    }
    if (tag === Tag.Float) return this.float() as Id
    throw this.malformed("a number")
  }

  /** A copy, for what is kept must not keep the frame that it came in; for reading only, for those of one byte are the same for all. */
  blob(): Uint8Array {
    const length = this.size(1)
    if (length !== 1) return this.copied(length)
    const byte = this.byte()
    return single[byte] ??= Uint8Array.of(byte)
  }

  /** A view of the bytes that are read. */
  part(): Uint8Array {
    const length = this.size(1)
    const from = this.at
    this.at += length
    return this.bytes.subarray(from, this.at)
  }

  numbers<Id extends number>(): ReadonlyArray<Id> {
    const count = this.size(1)
    const values: Array<Id> = []
    for (let i = 0; i < count; i++) values.push(this.number())
    return values
  }

  /** Throws a TypeError if it is not UTF-8. */
  column(): string {
    return Utf8.decode(this.part())
  }
}
