/**
 * Sockets of all kinds that Node has, and those inside this process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SocketServer from "effect/socket/SocketServer"
import * as Address from "@skein/transport/Address"
import { Network } from "@skein/transport/Memory"
import * as BulkSocket from "@skein/transport/node/BulkSocket"
import * as Connect from "@skein/transport/node/Connect"
import * as Tcp from "@skein/transport/node/Tcp"
import { Sockets, SocketsFailed } from "../Sockets.ts"

/** In the system's words where it is the system that refused, such as "listen EADDRINUSE: address already in use". */
const explain = (error: Address.BadAddress | SocketServer.SocketServerError): string =>
  error._tag === "SocketServerError" ? String(error.reason.cause) : error.message

/** With the `inproc://` names of the given network; built anew at each use, for the networks differ. */
export const layer: Layer.Layer<Sockets, never, Network> = Layer.fresh(Layer.effect(Sockets, Effect.gen(function*() {
  const network = yield* Network
  const failed = (address: string) => (error: Address.BadAddress | SocketServer.SocketServerError) =>
    new SocketsFailed({ address, detail: explain(error) })
  return Sockets.of({
    connect: (address) => Connect.connectTo(address).pipe(Effect.provideService(Network, network), Effect.mapError(failed(address))),
    connectBulk: (address, room) => BulkSocket.connectTo(address, room).pipe(Effect.provideService(Network, network), Effect.mapError(failed(address))),
    listen: (address) =>
      Effect.gen(function*() {
        const parsed = yield* Effect.fromResult(Address.parse(address))
        const server = yield* Connect.listen(parsed)
        return { server, address: Address.print(parsed._tag === "Tcp" ? Tcp.addressOf(server) : parsed) }
      }).pipe(Effect.provideService(Network, network), Effect.mapError(failed(address)))
  })
})))
