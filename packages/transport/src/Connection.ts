/**
 * One connection, as packets.
 *
 * It closes with its scope. What it had still to write then gets its time,
 * unless the other side had already stopped reading: then the connection is cut,
 * for a polite close would wait for that reader for ever.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Framing from "./Framing.ts"
import * as Prompt from "./Prompt.ts"
import * as PromptSocket from "./PromptSocket.ts"

export interface Connection {
  /** What has come; at least one chunk of bytes, perhaps no whole packet yet. */
  readonly packets: Effect.Effect<ReadonlyArray<Framing.Packet>, Socket.SocketError>
  /** Calls this with what has come, again and again, and goes on when what it gives is done (`Prompt`). */
  readonly each: <E>(take: (packets: ReadonlyArray<Framing.Packet>) => Effect.Effect<void, E>) => Effect.Effect<never, E | Socket.SocketError>
  /** Completes when the connection has taken it all; waits while its buffers are full. */
  readonly write: (packets: ReadonlyArray<Framing.Packet>) => Effect.Effect<void, Socket.SocketError>
  /** The same, within the call as far as it can be (`Prompt`). */
  readonly writeNow: Connection["write"]
  /** Bytes in a packet's body at most, from the next one on. */
  readonly setLimit: (limit: number) => void
}

/** Dials, or accepts; the options are the decoder's, and `limit` holds until `setLimit`. */
export const open = (socket: Socket.Socket, options: Framing.DecoderOptions): Effect.Effect<Connection, Socket.SocketError, Scope.Scope> =>
  openWith(socket, Framing.makeDecoder(options), options.crc32)

/** The same with a decoder that is there already, for a socket that asks it where to read to. */
export const openWith = Effect.fnUntraced(function*(
  socket: Socket.Socket,
  decoder: Framing.Decoder,
  crc32: (bytes: Uint8Array) => number
): Effect.fn.Return<Connection, Socket.SocketError, Scope.Scope> {
  const reader = yield* socket.reader
  const pull = yield* Socket.readerBytes({ ...socket, reader: Effect.succeed(reader) })
  const writer = yield* socket.writer
  let writing = 0
  yield* Effect.addFinalizer(() => writing > 0 ? Effect.ignore(writer.write(new Socket.CloseEvent(1000))) : Effect.void)

  const cut = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Framing.Packet> => {
    if (chunks.length === 1) return decoder.feed(chunks[0]!)
    const all: Array<Framing.Packet> = []
    for (const chunk of chunks) for (const one of decoder.feed(chunk)) all.push(one)
    return all
  }
  const why = (error: unknown): Socket.SocketError => Socket.isSocketError(error) ? error : Framing.broken(String(error))
  const packets = Effect.flatMap(pull, (chunks) => Effect.try({ try: () => cut(chunks), catch: why }))
  const each: Connection["each"] = <E>(take: (packets: ReadonlyArray<Framing.Packet>) => Effect.Effect<void, E>) =>
    PromptSocket.each<E | Socket.SocketError>(reader, pull, (chunks) => {
      let packets: ReadonlyArray<Framing.Packet>
      try {
        packets = cut(chunks)
      } catch (error) {
        return Effect.fail(why(error))
      }
      return take(packets)
    })
  const writeNow: Connection["writeNow"] = (out) => {
    const left = PromptSocket.writeNow(writer, Framing.encode(out, crc32))
    if (Prompt.isDone(left)) return left
    return Effect.suspend(() => {
      writing++
      return Effect.andThen(
        left,
        Effect.sync(() => {
          writing--
        })
      )
    })
  }
  return { packets, each, write: (out) => Effect.suspend(() => writeNow(out)), writeNow, setLimit: decoder.setLimit }
})
