/**
 * RPC in both directions over one session.
 *
 * The kinds of messages of the two directions are disjoint, so one stream of
 * frames feeds the half that answers and the half that asks. Each message is one
 * frame; what a turn sends leaves in one write, for so the session does it.
 *
 * The contracts are Effect RPC's, and so are the handlers; what carries them is
 * not, since messages come once and in order here, and their cost is every
 * task's (see `internal/serving.ts`).
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
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import type * as Scope from "effect/Scope"
import { type Client, makeCalling, type Teller } from "./internal/calling.ts"
import * as Message from "./internal/message.ts"
import { makeServing } from "./internal/serving.ts"
import type { Session } from "./Session.ts"
import { SessionEnded } from "./SessionEnded.ts"

export type { Client } from "./internal/calling.ts"
export { RemoteDefect } from "./internal/redaction.ts"
export { Tell, tell } from "@skein/protocol/Tell"

/** A client of this group. */
export type ClientOf<Group> = Client<RpcGroup.Rpcs<Group>>
/** The same, as `make` gives it. */
export type TellerOf<Group> = ClientOf<Group> & Teller<RpcGroup.Rpcs<Group>>

export interface DuplexOptions<S extends Rpc.Any, C extends Rpc.Any> {
  /** What the other side may call here; its handlers come from the context. Its schemas need no services, and it has no middleware. */
  readonly serve: RpcGroup.RpcGroup<S>
  /** What this side calls there; likewise. */
  readonly call: RpcGroup.RpcGroup<C>
  /** Handlers that run at once, tells aside. @default "unbounded", which is 1024 */
  readonly concurrency?: number | "unbounded"
}

/** Schemas that need services cannot be read in one step, and are refused by the compiler. */
type NeedsNoServices<R extends Rpc.Any> = [Rpc.Services<R>] extends [never] ? unknown : { readonly serve: "schemas that need services are not supported" }

/** Calls of one side under way, at most. */
export const inFlightLimit = 1024

/** Serves `serve`'s handlers to the other side, and returns a client of what the other side serves. The scope's end closes the session in good order. */
export const make = <S extends Rpc.Any, C extends Rpc.Any>(
  session: Session,
  options: DuplexOptions<S, C> & NeedsNoServices<S | C>
): Effect.Effect<Client<C> & Teller<C>, never, Scope.Scope | Rpc.ToHandler<S>> =>
  Effect.gen(function*() {
    const { codecFor } = Context.get(yield* Layer.build(binary), RpcSerialization.RpcSerialization)
    const violated = (what: string) => session.end(Cause.fail(SessionEnded.of("protocol", what)))
    const common = { session, codecFor, violated, limit: inFlightLimit }
    const serving = yield* makeServing({ ...common, group: options.serve, concurrency: options.concurrency ?? "unbounded" })
    const calling = yield* makeCalling({ ...common, group: options.call })

    const handle = (frame: Uint8Array): Effect.Effect<void> => {
      const message = Message.decode(frame)
      if (message === undefined) return violated("a frame that is no message")
      return message._tag === "Exit" || message._tag === "Chunk" ? calling.receive(message) : serving.receive(message)
    }
    // Both halves hear of the end once: callers fail, handlers are interrupted.
    const told = Deferred.makeUnsafe<void>()
    const tellBoth = Effect.flatMap(Effect.flip(session.ended), (why) => Effect.andThen(calling.end(why), serving.end)).pipe(
      Effect.ensuring(Effect.sync(() => Deferred.doneUnsafe(told, Exit.void)))
    )
    yield* session.run(handle).pipe(Effect.onExit(() => tellBoth), Effect.exit, Effect.forkScoped({ startImmediately: true }))
    // Before the loop above is stopped, so that it can still serve the last answers.
    yield* Effect.addFinalizer(() => Effect.andThen(session.close, Deferred.await(told)))
    return calling.client
  })

const binary = RpcSerialization.layerSchemaBinary()
