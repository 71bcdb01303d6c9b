/**
 * Connections over unix sockets: the fastest between processes of one machine,
 * and open only to who may enter the directory.
 *
 * A process that was killed leaves its socket file behind, and listening there
 * fails until somebody removes it. So whoever wants to listen tries to connect
 * first: if nobody answers, the file is stale, and is removed.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { lstatSync, unlinkSync } from "node:fs"
import { createConnection } from "node:net"
import { BadAddress, unixPathProblem } from "../Address.ts"
import * as NetSocket from "./NetSocket.ts"

/** A socket file, and somebody who answers on it. */
const inUse = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const probe = createConnection({ path })
    probe.once("connect", () => {
      probe.destroy()
      resume(Effect.succeed(true))
    })
    probe.once("error", (error: NodeJS.ErrnoException) => {
      probe.destroy()
      // ECONNREFUSED is the mark of a file without a listener; anything else may be somebody busy, or somebody else's.
      resume(Effect.succeed(error.code !== "ECONNREFUSED"))
    })
    return Effect.sync(() => probe.destroy())
  })

const isSocketFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true

const removeStale = (path: string) =>
  Effect.gen(function*() {
    if (!isSocketFile(path) || (yield* inUse(path))) return
    yield* Effect.sync(() => unlinkSync(path))
  })

/**
 * Listens on the path until the scope closes, and removes the file then. Fails with `BadAddress` if the path is too long, and with
 * `SocketServerError` if somebody else listens there.
 */
export const listen = (
  path: string
): Effect.Effect<SocketServer.SocketServer["Service"], BadAddress | SocketServer.SocketServerError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* checked(path)
    yield* removeStale(path)
    return yield* NetSocket.listen({ path })
  })

/** A socket that makes a new connection each time its reader is acquired. */
export const connect = (path: string): Effect.Effect<Socket.Socket, BadAddress> =>
  Effect.andThen(checked(path), Effect.sync(() => NetSocket.connect({ path })))

const checked = (path: string): Effect.Effect<void, BadAddress> => {
  const problem = unixPathProblem(path)
  return problem === undefined ? Effect.void : Effect.fail(new BadAddress({ address: `unix:${path}`.slice(0, 300), detail: problem }))
}

export const layerServer = (path: string): Layer.Layer<SocketServer.SocketServer, BadAddress | SocketServer.SocketServerError> =>
  Layer.effect(SocketServer.SocketServer, listen(path))

export const layerSocket = (path: string): Layer.Layer<Socket.Socket, BadAddress> => Layer.effect(Socket.Socket, connect(path))
