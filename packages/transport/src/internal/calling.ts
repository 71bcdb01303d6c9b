/**
 * The half of a duplex that asks: a method for each Rpc of the other side, over
 * Effect RPC's contracts and the session itself.
 *
 * A tell goes straight into the session. An ask holds one of a number of slots
 * until it is answered, even if its caller has gone: so the other side never has
 * more of them under way than it will have. Nothing here makes the fiber that
 * handles frames wait: not a stream's slow reader, not a full window.
 */
import type { Told } from "@skein/protocol/Tell"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type * as RpcSchema from "effect/rpc/RpcSchema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { Session } from "../Session.ts"
import type { SessionEnded } from "../SessionEnded.ts"
import { type CodecFor, type Codecs, codecsOf } from "./codecs.ts"
import * as Message from "./message.ts"

/** What the other side serves, as functions. They fail as their handlers do, or by the session's end. */
export type Client<C extends Rpc.Any> = { readonly [Current in C as Current["_tag"]]: Method<Current> }

type Method<R> = R extends Rpc.Rpc<infer _Tag, infer Payload, infer Success, infer Error, infer _Middleware, infer _Requires>
  ? [Success] extends [RpcSchema.Stream<infer A, infer E>] ? Streamed<Payload["Type"], A["Type"], E["Type"] | Error["Type"] | SessionEnded>
  : (payload: Payload["Type"]) => Effect.Effect<Success["Type"], Error["Type"] | SessionEnded>
  : never

/** The tells among them also as calls: accepted within the call if there is room (`Prompt`). */
export type Teller<C extends Rpc.Any> = {
  readonly [Current in Extract<C, Told> as Current["_tag"]]: { readonly now: (payload: Rpc.Payload<Current>) => Effect.Effect<void, SessionEnded> }
}

interface Streamed<Payload, A, E> {
  (payload: Payload): Stream.Stream<A, E>
  /** `streamBufferSize`: values that may wait for the reader before the other side has to. @default 16 */
  (payload: Payload, options: { readonly asQueue: true; readonly streamBufferSize?: number }): Effect.Effect<Queue.Dequeue<A, E | Cause.Done>, never, Scope.Scope>
}

export interface CallingOptions<C extends Rpc.Any> {
  readonly session: Session
  readonly group: RpcGroup.RpcGroup<C>
  readonly codecFor: CodecFor
  /** Asks under way, at most; the next one waits. */
  readonly limit: number
  /** Ends the session because of what the other side said. */
  readonly violated: (what: string) => Effect.Effect<void>
}

export interface Calling<C extends Rpc.Any> {
  readonly client: Client<C> & Teller<C>
  readonly receive: (message: Extract<Message.Message, { readonly _tag: "Chunk" | "Exit" }>) => Effect.Effect<void>
  /** Whoever waits for an answer, or for a slot, fails. */
  readonly end: (why: SessionEnded) => Effect.Effect<void>
}

/** An ask that holds a slot. */
interface Asked {
  readonly codecs: Codecs
  /** What is done with the answer; undefined once nobody waits for it. */
  settle: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined
  /** Where a stream's values go. */
  readonly queue: Queue.Queue<unknown, unknown> | undefined
  /** A chunk of it waits for its reader: the other side sends no more before that has been acknowledged. */
  full: boolean
}

const VALUES_BUFFERED = 16

