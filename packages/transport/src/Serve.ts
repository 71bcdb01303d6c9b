/**
 * The accepting side of a session: lets in who may have one, and finds the
 * session that a new connection resumes.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import { type Connection, open } from "./Connection.ts"
import { broken, Kind, packet } from "./Framing.ts"
import { type Authorize, decodeHello, digest, encodeWelcome, fromSpan, type Greeting, greetingLimit, HandshakeRefused, type Hello, toSpan, version } from "./Handshake.ts"
import { Hashing } from "./Hashing.ts"
import { busy, firstPacket, makeRefusalLog, refuse } from "./internal/greeting.ts"
import { type Line, makeLine } from "./internal/line.ts"
import { peerOf, withDefaults } from "./internal/settings.ts"
import type { Session, SessionOptions } from "./Session.ts"

export interface ServeOptions<RA, R> extends SessionOptions {
  /** What this side says of itself. @default { role: "scheduler", name: "" } */
  readonly greeting?: Greeting
  /** Asked at every connection, before anything else is done for it. */
  readonly authorize: Authorize<RA>
  /**
   * Run once for each new session, which lives as long as that does. It sees the end as everybody does, by `session.ended`, and
   * must then return. Its failure ends the session.
   */
  readonly onSession: (session: Session) => Effect.Effect<unknown, unknown, R>
  /** How long a session outlives its connection, unless the dialling side will give up sooner. @default 5000 */
  readonly graceMs?: (peer: Greeting) => number
  /**
   * How often each session gives a sign of life while there are so many, in milliseconds; instead of `beatMs`. Asked with every beat
   * of every session, and the other side is told when it has changed. @default `beatMs`, however many there are
   */
  readonly paceMs?: (sessions: number) => number
  /** Connections at most, and sessions at most. Who comes beyond is told to come back later. @default 4096 */
  readonly maxConnections?: number
}

interface Known {
  readonly line: Line
  readonly beatMs: () => number
  readonly graceMs: number
  readonly peer: Greeting
  readonly token: Uint8Array
}

/** The accepting side: a session for everybody who may have one. Never returns; interrupted, it closes its sessions in good order. */
export const serve = <RA, R>(
  server: SocketServer.SocketServer["Service"],
  options: ServeOptions<RA, R>
): Effect.Effect<never, SocketServer.SocketServerError, RA | Exclude<R, Scope.Scope> | Hashing> =>
  Effect.gen(function*() {
    const hashing = yield* Hashing
    const settings = withDefaults(options)
    const maxConnections = options.maxConnections ?? 4096
    const me = options.greeting ?? { role: "scheduler", name: "" }
    const sessions = new Map<string, Known>()
    const refusals = makeRefusalLog()
    const connectionsScope = yield* Scope.fork(yield* Effect.scope)
    // Closed before the connections are, and all at once: each session needs its connection to close in good order.
    const sessionsScope = yield* Scope.fork(yield* Effect.scope, "parallel")
    // One at a time: two connections that open one session must not make two of it.
    const mutex = yield* Semaphore.make(1)
    let connections = 0

    const create = Effect.fnUntraced(function*(hello: Hello, token: Uint8Array) {
      const peer = peerOf(hello)
      const graceMs = Math.min(options.graceMs?.(peer) ?? 5000, fromSpan(hello.graceMs))
      /** Never more often than the dialling side wants it. */
      const beatMs = () => Math.max(options.paceMs?.(sessions.size) ?? settings.beatMs, fromSpan(hello.beatMs))
      const line = yield* makeLine({
        ...settings,
        window: Math.min(settings.window, hello.window),
        frameLimit: Math.min(settings.frameLimit, hello.frameLimit),
        beatMs: beatMs(),
        nextBeatMs: beatMs,
        graceMs,
        peer
      })
      const known: Known = { line, beatMs, graceMs, peer, token }
      sessions.set(hello.session, known)
      yield* line.live(Effect.scoped(options.onSession(line.session))).pipe(
        Effect.ensuring(Effect.sync(() => sessions.delete(hello.session))),
        Effect.forkIn(sessionsScope)
      )
      return known
    })
    const find = (hello: Hello, token: Uint8Array) =>
      Effect.suspend(() => {
        const known = sessions.get(hello.session)
        if (known !== undefined) {
          return known.peer.role === hello.role && hashing.equal(known.token, token) ? Effect.succeed(known) : Effect.fail(notYours)
        }
        if (hello.resume !== null) return Effect.fail(forgotten)
        return sessions.size >= maxConnections ? Effect.fail(busy) : create(hello, token)
      }).pipe(mutex.withPermit)

    /** Reads the greeting and finds the session, or says why not. */
    const admit = Effect.fnUntraced(function*(connection: Connection) {
      const first = yield* firstPacket(connection, connection.packets).pipe(
        Effect.timeoutOrElse({ duration: settings.handshakeMs, orElse: () => Effect.fail(broken("no greeting in time")) })
      )
      // Nothing may follow a greeting before it is answered.
      if (first.packet.kind !== Kind.Hello || first.rest > 0) return yield* Effect.fail(broken("no greeting"))
      const hello = yield* decodeHello(first.packet.body)
      const token = Redacted.make(hello.token)
      yield* options.authorize({ ...peerOf(hello), token })
      if (hello.epoch > (me.epoch ?? 0)) {
        return yield* new HandshakeRefused({ reason: "Epoch", message: `Epoch ${hello.epoch} has begun; this is a server of epoch ${me.epoch ?? 0}.` })
      }
      const known = yield* find(hello, digest(hashing, token))
      return { known, hello }
    })
    const connected = Effect.fnUntraced(function*(socket: Socket.Socket) {
      const connection = yield* open(socket, { limit: greetingLimit, crc32: hashing.crc32 })
      const { hello, known } = yield* (connections > maxConnections ? Effect.fail(busy) : admit(connection)).pipe(
        Effect.tapError((error) => error._tag === "HandshakeRefused" ? Effect.andThen(refuse(connection, error), refusals.note(error)) : Effect.void)
      )
      connection.setLimit(settings.frameLimit)
      const beatMs = known.beatMs()
      yield* connection.write([packet(Kind.Welcome, 0, encodeWelcome({
        version,
        role: me.role,
        name: me.name,
        epoch: me.epoch ?? 0,
        received: known.line.received(),
        window: settings.window,
        frameLimit: settings.frameLimit,
        beatMs: toSpan(beatMs),
        graceMs: toSpan(known.graceMs)
      }))])
      yield* known.line.carry(connection, hello.resume ?? 0, beatMs)
    }, (handling) =>
      handling.pipe(
        Effect.scoped,
        // The connection's end is no news here, and of the session's end whoever uses it knows.
        Effect.catchTag(["SocketError", "SessionEnded", "NotAGreeting", "HandshakeRefused"], () => Effect.void)
      ))
    const counted = (socket: Socket.Socket) =>
      Effect.suspend(() => {
        connections++
        return connected(socket)
      }).pipe(Effect.ensuring(Effect.sync(() => {
        connections--
      })))
    const listening = yield* Effect.forkIn(server.run(counted), connectionsScope)
    return yield* Fiber.join(listening)
  }).pipe(Effect.scoped) as Effect.Effect<never, SocketServer.SocketServerError, RA | Exclude<R, Scope.Scope> | Hashing> // the scopes of sessions are made here

const notYours = new HandshakeRefused({ reason: "Unauthorized", message: "This session belongs to another role or token." })
const forgotten = new HandshakeRefused({ reason: "Forgotten", message: "No such session here, or not any more. Connect anew." })
