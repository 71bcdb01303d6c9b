/**
 * How a worker reaches others and is reached, by address.
 *
 * A service, for a simulation has a network of its own; the real one is
 * node/NodeSockets.ts.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import type { Room } from "@skein/transport/Bulk"

/** Nothing can be reached, or nobody can listen, at this address. */
export class SocketsFailed extends Schema.TaggedError<SocketsFailed>()("SocketsFailed", {
  address: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `The address ${this.address} cannot be used: ${this.detail}`
  }
}

export interface Listening {
  readonly server: SocketServer.SocketServer["Service"]
  /** Where others reach it: with the port that was taken. */
  readonly address: string
}

export class Sockets extends Context.Service<Sockets, {
  /** A socket that makes a new connection each time its reader is acquired. */
  readonly connect: (address: string) => Effect.Effect<Socket.Socket, SocketsFailed>
  /** The same for `BulkClient` alone: what a read brings is valid until the next one. */
  readonly connectBulk: (address: string, room: Room) => Effect.Effect<Socket.Socket, SocketsFailed>
  /** Listens until the scope closes. */
  readonly listen: (address: string) => Effect.Effect<Listening, SocketsFailed, Scope.Scope>
}>()("@skein/runtime/worker/Sockets") {}
