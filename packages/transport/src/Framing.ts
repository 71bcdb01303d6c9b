/**
 * Packets on a connection: what two ends of a session say to each other, cut
 * out of a byte stream that keeps no boundaries.
 *
 * Every packet says its length first, so no byte is looked at twice, and its
 * header and its body each have a check: a damaged byte costs the connection
 * that brought it and nothing else, for the session resends over the next one.
 * The header's check is apart, because a damaged length would otherwise make the
 * reader wait for bytes that never come.
 *
 * Whatever cannot be a packet breaks the connection, at once.
 */
import * as Socket from "effect/socket/Socket"

/** What a packet is. */
export const Kind = {
  /** The dialling side's greeting. body: `Hello` */
  Hello: 1,
  /** The accepting side's greeting. body: `Welcome` */
  Welcome: 2,
  /** The accepting side hangs up. body: `Refusal` */
  Refusal: 3,
  /** number: its place in the stream, from 1. body: the frame */
  Frame: 4,
  /** number: frames of yours handled so far */
  Ack: 5,
  /** The session is over. body: `Goodbye` */
  Bye: 6,
  /** Bulk: send these values. body: what `Bulk.encodeWanted` writes */
  Want: 7,
  /** Bulk: the next value has `number` bytes. */
  Found: 8,
  /** Bulk: the next bytes of the value. */
  Chunk: 9,
  /** Bulk: the next value is not here. */
  Missing: 10,
  /** Bulk: the next value may be here; ask again later. */
  Busy: 11,
  /** Bulk: `number` bytes more may be sent. */
  Credit: 12,
  /** Somebody waits for room, or for the end: acknowledge as soon as you have handled `number` frames of mine. */
  AckWanted: 13,
  /** The accepting side: from now on a sign of life every `number` milliseconds, from both sides. */
  Beat: 14,
  /** Bulk: take this value of `number` bytes. body: as one question for it; the bytes follow. */
  Put: 15,
  /** Bulk: the value has been taken. */
  Stored: 16
} as const

/** One message between two ends of a connection. */
export interface Packet {
  readonly kind: number
  /** What it counts depends on the kind; an integer from 0 to 2⁴⁸ − 1. */
  readonly number: number
  readonly body: Uint8Array
}

const nothing = new Uint8Array(0)

/** A packet; its body is kept, not copied. */
export const packet = (kind: number, number: number, body: Uint8Array = nothing): Packet => ({ kind, number, body })

/** packet: check of the header (2 bytes), CRC-32 of the body (4), kind (1), bytes in the body (4), number (6), all little endian; then the body */
export const HEADER = 17

/** Bytes a packet takes on the wire. */
export const sizeOf = (body: Uint8Array): number => HEADER + body.length

/** The connection is no good. A session may live on. */
export const broken = (why: string): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: new Nonsense(why) }) })

/** Nothing came of the connection, for too long. */
export const silent = (why: string): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Timeout", cause: new Error(why) }) })

/** What came makes no sense. */
class Nonsense extends Error {}

/** Whether a connection broke by what came over it, and not by itself. */
export const isNonsense = (error: Socket.SocketError): boolean => error.reason._tag === "SocketReadError" && error.reason.cause instanceof Nonsense

/** Whether what came was an answer of a web server, the likeliest of all that may listen in the place of a scheduler. */
export const spokeHttp = (error: Socket.SocketError): boolean =>
  error.reason._tag === "SocketReadError" && error.reason.cause instanceof Nonsense && error.reason.cause.message === SPOKE_HTTP
const SPOKE_HTTP = "not a packet, but HTTP"

const beginsWith = (bytes: Uint8Array, at: number, text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

/** Bodies of this many bytes and more are written from where they are; smaller ones are joined, for a write costs more than a copy. */
const JOINED = 16 * 1024

/** The bytes of all these packets, in as few pieces as is cheap. */
export const encode = (
  packets: ReadonlyArray<Packet>,
  crc32: (bytes: Uint8Array) => number
): [Uint8Array, ...Array<Uint8Array>] => {
  const pieces: Array<Uint8Array> = []
  let start = 0
  while (start < packets.length) {
    // One piece: packets up to and including the header of the first large body.
    let size = 0
    let end = start
    let large: Uint8Array | undefined
    while (end < packets.length && large === undefined) {
      const { body } = packets[end++]!
      size += HEADER
      if (body.length >= JOINED) large = body
      else size += body.length
    }
    const bytes = new Uint8Array(size)
    let at = 0
    for (let index = start; index < end; index++) {
      const one = packets[index]!
      writeHeader(bytes, at, one, crc32)
      at += HEADER
      if (one.body === large) continue
      bytes.set(one.body, at)
      at += one.body.length
    }
    pieces.push(bytes)
    if (large !== undefined) pieces.push(large)
    start = end
  }
  return pieces as [Uint8Array, ...Array<Uint8Array>] // nobody encodes no packets: the caller's first piece is always there
}

const writeHeader = (bytes: Uint8Array, at: number, { body, kind, number }: Packet, crc32: (bytes: Uint8Array) => number) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER)
  view.setUint32(2, body.length === 0 ? 0 : crc32(body), true)
  view.setUint8(6, kind)
  view.setUint32(7, body.length, true)
  view.setUint32(11, number % 2 ** 32, true)
  view.setUint16(15, Math.floor(number / 2 ** 32), true)
  view.setUint16(0, checkOf(bytes, at), true)
}

