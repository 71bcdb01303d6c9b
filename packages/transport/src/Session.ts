/**
 * A session: a reliable, ordered stream of frames between two parties, over
 * connections that come and go. RPC stands on it (`Duplex`) and sees only its
 * end, never a reconnect.
 *
 * - Every frame has a number and stays in the sender's buffer until the other
 *   side has *handled* it. After a re-dial the two tell each other how far they
 *   have received, and the rest is sent again. What comes twice is dropped, so a
 *   frame is applied once, in order, or the session is over.
 * - Acknowledgement is one number, "handled up to here". It travels with the next
 *   frames, and alone only after a few milliseconds without any, or when a writer
 *   over there may be waiting for room: one write a turn, and none for itself.
 * - Writers wait while the buffer is full. Because frames are acknowledged when
 *   handled, the same bytes bound what waits on the other side.
 * - A broken connection is an event of every day; anything else that stops a
 *   loop, a defect above all, ends the session and is its cause.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import type * as SubscriptionRef from "effect/SubscriptionRef"
import { type Connection, open } from "./Connection.ts"
import { broken, Kind, packet } from "./Framing.ts"
import {
  type Authorize,
  decodeHello,
  decodeRefusal,
  decodeWelcome,
  digest,
  encodeHello,
  encodeWelcome,
  fromSpan,
  type Greeting,
  greetingLimit,
  HandshakeRefused,
  type Hello,
  NotAGreeting,
  toSpan,
  version,
  type Welcome
} from "./Handshake.ts"
import { Hashing } from "./Hashing.ts"
import { busy, firstPacket, makeRefusalLog, refuse } from "./internal/greeting.ts"
import { type Line, makeLine } from "./internal/line.ts"
import { ConnectFailed, SessionEnded } from "./SessionEnded.ts"

export { unauthorizedCount } from "./internal/greeting.ts"
export { ConnectFailed, FrameTooLarge, SessionEnded } from "./SessionEnded.ts"

/** `lost`: it is over. */
export type Status = "connected" | "reconnecting" | "lost"

/** A reliable, ordered stream of frames in both directions. */
export interface Session {
  /**
   * Completes when the frame is accepted; waits for room. From then on it arrives, or the session ends. The frame is kept, not
   * copied: do not change it any more. Dies with `FrameTooLarge` if it is.
   */
  readonly send: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>
  /** Like `send`, but never waits: for the few messages that make room. Too many of them end the session. */
  readonly sendNow: (frame: Uint8Array) => Effect.Effect<void, SessionEnded>
  /**
   * Hands over what arrives, one after the other; to be run once. Whatever stops it ends the session: an interruption in good
   * order, a defect of `handle` with that cause.
   */
  readonly run: (handle: (frame: Uint8Array) => Effect.Effect<void>) => Effect.Effect<never, SessionEnded>
  /** Ends it at once and tells the other side; the first cause counts. */
  readonly end: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
  /** Ends it in good order: accepts nothing more, and waits up to `closeMs` until the other side has handled what was accepted. */
  readonly close: Effect.Effect<void>
  /** Fails when the session is over. */
  readonly ended: Effect.Effect<never, SessionEnded>
  /** For people to see; nothing is to be decided by it. */
  readonly status: SubscriptionRef.SubscriptionRef<Status>
  /** What the other side said of itself, without its token. */
  readonly peer: Greeting
}

/** What both sides may choose. Raw numbers are milliseconds and bytes. */
export interface SessionOptions {
  /** Bytes that may wait for their acknowledgement before writers wait; the smaller of both sides' counts. @default 1 MiB */
  readonly window?: number
  /** Bytes in one frame at most; likewise. @default 16 MiB */
  readonly frameLimit?: number
  /**
   * A sign of life this often, or as seldom as the other side wants it; after three silent beats the connection counts as broken.
   * `Infinity`: none. @default 1000
   */
  readonly beatMs?: number
  /** How long either side may take to greet. @default 5000 */
  readonly handshakeMs?: number
  /** How long `close` waits for acknowledgements. @default 1000 */
  readonly closeMs?: number
}

const withDefaults = (options: SessionOptions) => ({
  window: options.window ?? 1024 * 1024,
  frameLimit: options.frameLimit ?? 16 * 1024 * 1024,
  beatMs: options.beatMs ?? 1000,
  handshakeMs: options.handshakeMs ?? 5000,
  closeMs: options.closeMs ?? 1000
})

