/**
 * RPC in both directions over one session.
 *
 * The message tags of the two directions are disjoint, so one stream of frames
 * feeds an RPC server and an RPC client. Each message is one frame; what a turn
 * sends leaves in one write, for so the session does it.
 *
 * - A *tell* (`@skein/protocol/Tell`) gets no reply: its call completes when the
 *   session has accepted it. Handlers of tells begin in the order of arrival, and
 *   are not preempted: what one does before it first suspends is done before the
 *   next begins.
 * - A handler's defect fails its own call, and no other. Its text stays in the
 *   log of this side; the caller gets a `RemoteDefect`.
 * - At most 1,024 calls of one side are under way. The next one waits at the
 *   caller; a peer that does not wait is cut off.
 * - Nothing that arrives makes the fiber that handles frames wait: not a stream's
 *   slow consumer, not a full window.
 * - When the session ends, callers fail and handlers are interrupted.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcClientError from "effect/rpc/RpcClientError"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcMessage from "effect/rpc/RpcMessage"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { redactDefects } from "./internal/redaction.ts"
import { isTell, watchHandlers } from "./internal/handlers.ts"
import type { Session } from "./Session.ts"
import { SessionEnded } from "./SessionEnded.ts"

export { RemoteDefect } from "./internal/redaction.ts"

export interface DuplexOptions<S extends Rpc.Any, C extends Rpc.Any> {
  /** What the other side may call here; its handlers come from the context. */
  readonly serve: RpcGroup.RpcGroup<S>
  /** What this side calls there. */
  readonly call: RpcGroup.RpcGroup<C>
  /** Handlers that run at once, tells aside. @default "unbounded", which is 1024 */
  readonly concurrency?: number | "unbounded"
}

/** Calls of one side under way, at most. */
export const inFlightLimit = 1024

/** What a frame may hold: one message of either direction. */
type Message = RpcMessage.FromClientEncoded | Exclude<RpcMessage.FromServerEncoded, RpcMessage.RequestEncoded>

/** Serves `serve`'s handlers to the other side, and returns a client of what the other side serves. The scope's end closes the session in good order. */
export const make = <S extends Rpc.Any, C extends Rpc.Any>(
  session: Session,
  options: DuplexOptions<S, C>
): Effect.Effect<
  RpcClient.RpcClient<C, RpcClientError.RpcClientError>,
  never,
  Scope.Scope | Rpc.ToHandler<S> | Rpc.Middleware<S> | Rpc.ServicesServer<S> | Rpc.MiddlewareClient<C>
> =>
  Effect.gen(function*() {
    const serialization = Context.get(yield* Layer.build(binary), RpcSerialization.RpcSerialization)
    const parser = serialization.makeUnsafe()
    const encode = (message: unknown) => parser.encode(message) as Uint8Array // SchemaBinary writes bytes, never text
    const violated = (what: string) => session.end(Cause.fail(SessionEnded.of("protocol", what)))

    const serving = yield* makeServing(session, options, encode, serialization.codecFor, violated)
    const calling = yield* makeCalling(session, encode, serialization.codecFor, violated)

    const route = (message: Message): Effect.Effect<void> => {
      switch (message._tag) {
        case "Request":
        case "Ack":
        case "Interrupt":
          return serving.receive(message)
        case "Chunk":
        case "Exit":
          return calling.receive(message)
        default:
          return violated(`a message "${message._tag}" has no place in a session`)
      }
    }
    const handle = (frame: Uint8Array): Effect.Effect<void> =>
      Effect.suspend(() => {
        let messages: ReadonlyArray<unknown>
        try {
          messages = parser.decode(frame)
        } catch {
          return violated("a frame that is no message")
        }
        // The envelope's schema has checked it; its type is lost on the way through the serialization.
        return messages.length === 1 ? route(messages[0] as Message) : violated("a frame is one message, no more and no less")
      })

    const client = yield* RpcClient.make(redactDefects(options.call), { disableTracing: true, generateRequestId: requestIds() }).pipe(
      Effect.provideService(RpcClient.Protocol, calling.protocol)
    )
    const context = yield* Effect.context<Rpc.ToHandler<S> | Rpc.Middleware<S> | Rpc.ServicesServer<S>>()
    yield* RpcServer.make(redactDefects(options.serve), {
      disableTracing: true,
      disableFatalDefects: true,
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency })
    }).pipe(
      Effect.provideService(RpcServer.Protocol, serving.protocol),
      Effect.provideContext(watchHandlers(context, options.serve, serving.tells)),
      Effect.onError(session.end),
      Effect.forkScoped({ startImmediately: true })
    )
    // Both protocols hear of the end once: callers fail, handlers are interrupted.
    const told = Deferred.makeUnsafe<void>()
    const tellBoth = Effect.flatMap(Effect.flip(session.ended), (why) => Effect.andThen(calling.end(why), serving.end)).pipe(
      Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(told, Exit.void)))
    )
    yield* session.run(handle).pipe(Effect.onExit(() => tellBoth), Effect.exit, Effect.forkScoped({ startImmediately: true }))
    // Before the loops above are stopped, so that they can still serve the last answers.
    yield* Effect.addFinalizer(() => Effect.andThen(session.close, Deferred.await(told)))
    return withTells(client, options.call, session, encode, serialization.codecFor)
  })

