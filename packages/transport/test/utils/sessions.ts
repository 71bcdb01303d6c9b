/**
 * What most tests of sessions need: a server and a dialled session on it.
 */
import * as Handshake from "@skein/transport/Handshake"
import * as Session from "@skein/transport/Session"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"

export const token = Redacted.make("a token that only the tests know")
export const worker: Handshake.Greeting = { role: "worker", name: "worker-1", token }
export const authorize = Handshake.byToken(token)

/** A frame that carries its number and some ballast. */
export const frame = (n: number, bytes = 4): Uint8Array => {
  const frame = new Uint8Array(Math.max(4, bytes))
  new DataView(frame.buffer).setUint32(0, n)
  for (let i = 4; i < bytes; i++) frame[i] = (n + i) & 255
  return frame
}
/** Whether the ballast is what `frame` put there. */
export const isIntact = (received: Uint8Array): boolean => {
  const n = numberOf(received)
  return received.subarray(4).every((byte, i) => byte === ((n + i + 4) & 255))
}
export const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(0)

/** Serves in the background of the scope; hands over each session that is opened, and keeps it until it ends. */
export const accepting = Effect.fnUntraced(function*(
  server: SocketServer.SocketServer["Service"],
  options: Partial<Session.ServeOptions<never, never>> = {}
) {
  const sessions = yield* Queue.unbounded<Session.Session>()
  const serving = yield* Session.serve(server, {
    authorize,
    onSession: (session) => Effect.andThen(Queue.offer(sessions, session), Effect.ignore(session.ended)),
    ...options
  }).pipe(Effect.forkScoped)
  return { sessions, serving }
})

/** Both ends of one session. */
export const pair = Effect.fnUntraced(function*(
  network: { readonly server: SocketServer.SocketServer["Service"]; readonly socket: Socket.Socket },
  options: Session.SessionOptions & { readonly graceMs?: number } = {}
) {
  const { graceMs, ...common } = options
  const { sessions } = yield* accepting(network.server, { ...common, ...(graceMs === undefined ? {} : { graceMs: () => graceMs }) })
  const here = yield* Session.dial({ socket: network.socket, greeting: worker, ...options })
  const there = yield* Queue.take(sessions)
  return { here, there }
})

/** Collects what arrives at a session, as numbers. */
export const collecting = Effect.fnUntraced(function*(session: Session.Session, count: number) {
  const arrived: Array<number> = []
  const all = yield* Deferred.make<ReadonlyArray<number>>()
  yield* Effect.forkScoped(session.run((frame) =>
    Effect.suspend(() => {
      arrived.push(numberOf(frame))
      return arrived.length === count ? Deferred.succeed(all, arrived) : Effect.void
    })
  ))
  return { arrived, all: Deferred.await(all) }
})