export interface DialOptions extends SessionOptions {
  /** A new connection each time its `reader` is acquired. */
  readonly socket: Socket.Socket
  readonly greeting: Greeting
  /** How long the first connection may take, attempts repeated. @default 10000 */
  readonly timeoutMs?: number
  /** How long the session outlives its connection. @default as long as the accepting side keeps it */
  readonly graceMs?: number
}

/**
 * Opens a session. It ends with the scope: in good order, unless that closes with a failure.
 *
 * Until the first welcome it tries again and again, within `timeoutMs`, unless trying again cannot help; afterwards it redials by
 * itself whenever the connection breaks.
 */
export const dial = Effect.fnUntraced(function*(options: DialOptions): Effect.fn.Return<Session, ConnectFailed, Hashing | Scope.Scope> {
  const hashing = yield* Hashing
  const scope = yield* Effect.scope
  const settings = withDefaults(options)
  const id = Hex.encode(hashing.random(16))
  /** Greets, and is welcomed. `resume`: frames received so far. */
  const meet = Effect.fnUntraced(function*(resume: number | null) {
    const connection = yield* open(options.socket, { limit: settings.frameLimit, crc32: hashing.crc32 })
    const hello = encodeHello(helloOf(options.greeting, {
      session: id,
      resume,
      window: settings.window,
      frameLimit: settings.frameLimit,
      beatMs: toSpan(settings.beatMs),
      graceMs: toSpan(options.graceMs ?? Infinity)
    }))
    const first = yield* firstPacket(connection, Effect.andThen(connection.write([packet(Kind.Hello, 0, hello)]), connection.packets))
    if (first.packet.kind === Kind.Refusal) return yield* Effect.flatMap(decodeRefusal(first.packet.body), Effect.fail)
    if (first.packet.kind !== Kind.Welcome) return yield* new NotAGreeting()
    const welcome = yield* decodeWelcome(first.packet.body)
    if (welcome.epoch < (options.greeting.epoch ?? 0)) {
      return yield* new HandshakeRefused({ reason: "Epoch", message: `It belongs to epoch ${welcome.epoch}, and epoch ${options.greeting.epoch} has begun.` })
    }
    return { connection: first.connection, welcome }
  }, (meeting) => Effect.timeoutOrElse(meeting, { duration: settings.handshakeMs, orElse: () => Effect.fail(broken("no greeting in time")) }))

  const first = yield* meetFirst(Scope.fork(scope).pipe(Effect.flatMap((own) =>
    meet(null).pipe(
      Scope.provide(own),
      Effect.map((met) => ({ ...met, own })),
      Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
    )
  )), options.timeoutMs ?? 10_000)
  const graceMs = options.graceMs ?? fromSpan(first.welcome.graceMs)
  const line = yield* makeLine({
    ...settings,
    window: Math.min(settings.window, first.welcome.window),
    frameLimit: Math.min(settings.frameLimit, first.welcome.frameLimit),
    beatMs: Math.max(settings.beatMs, fromSpan(first.welcome.beatMs)),
    graceMs,
    peer: peerOf(first.welcome)
  })

  /** Redials once; whether a connection came about. */
  const again: Effect.Effect<boolean, SessionEnded> = Effect.gen(function*() {
    const { connection, welcome } = yield* meet(line.received())
    if (welcome.epoch !== first.welcome.epoch || welcome.received < line.acked()) {
      return yield* Effect.fail(SessionEnded.of("grace", "the other side has started anew and knows nothing of this session"))
    }
    yield* line.carry(connection, welcome.received)
    return true
  }).pipe(
    Effect.scoped,
    Effect.catchTag(["SocketError", "NotAGreeting"], () => Effect.succeed(false)),
    Effect.catchTag("HandshakeRefused", (refused) =>
      refused.reason === "Busy"
        ? Effect.succeed(false)
        : Effect.fail(SessionEnded.of(refused.reason === "Forgotten" ? "grace" : "refused", `the other side: ${refused.message}`)))
  )
  // The first connection is carried in any case, and so says goodbye even if the session has ended before it could begin.
  const keepConnected = Effect.gen(function*() {
    yield* Effect.ensuring(line.carry(first.connection, first.welcome.received), Scope.close(first.own, Exit.void))
    return yield* Effect.raceFirst(redialling, line.session.ended)
  })
  const redialling = Effect.gen(function*() {
    for (let failures = 0;; failures++) {
      // Several attempts within the grace, however short that is.
      yield* backOff(failures, Math.min(longestPauseMs, graceMs / 10))
      if (yield* again) failures = -1
    }
  })
  const living = yield* Effect.forkScoped(line.live(keepConnected))
  yield* Effect.addFinalizer((exit) =>
    Effect.andThen(
      Exit.isFailure(exit) && !Exit.hasInterrupts(exit) ? line.session.end(exit.cause) : line.session.close,
      Effect.timeoutOption(Fiber.await(living), goodbyeMs)
    )
  )
  return line.session
})