const binary = RpcSerialization.layerSchemaBinary()
type CodecFor = RpcSerialization.RpcSerialization["Service"]["codecFor"]
type Violated = (what: string) => Effect.Effect<void>

/** Numbers of this session's calls: a counter of its own, so that a simulation repeats. */
const requestIds = () => {
  let last = 0
  return () => RpcMessage.RequestId(++last)
}

/** The protocol that the other side's calls come in by. */
const makeServing = Effect.fnUntraced(function*<S extends Rpc.Any, C extends Rpc.Any>(
  session: Session,
  options: DuplexOptions<S, C>,
  encode: (message: unknown) => Uint8Array,
  codecFor: CodecFor,
  violated: Violated
) {
  const disconnects = yield* Queue.unbounded<number>() // takes one number, ever
  /** Calls of the other side that have no answer yet. */
  const inFlight = new Set<string | number>()
  const tells = makeTellCount(() => session.end(Cause.fail(SessionEnded.of("overrun", `more than ${inFlightLimit} tells are being handled`))))
  let toServer!: (clientId: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void>

  /** A reply that finds the session over has nobody to go to; `disconnects` tells the server. */
  const reply = (message: RpcMessage.FromServerEncoded): Effect.Effect<void> => {
    if (message._tag === "Exit") inFlight.delete(message.requestId)
    // Only a bug of the server's makes it say this, and it would fail all that the other side has called.
    if (message._tag === "Defect") return session.end(Cause.die(message.defect))
    return Effect.suspend(() => session.send(encode(message))).pipe(
      Effect.tapDefect((defect) => Effect.logError("an answer could not be sent", defect)),
      Effect.ignore
    )
  }
  const protocol = yield* RpcServer.Protocol.make((write) => {
    toServer = write
    return Effect.succeed({
      disconnects,
      send: (_: number, message: RpcMessage.FromServerEncoded) => reply(message),
      end: () => Effect.void,
      clientIds: Effect.sync(() => new Set([0])),
      initialMessage: Effect.succeed(Option.none()),
      supportsAck: true,
      supportsTransferables: false,
      supportsSpanPropagation: false,
      supportsNotifications: false,
      codecFor
    })
  })
  const request = (message: RpcMessage.RequestEncoded): Effect.Effect<void> => {
    const rpc = options.serve.requests.get(message.tag)
    const notified = message.isNotification === true
    if (rpc !== undefined && isTell(rpc) !== notified) return violated(`"${message.tag}" is ${notified ? "asked, not told" : "told, not asked"}`)
    if (message.discard === true) return violated("calls are not discarded here; use a tell")
    if (notified) return toServer(0, message)
    if (!Number.isSafeInteger(message.id) || inFlight.has(message.id)) return violated("a call's number makes no sense")
    if (inFlight.size >= inFlightLimit) return session.end(Cause.fail(SessionEnded.of("overrun", `more than ${inFlightLimit} calls under way`)))
    inFlight.add(message.id)
    return toServer(0, message)
  }
  const receive = (message: RpcMessage.RequestEncoded | RpcMessage.AckEncoded | RpcMessage.InterruptEncoded): Effect.Effect<void> => {
    if (message._tag === "Request") return request(message)
    // Every interruption is answered, also that of a call which never got here: the caller counts it as under way until then.
    if (message._tag === "Interrupt" && !inFlight.has(message.requestId)) {
      return reply({ _tag: "Exit", requestId: message.requestId, exit: new Uint8Array(0) as unknown as RpcMessage.ResponseExitEncoded["exit"] }) // nobody reads it
    }
    return toServer(0, message)
  }
  return { protocol, receive, tells, end: Effect.asVoid(Queue.offer(disconnects, 0)) }
})

/** Counts handlers of tells that have suspended. */
const makeTellCount = (tooMany: () => Effect.Effect<void>) => {
  let running = 0
  return {
    begin: (): Effect.Effect<void> | undefined => ++running > inFlightLimit ? tooMany() : undefined,
    end: (): void => {
      running--
    }
  }
}

/** The protocol that this side's calls go out by. */
const makeCalling = Effect.fnUntraced(function*(
  session: Session,
  encode: (message: unknown) => Uint8Array,
  codecFor: CodecFor,
  violated: Violated
) {
  const slots = Semaphore.makeUnsafe(inFlightLimit)
  const scope = yield* Effect.scope
  /** Calls that hold a slot: until they are answered, even if their caller has gone. */
  const asked = new Set<string | number>()
  /** Calls of which a chunk waits for its reader. The other side sends no more before that has been acknowledged. */
  const chunks = new Set<string | number>()
  let toClient!: (clientId: number, message: RpcMessage.FromServerEncoded) => Effect.Effect<void>
  /** The one client that stands on this protocol. Learnt from what it sends: an answer may come before it has begun to listen. */
  let clientId: number | undefined
  const deliver = (message: RpcMessage.FromServerEncoded) => clientId === undefined ? Effect.void : toClient(clientId, message)

  const ask = (message: RpcMessage.RequestEncoded) =>
    // Between the slot and the note that it is taken, nothing may stop this.
    Effect.uninterruptibleMask((restore) =>
      Effect.andThen(
        restore(slots.take(1)),
        Effect.suspend(() => {
          asked.add(message.id)
          return Effect.onError(restore(session.send(encode(message))), (cause) =>
            // Interrupted, it may or may not have been accepted: the slot comes back with the answer to the interruption.
            Cause.hasInterruptsOnly(cause) || !asked.delete(message.id) ? Effect.void : slots.release(1))
        })
      )
    )
  const send = (message: RpcMessage.FromClientEncoded): Effect.Effect<void, SessionEnded> => {
    switch (message._tag) {
      case "Request":
        return message.discard === true ? Effect.die(new Error("discard is not supported here; declare the Rpc with tell()")) : ask(message)
      case "Interrupt":
        // Makes room, so it does not wait for any. A call without a slot was never sent.
        return asked.has(message.requestId) ? session.sendNow(encode(message)) : Effect.void
      case "Ack":
        chunks.delete(message.requestId)
        return session.sendNow(encode(message))
      default:
        return session.send(encode(message))
    }
  }
  const protocol = yield* RpcClient.Protocol.make((write) => {
    toClient = write
    return Effect.succeed({
      send: (id: number, message: RpcMessage.FromClientEncoded) =>
        Effect.mapError(
          Effect.suspend(() => {
            clientId = id
            return send(message)
          }),
          toRpcError
        ),
      supportsAck: true,
      supportsTransferables: false,
      codecFor
    })
  })
  const receive = (message: RpcMessage.ResponseChunkEncoded | RpcMessage.ResponseExitEncoded): Effect.Effect<void> => {
    if (!asked.has(message.requestId)) return Effect.void // answered before, or its slot given back
    if (message._tag === "Exit") {
      asked.delete(message.requestId)
      chunks.delete(message.requestId)
      return Effect.andThen(slots.release(1), deliver(message))
    }
    if (chunks.has(message.requestId)) return violated("a stream goes on before it was asked to")
    chunks.add(message.requestId)
    // By a fiber of its own: the stream's reader may be slow, and nobody else's messages shall wait for it.
    return Effect.asVoid(Effect.forkIn(deliver(message), scope, { startImmediately: true }))
  }
  const end = (why: SessionEnded) =>
    Effect.andThen(
      deliver({ _tag: "ClientProtocolError", error: toRpcError(why) }),
      slots.release(Number.MAX_SAFE_INTEGER / 2) // who waits for a slot goes on, and finds the session over
    )
  return { protocol, receive, end }
})

/** A client whose tells go straight into the session. */
const withTells = <C extends Rpc.Any>(
  client: RpcClient.RpcClient<C, RpcClientError.RpcClientError>,
  group: RpcGroup.RpcGroup<C>,
  session: Session,
  encode: (message: unknown) => Uint8Array,
  codecFor: CodecFor
): RpcClient.RpcClient<C, RpcClientError.RpcClientError> => {
  const tells: Record<string, unknown> = {}
  for (const rpc of group.requests.values() as Iterable<Rpc.Any>) {
    if (!isTell(rpc)) continue
    const { payloadSchema, _tag: tag } = rpc as Rpc.AnyWithProps // every Rpc has these; `Any` hides them for inference's sake
    const encodePayload = Schema.encodeUnknownEffect(codecFor(payloadSchema))
    tells[tag] = (payload: unknown) =>
      Effect.suspend(() => Effect.orDie(encodePayload(payloadSchema.make(payload)))).pipe(
        Effect.flatMap((encoded) => session.send(encode({ _tag: "Request", id: 0, tag, payload: encoded, headers: [], isNotification: true }))),
        Effect.mapError(toRpcError)
      )
  }
  return Object.assign(client, tells)
}

/** The session's end, as the callers of an RPC see it. */
const toRpcError = (why: SessionEnded): RpcClientError.RpcClientError =>
  new RpcClientError.RpcClientError({ reason: new RpcClientError.RpcClientDefect({ message: why.message, cause: why }) })

export { Tell, tell } from "@skein/protocol/Tell"