export const makeCalling = Effect.fnUntraced(function*<C extends Rpc.Any>(
  { codecFor, group, limit, session, violated }: CallingOptions<C>
): Effect.fn.Return<Calling<C>, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const slots = Semaphore.makeUnsafe(limit)
  const asked = new Map<number, Asked>()
  /** A counter of its own, so that a simulation repeats. */
  let last = 0

  /**
   * Sends the request, in a slot. Interrupted, it may or may not have been accepted: the slot then comes back with the answer to the
   * interruption. `settle` is called once, unless it is taken away.
   */
  const begin = (head: Message.Head, call: Asked, payload: unknown): Effect.Effect<number, SessionEnded> =>
    Effect.suspend(() => {
      const body = call.codecs.payload.encode(payload)
      // Between the slot and the note that it is taken, nothing may stop this.
      return Effect.uninterruptibleMask((restore) =>
        Effect.andThen(
          restore(slots.take(1)),
          Effect.suspend(() => {
            const id = last === Message.lastId ? last = 1 : ++last
            asked.set(id, call)
            return restore(session.send(Message.ask(head, id, body))).pipe(
              Effect.onError((cause) => {
                if (Cause.hasInterruptsOnly(cause)) return giveUp(id, call)
                return asked.delete(id) ? slots.release(1) : Effect.void
              }),
              Effect.as(id)
            )
          })
        )
      )
    })
  /** Nobody waits for the answer any more, and the other side need not go on. Makes room, so it does not wait for any. */
  const giveUp = (id: number, call: Asked): Effect.Effect<void> => {
    call.settle = undefined
    return asked.get(id) === call ? Effect.ignore(session.sendNow(Message.interrupt(id))) : Effect.void
  }

  const ask = (head: Message.Head, codecs: Codecs) => (payload: unknown): Effect.Effect<unknown, unknown> =>
    Effect.suspend(() => {
      let answer: Exit.Exit<unknown, unknown> | undefined
      const call: Asked = {
        codecs,
        settle: (exit) => {
          answer = exit
        },
        queue: undefined,
        full: false
      }
      const answered = Effect.callback<unknown, unknown>((resume) => {
        if (answer !== undefined) return resume(answer)
        call.settle = resume
      })
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(begin(head, call, payload)), (id) => Effect.onInterrupt(restore(answered), () => giveUp(id, call))))
    })

  const askForStream = (head: Message.Head, codecs: Codecs) => {
    const asQueue = Effect.fnUntraced(function*(payload: unknown, bufferSize: number) {
      const queue = yield* Queue.bounded<unknown, unknown>(bufferSize)
      const call: Asked = {
        codecs,
        settle: (exit) => {
          if (Exit.isSuccess(exit)) Queue.endUnsafe(queue as Queue.Queue<unknown, Cause.Done>) // its errors include the end
          else Queue.failCauseUnsafe(queue, exit.cause)
        },
        queue,
        full: false
      }
      yield* Effect.uninterruptible(Effect.gen(function*() {
        const id = yield* Effect.exit(Effect.interruptible(begin(head, call, payload)))
        if (Exit.isFailure(id)) {
          Queue.failCauseUnsafe(queue, id.cause)
          return
        }
        yield* Effect.addFinalizer(() => {
          Queue.shutdownUnsafe(queue)
          return call.settle === undefined ? Effect.void : giveUp(id.value, call)
        })
      }))
      return queue
    })
    return (payload: unknown, { asQueue: queued, streamBufferSize = VALUES_BUFFERED }: { readonly asQueue?: true; readonly streamBufferSize?: number } = {}) => {
      const queue = asQueue(payload, streamBufferSize)
      return queued === true ? queue : Stream.unwrap(Effect.map(queue, Stream.fromQueue))
    }
  }

  const tell = (head: Message.Head, { payload: { encode } }: Codecs) =>
    Object.assign(
      (payload: unknown) => Effect.suspend(() => session.send(Message.tell(head, encode(payload)))),
      { now: (payload: unknown) => session.offer(Message.tell(head, encode(payload))) }
    )

  const client: Record<string, unknown> = {}
  for (const rpc of group.requests.values() as Iterable<Rpc.Any>) {
    if ((rpc as Rpc.AnyWithProps).middlewares.size > 0) throw new Error(`"${rpc._tag}" has middleware, for which there is no use here`) // `Any` hides them
    const codecs = codecsOf(rpc, codecFor)
    const head = Message.headOf(rpc._tag, codecs.isTell)
    client[rpc._tag] = (codecs.isTell ? tell : codecs.isStream ? askForStream : ask)(head, codecs)
  }

  const exitOf = ({ exit }: Codecs, body: Uint8Array): Exit.Exit<unknown, unknown> => {
    try {
      return exit.decode(body)
    } catch (error) {
      return Exit.die(error)
    }
  }
  const read = (id: number, call: Asked, queue: Queue.Queue<unknown, unknown>, body: Uint8Array): Effect.Effect<void> => {
    if (call.full) return violated("a stream goes on before it was asked to")
    let values: ReadonlyArray<unknown>
    try {
      values = call.codecs.chunk.decode(body)
    } catch {
      return violated("a part of a stream that cannot be read")
    }
    call.full = true
    const wantMore = Effect.suspend(() => {
      call.full = false
      return call.settle === undefined ? Effect.void : Effect.ignore(session.sendNow(Message.ack(id)))
    })
    // By a fiber of its own: the stream's reader may be slow, and nobody else's messages shall wait for it.
    return Effect.asVoid(Effect.forkIn(Effect.andThen(Queue.offerAll(queue, values), wantMore), scope, { startImmediately: true }))
  }
  const receive: Calling<C>["receive"] = ({ _tag, body, id }) => {
    const call = asked.get(id)
    if (call === undefined) return Effect.void // answered before, or its slot given back
    if (_tag === "Chunk") return call.queue === undefined ? violated("a part of a stream where none was asked for") : read(id, call, call.queue, body)
    asked.delete(id)
    const { settle } = call
    call.settle = undefined
    settle?.(exitOf(call.codecs, body))
    return slots.release(1)
  }
  const end = (why: SessionEnded): Effect.Effect<void> =>
    Effect.suspend(() => {
      const waiting = [...asked.values()]
      asked.clear()
      for (const call of waiting) {
        const { settle } = call
        call.settle = undefined
        settle?.(Exit.fail(why))
      }
      return slots.release(Number.MAX_SAFE_INTEGER / 2) // who waits for a slot goes on, and finds the session over
    })
  return { client: client as Client<C> & Teller<C>, receive, end } // one method for each Rpc, as its contract says
})
