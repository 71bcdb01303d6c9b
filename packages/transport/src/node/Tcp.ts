/**
 * Connections over TCP. Servers listen on the loopback interface unless told
 * otherwise; small messages are not held back (`noDelay`).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Address from "../Address.ts"
import * as NetSocket from "./NetSocket.ts"

export interface ListenOptions {
  /** The interface to listen on. @default "127.0.0.1" */
  readonly host?: string
  /** `0`: any free one. @default 0 */
  readonly port?: number
}

/** Listens until the scope closes. Its `address` has the port that was taken. */
export const listen = (
  options: ListenOptions = {}
): Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, Scope.Scope> =>
  NetSocket.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0, noDelay: true })

/** A socket that makes a new connection each time its reader is acquired. */
export const connect = (options: { readonly host: string; readonly port: number }): Effect.Effect<Socket.Socket> =>
  Effect.sync(() => NetSocket.connect({ host: options.host, port: options.port, noDelay: true }))

/** Where a server listens. */
export const addressOf = (server: SocketServer.SocketServer["Service"]): Address.Address =>
  NetAddress.isInetAddress(server.address)
    ? Address.tcp(NetAddress.formatIp(server.address.address), server.address.port)
    : Address.unix(server.address.path)

export const layerServer = (options?: ListenOptions): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError> =>
  Layer.effect(SocketServer.SocketServer, listen(options))

export const layerSocket = (options: { readonly host: string; readonly port: number }): Layer.Layer<Socket.Socket> =>
  Layer.effect(Socket.Socket, connect(options))