/** Half of it is chance: when a scheduler returns, its thousand workers do not call in the same millisecond. */
const backOff = (failures: number, longestMs: number) =>
  Effect.flatMap(Random.next, (chance) => Effect.sleep((0.5 + chance / 2) * Math.min(longestMs, 10 * 2 ** failures)))
const longestPauseMs = 2000
/** How long the scope's end waits for the last word to leave. */
const goodbyeMs = 2000

const helloOf = (greeting: Greeting, rest: Omit<Hello, "version" | "role" | "name" | "epoch" | "token">): Hello => ({
  version,
  role: greeting.role,
  name: greeting.name,
  epoch: greeting.epoch ?? 0,
  token: greeting.token === undefined ? "" : Redacted.value(greeting.token),
  ...rest
})

const peerOf = ({ epoch, name, role }: Hello | Welcome): Greeting => ({ role, name, epoch })

/** Tries until it is welcome, or trying is of no use, or the time is up. */
const meetFirst = <A>(
  attempt: Effect.Effect<A, Socket.SocketError | HandshakeRefused | NotAGreeting>,
  timeoutMs: number
): Effect.Effect<A, ConnectFailed> =>
  Effect.suspend(() => {
    let last = new ConnectFailed({ reason: "Timeout", detail: `no answer within ${timeoutMs} ms` })
    return Effect.gen(function*() {
      for (let failures = 0;; failures++) {
        const tried = yield* Effect.result(attempt)
        if (tried._tag === "Success") return tried.success
        last = connectFailed(tried.failure)
        if (last.reason === "Unauthorized" || last.reason === "Version" || last.reason === "BadAddress") return yield* last
        yield* backOff(failures, longestPauseMs)
      }
    }).pipe(Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(last) }))
  })

const connectFailed = (error: Socket.SocketError | HandshakeRefused | NotAGreeting): ConnectFailed => {
  if (error._tag === "NotAGreeting") return new ConnectFailed({ reason: "Version", detail: error.message })
  if (error._tag === "HandshakeRefused") {
    const reason = error.reason === "Unauthorized" || error.reason === "Version" ? error.reason : "Refused"
    return new ConnectFailed({ reason, detail: error.message })
  }
  const cause = "cause" in error.reason ? error.reason.cause : undefined
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  const detail = cause instanceof Error ? cause.message : error.message
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return new ConnectFailed({ reason: "Dns", detail })
  if (code === "ERR_SOCKET_BAD_PORT" || code === "EINVAL" || code === "ENAMETOOLONG") return new ConnectFailed({ reason: "BadAddress", detail })
  if (code === "ETIMEDOUT" || (error.reason._tag === "SocketOpenError" && error.reason.kind === "Timeout")) {
    return new ConnectFailed({ reason: "Timeout", detail })
  }
  return new ConnectFailed({ reason: "Refused", detail })
}

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
  /** Connections at most, and sessions at most. Who comes beyond is told to come back later. @default 4096 */
  readonly maxConnections?: number
}

interface Known {
  readonly line: Line
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
      const line = yield* makeLine({
        ...settings,
        window: Math.min(settings.window, hello.window),
        frameLimit: Math.min(settings.frameLimit, hello.frameLimit),
        beatMs: Math.max(settings.beatMs, fromSpan(hello.beatMs)),
        graceMs,
        peer
      })
      const known: Known = { line, graceMs, peer, token }
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
      yield* connection.write([packet(Kind.Welcome, 0, encodeWelcome({
        version,
        role: me.role,
        name: me.name,
        epoch: me.epoch ?? 0,
        received: known.line.received(),
        window: settings.window,
        frameLimit: settings.frameLimit,
        beatMs: toSpan(settings.beatMs),
        graceMs: toSpan(known.graceMs)
      }))])
      yield* known.line.carry(connection, hello.resume ?? 0)
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
