/**
 * The messages of the floor, and a connection that carries them: all that is to
 * be said in one turn of the event loop leaves as one frame.
 *
 * A message is lists of rows in Effect's binary format, as ours are. There are
 * no answers, no numbers of frames and no sessions: whoever loses a connection
 * ends.
 */
import { Schema } from "effect"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import type { Socket } from "node:net"

const Id = Schema.Number
const rows = <S extends Schema.Constraint>(row: S) => Schema.mutable(Schema.Array(row))

/** What the client says. */
export const FromClient = Schema.Struct({
  submit: rows(Schema.Struct({ id: Id, key: Schema.String, needs: Schema.Array(Id), call: Schema.Uint8Array })),
  release: rows(Id)
})
/** What the client hears: what is in memory, with small values. */
export const ToClient = Schema.Struct({ done: rows(Schema.Struct({ id: Id, worker: Schema.Number, value: Schema.Uint8Array })) })
/** What a worker says. */
export const FromWorker = Schema.Struct({ done: rows(Schema.Struct({ id: Id, run: Schema.Number, value: Schema.Uint8Array })) })
/** What a worker hears. */
export const ToWorker = Schema.Struct({
  compute: rows(Schema.Struct({
    id: Id,
    key: Schema.String,
    run: Schema.Number,
    needs: Schema.Array(Schema.Struct({ id: Id, worker: Schema.Number })),
    call: Schema.Uint8Array
  })),
  free: rows(Id)
})

export interface Connection<Out> {
  /** This turn's message, to be added to: it leaves once the turn is over. */
  readonly turn: () => Out
}

/** Speaks over a socket; `empty` is a message that says nothing yet. */
export const connection = <In, Out>(
  socket: Socket,
  incoming: Schema.Codec<In, unknown>,
  outgoing: Schema.Codec<Out, unknown>,
  empty: () => Out,
  hear: (message: In) => void
): Connection<Out> => {
  const { encode } = SchemaBinary.encoder(outgoing)
  const parser = SchemaBinary.parser(incoming)
  let next: Out | undefined
  const leave = () => {
    const message = next
    next = undefined
    socket.write(encode(message))
  }
  socket.on("data", (bytes) => parser.feedSync(bytes).forEach(hear))
  return {
    turn: () => {
      if (next === undefined) setImmediate(leave)
      return next ??= empty()
    }
  }
}
