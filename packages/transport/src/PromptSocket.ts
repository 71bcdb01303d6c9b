/**
 * Sockets that are read and written by plain calls.
 *
 * Effect's sockets have an effect for each read and each write, run by a fiber
 * that sleeps in between. One of our own may do more (`Prompt`): hand over what
 * comes within the callback that brings it, and take what is written within the
 * call. The others, those of simulated networks among them, are used as they are;
 * what comes of it is the same.
 */
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"

export type Chunks = readonly [Uint8Array, ...ReadonlyArray<Uint8Array>]
type Take<E> = (chunks: Chunks) => Effect.Effect<void, E>

/** One that can be read so. */
export interface Reader extends Socket.Reader {
  /** Calls this with what comes, until that leaves something to wait for, and completes when that has. */
  readonly whileDone: <E>(take: Take<E>) => Effect.Effect<void, E | Socket.SocketError>
}

/** One that can be written so. */
export interface Writer extends Socket.Writer {
  readonly writeNow: Socket.Writer["writeAll"]
}

/** Calls this with what comes, again and again, and goes on when what it gives is done. */
export const each = <E>(
  reader: Socket.Reader | Reader,
  pull: Effect.Effect<Chunks, Socket.SocketError>,
  take: Take<E>
): Effect.Effect<never, E | Socket.SocketError> =>
  Effect.forever("whileDone" in reader ? reader.whileDone(take) : Effect.flatMap(pull, take), { disableYield: true })

/** Writes them, within the call if the socket can. */
export const writeNow = (writer: Socket.Writer | Writer, chunks: [Uint8Array, ...Array<Uint8Array>]): Effect.Effect<void, Socket.SocketError> =>
  "writeNow" in writer ? writer.writeNow(chunks) : writer.writeAll(chunks)
