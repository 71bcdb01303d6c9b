/**
 * The dialling side of a session: greets until it is welcome, and redials by
 * itself whenever the connection breaks.
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import { open } from "./Connection.ts"
import { isNonsense, Kind, packet, silent, spokeHttp } from "./Framing.ts"
import { decodeRefusal, decodeWelcome, encodeHello, fromSpan, type Greeting, HandshakeRefused, type Hello, NotAGreeting, toSpan, version, type Welcome } from "./Handshake.ts"
import { Hashing } from "./Hashing.ts"
import { firstPacket } from "./internal/greeting.ts"
import { makeLine } from "./internal/line.ts"
import { peerOf, withDefaults } from "./internal/settings.ts"
import type { Session, SessionOptions } from "./Session.ts"
import { ConnectFailed, SessionEnded } from "./SessionEnded.ts"

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
  }, (meeting) => Effect.timeoutOrElse(meeting, { duration: settings.handshakeMs, orElse: () => Effect.fail(silent("what listens there does not answer")) }))

  const first = yield* meetFirst(Scope.fork(scope).pipe(Effect.flatMap((own) =>
    meet(null).pipe(
      Scope.provide(own),
      Effect.map((met) => ({ ...met, own })),
      Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
    )
  )), options.timeoutMs ?? 10_000)
  const graceMs = options.graceMs ?? fromSpan(first.welcome.graceMs)
  const beatOf = (welcome: Welcome) => Math.max(settings.beatMs, fromSpan(welcome.beatMs))
  const line = yield* makeLine({
    ...settings,
    window: Math.min(settings.window, first.welcome.window),
    frameLimit: Math.min(settings.frameLimit, first.welcome.frameLimit),
    beatMs: beatOf(first.welcome),
    graceMs,
    peer: peerOf(first.welcome)
  })

  /** Redials once; whether a connection came about. */
  const again: Effect.Effect<boolean, SessionEnded> = Effect.gen(function*() {
    const { connection, welcome } = yield* meet(line.received())
    if (welcome.epoch !== first.welcome.epoch || welcome.received < line.acked()) {
      return yield* Effect.fail(SessionEnded.of("grace", "the other side has started anew and knows nothing of this session"))
    }
    yield* line.carry(connection, welcome.received, beatOf(welcome))
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
    yield* Effect.ensuring(line.carry(first.connection, first.welcome.received, beatOf(first.welcome)), Scope.close(first.own, Exit.void))
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

/** Tries until it is welcome, or trying is of no use, or the time is up; says then how often it tried. */
const meetFirst = <A>(
  attempt: Effect.Effect<A, Socket.SocketError | HandshakeRefused | NotAGreeting>,
  timeoutMs: number
): Effect.Effect<A, ConnectFailed> =>
  Effect.suspend(() => {
    let last = new ConnectFailed({ reason: "Timeout", detail: "no answer" })
    let tries = 0
    return Effect.gen(function*() {
      for (;;) {
        tries++
        const tried = yield* Effect.result(attempt)
        if (tried._tag === "Success") return tried.success
        last = connectFailed(tried.failure)
        if (isFinal(tried.failure, last)) return yield* last
        yield* backOff(tries - 1, longestPauseMs)
      }
    }).pipe(Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => {
        const count = `${tries} ${tries > 1 ? "tries" : "try"} in ${seconds(timeoutMs)}`
        return Effect.fail(new ConnectFailed({ reason: last.reason, detail: `${last.detail}, ${count}` }))
      }
    }))
  })

const seconds = (ms: number): string => ms < 1000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`

/** Whether trying again cannot help. */
const isFinal = (error: Socket.SocketError | HandshakeRefused | NotAGreeting, { reason }: ConnectFailed): boolean =>
  reason === "Unauthorized" || reason === "Version" || reason === "BadAddress" || (error._tag === "SocketError" && spokeHttp(error))

const versionTable = (theirs: number): string =>
  [["", "session protocol"], ["here", String(version)], ["there", String(theirs)]].map(([side, spoken]) => `  ${side!.padEnd(8)}${spoken!}`).join("\n")

const connectFailed = (error: Socket.SocketError | HandshakeRefused | NotAGreeting): ConnectFailed => {
  if (error._tag === "NotAGreeting") return new ConnectFailed({ reason: "Version", detail: error.message })
  if (error._tag === "HandshakeRefused") {
    const reason = error.reason === "Unauthorized" || error.reason === "Version" ? error.reason : "Refused"
    return new ConnectFailed({ reason, detail: reason === "Version" && error.theirs !== undefined ? versionTable(error.theirs) : error.message })
  }
  if (isNonsense(error)) {
    const what = spokeHttp(error) ? "what listens there answers HTTP, so it is another program" : "what listens there answers, but not as a scheduler does"
    return new ConnectFailed({ reason: "Refused", detail: what })
  }
  const cause = "cause" in error.reason ? error.reason.cause : undefined
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  const detail = cause instanceof Error ? cause.message : error.message
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return new ConnectFailed({ reason: "Dns", detail })
  if (code === "ERR_SOCKET_BAD_PORT" || code === "EINVAL" || code === "ENAMETOOLONG") return new ConnectFailed({ reason: "BadAddress", detail })
  if (code === "ETIMEDOUT" || (error.reason._tag === "SocketOpenError" && error.reason.kind === "Timeout")) {
    return new ConnectFailed({ reason: "Timeout", detail })
  }
  if (code === "ECONNREFUSED") return new ConnectFailed({ reason: "Refused", detail: "nothing listens there" })
  if (code === "ENOENT") return new ConnectFailed({ reason: "Refused", detail: "there is no such socket" })
  return new ConnectFailed({ reason: "Refused", detail })
}