/** A check of the header's last 15 bytes that every single damaged byte changes: the factor is odd, so nothing is shifted out. */
const checkOf = (bytes: Uint8Array, at: number): number => {
  let check = 0x5eed
  for (let index = at + 2; index < at + HEADER; index++) check = (check * 31 + bytes[index]!) & 0xffff
  return check
}

/** Cuts packets out of chunks. */
export interface Decoder {
  /** The packets that this chunk completes. Throws a `SocketError` on what cannot be one; the decoder is then of no more use. */
  readonly feed: (chunk: Uint8Array) => Array<Packet>
  /** Bytes in a body at most, from the next packet on. */
  readonly setLimit: (limit: number) => void
  /**
   * Where the bytes that come next end: what is missing of a body that has its place; undefined: nobody knows yet. A chunk that was
   * read there is not copied.
   */
  readonly room: () => Uint8Array | undefined
}

export interface DecoderOptions {
  readonly limit: number
  readonly crc32: (bytes: Uint8Array) => number
  /**
   * Told of every packet as its header comes. Where it returns a place of `length` bytes, the body is written there, and nowhere
   * else on the way. May throw a `SocketError`.
   */
  readonly place?: (kind: number, number: number, length: number) => Uint8Array | undefined
}

/**
 * A decoder. The bodies of packets that lie inside one chunk are views of it, unless they have a place to go. One that spans chunks
 * is copied once, into a buffer of its size, so that a peer who sends single bytes makes us keep no more than what it announced.
 */
export const makeDecoder = (options: DecoderOptions): Decoder => {
  let limit = options.limit
  const header = new Uint8Array(HEADER)
  /** Bytes of the header that are there, while there is no packet under way. */
  let begun = 0
  /** The packet under way, and how much of its body is there. */
  let current: { readonly kind: number; readonly number: number; readonly crc: number; readonly body: Uint8Array; readonly isPlaced: boolean } | undefined
  let filled = 0

  const readHeader = (bytes: Uint8Array, at: number) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER)
    if (view.getUint16(0, true) !== checkOf(bytes, at)) throw broken(beginsWith(bytes, at, "HTTP/") ? SPOKE_HTTP : "not a packet, or a damaged one")
    const kind = view.getUint8(6)
    const length = view.getUint32(7, true)
    if (kind < Kind.Hello || kind > Kind.Stored) throw broken(`no packet is of kind ${kind}`)
    if (length > limit) throw broken(`a packet of ${length} bytes where ${limit} are the limit`)
    const number = view.getUint32(11, true) + view.getUint16(15, true) * 2 ** 32
    return { kind, number, length, crc: view.getUint32(2, true), place: options.place?.(kind, number, length) }
  }
  const finish = (kind: number, number: number, crc: number, body: Uint8Array): Packet => {
    if (crc !== (body.length === 0 ? 0 : options.crc32(body))) throw broken("a damaged packet")
    return packet(kind, number, body)
  }

  const feed = (chunk: Uint8Array): Array<Packet> => {
    const packets: Array<Packet> = []
    let at = 0
    while (at < chunk.length) {
      if (current === undefined) {
        const whole = begun === 0 && chunk.length - at >= HEADER
        if (!whole) {
          const taken = Math.min(HEADER - begun, chunk.length - at)
          header.set(chunk.subarray(at, at + taken), begun)
          begun += taken
          at += taken
          if (begun < HEADER) break
        }
        const { crc, kind, length, number, place } = whole ? readHeader(chunk, at) : readHeader(header, 0)
        if (whole) at += HEADER
        begun = 0
        if (place === undefined && chunk.length - at >= length) {
          packets.push(finish(kind, number, crc, chunk.subarray(at, at + length)))
          at += length
          continue
        }
        current = { kind, number, crc, body: place ?? new Uint8Array(length), isPlaced: place !== undefined }
        filled = 0
      }
      const { body } = current
      const taken = Math.min(body.length - filled, chunk.length - at)
      const isThere = chunk.buffer === body.buffer && chunk.byteOffset + at === body.byteOffset + filled
      if (!isThere) body.set(chunk.subarray(at, at + taken), filled)
      filled += taken
      at += taken
      if (filled < body.length) break
      packets.push(finish(current.kind, current.number, current.crc, body))
      current = undefined
    }
    return packets
  }
  return {
    feed,
    setLimit: (bytes) => {
      limit = bytes
    },
    room: () => current?.isPlaced === true ? current.body.subarray(filled) : undefined
  }
}
