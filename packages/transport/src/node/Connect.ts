/**
 * From an address to a socket, for every kind of address that Node can reach.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Address from "../Address.ts"
import { Network } from "../Memory.ts"
import * as Tcp from "./Tcp.ts"
import * as Unix from "./Unix.ts"

/** A socket that makes a new connection each time its reader is acquired. */
export const connect = (address: Address.Address): Effect.Effect<Socket.Socket, Address.BadAddress, Network> => {
  switch (address._tag) {
    case "Tcp":
      return Tcp.connect(address)
    case "Unix":
      return Unix.connect(address.path)
    case "Inproc":
      return Effect.map(Network, (network) => network.connect(address.name))
  }
}

/** The same for an address as people write it. */
export const connectTo = (address: string): Effect.Effect<Socket.Socket, Address.BadAddress, Network> =>
  Effect.flatMap(Effect.fromResult(Address.parse(address)), connect)

/** Listens there until the scope closes. */
export const listen = (
  address: Address.Address
): Effect.Effect<SocketServer.SocketServer["Service"], Address.BadAddress | SocketServer.SocketServerError, Network | Scope.Scope> => {
  switch (address._tag) {
    case "Tcp":
      return Tcp.listen(address)
    case "Unix":
      return Unix.listen(address.path)
    case "Inproc":
      return Effect.flatMap(Network, (network) => network.listen(address.name))
  }
}
