/**
 * Values on connections of their own: what both sides of bulk data share.
 *
 * Values are asked for by numbers, `(id, run)`, and answered in the order of the
 * question: found, missing, or busy. A found value comes in chunks of at most
 * 1 MiB with a CRC-32 each, straight into the one array that it ends in. The
 * asking side grants credit, in bytes, so that its memory is its own affair; a
 * damaged chunk breaks the connection, for nothing that follows can be trusted.
 *
 * Copies of each byte between the store of one worker and that of another: none by the sender, whose chunks are written from
 * where they are, and hardly one by the receiver, who reads most of them to where the value ends. Before that, encoding is one copy.
 * After it, a body in the worker's process gets a copy of its own, for it may change it; a thread gets one with its job and views
 * that; a client views what came. The kernel's two are not counted.
 *
 * A value may also be brought, by a client that scatters it: one at a time, in the
 * same chunks, and the socket's own buffers are what holds the sender back.
 *
 * Never in RPC frames: those are copied, decoded and held in a resend buffer
 * (290 MiB/s against 960), and a value may simply be asked for again.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Socket from "effect/socket/Socket"
import { broken } from "./Framing.ts"

/** Where the bytes that come next end, and may be read to; undefined: nobody knows yet, so they are read anywhere. */
export type Room = () => Uint8Array | undefined

/** A value that is asked for: the result of one run of a task. */
export interface Wanted {
  readonly id: number
  readonly run: number
}

/** What became of a wanted value. `Busy`: ask again later, or elsewhere. */
export type Answer =
  | { readonly _tag: "Found"; readonly bytes: Uint8Array }
  | { readonly _tag: "Missing" }
  | { readonly _tag: "Busy" }

export const found = (bytes: Uint8Array): Answer => ({ _tag: "Found", bytes })
export const missing: Answer = { _tag: "Missing" }
export const busy: Answer = { _tag: "Busy" }

/** Values were asked for and did not come, or brought and not taken. They may still be there: ask again, or elsewhere. */
export class BulkFailed extends Schema.TaggedError<BulkFailed>()("BulkFailed", {
  address: Schema.String,
  /**
   * - `Connect`: no connection came about.
   * - `Unauthorized`: the other side does not let this one in, or speaks another version.
   * - `Lost`: the connection broke before all had come.
   * - `Damaged`: what came is not what was sent, or no answer to the question.
   * - `Stalled`: nothing came for too long.
   * - `TooLarge`: a value is larger than this side takes.
   */
  reason: Schema.Literals(["Connect", "Unauthorized", "Lost", "Damaged", "Stalled", "TooLarge"]),
  detail: Schema.String
}) {
  override get message() {
    return `Could not exchange values with ${this.address} (${this.reason}): ${this.detail}`
  }
}

/** Bytes in one chunk at most. */
export const chunkBytes = 1024 * 1024
/** Bytes of chunks that may be under way before the asking side has taken them. */
export const creditBytes = 8 * chunkBytes
/** Values in one question at most. */
export const wantedLimit = 4096

/** wanted: id, run (float64 each, little endian), in order */
const WANTED = 16

export const encodeWanted = (wanted: ReadonlyArray<Wanted>): Uint8Array => {
  const bytes = new Uint8Array(wanted.length * WANTED)
  const view = new DataView(bytes.buffer)
  wanted.forEach(({ id, run }, index) => {
    view.setFloat64(index * WANTED, id, true)
    view.setFloat64(index * WANTED + 8, run, true)
  })
  return bytes
}

/** Fails on what cannot be a question: nobody's numbers are −1, 1.5, NaN or 2⁵³. */
export const decodeWanted = (bytes: Uint8Array): Effect.Effect<ReadonlyArray<Wanted>, Socket.SocketError> =>
  Effect.suspend(() => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const count = bytes.length / WANTED
    if (!Number.isInteger(count) || count > wantedLimit) return Effect.fail(broken("no question for values"))
    const wanted: Array<Wanted> = []
    for (let at = 0; at < bytes.length; at += WANTED) {
      const id = view.getFloat64(at, true)
      const run = view.getFloat64(at + 8, true)
      if (!Number.isSafeInteger(id) || id < 0 || !Number.isSafeInteger(run) || run < 0) return Effect.fail(broken("no question for values"))
      wanted.push({ id, run })
    }
    return Effect.succeed(wanted)
  })
