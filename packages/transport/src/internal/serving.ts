/**
 * The half of a duplex that answers: it hands the other side's messages to their
 * handlers, and takes the answers back.
 *
 * A dispatcher of our own over Effect RPC's contracts, because `RpcServer` spends
 * more on a message (a fiber, its scope and its registration in three tables,
 * and a reply that is thrown away) than the scheduler on the task it is about.
 * A tell runs in one go, as it comes, and costs no more than its handler unless
 * that suspends; not even a fiber where the handler does it within the call
 * (`Prompt`). An ask has a fiber.
 *
 * Handlers are started in the order of arrival, within the step that takes the
 * message. Those of tells are not preempted: what one does before it first
 * suspends is done before the next begins.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import { RequestId } from "effect/rpc/RpcMessage"
import * as RpcSchema from "effect/rpc/RpcSchema"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Prompt from "../Prompt.ts"
import type { Session } from "../Session.ts"
import { SessionEnded } from "../SessionEnded.ts"
import { type CodecFor, type Codecs, codecsOf } from "./codecs.ts"
import * as Message from "./message.ts"

export interface ServingOptions<S extends Rpc.Any> {
  readonly session: Session
  readonly group: RpcGroup.RpcGroup<S>
  readonly codecFor: CodecFor
  /** Handlers of asks that run at once. */
  readonly concurrency: number | "unbounded"
  /** Asks without an answer, and tells being handled, at most; of each. */
  readonly limit: number
  /** Ends the session because of what the other side said. */
  readonly violated: (what: string) => Effect.Effect<void>
}

export interface Serving {
  /** Takes a message in this step; what is returned is done already, or ends or logs something. */
  readonly receive: (message: Extract<Message.Message, { readonly _tag: "Tell" | "Ask" | "Interrupt" | "Ack" }>) => Effect.Effect<void>
  /** Interrupts all handlers, and starts no more. */
  readonly end: Effect.Effect<void>
}

/** One Rpc that is served. */
interface Served {
  readonly rpc: Rpc.Any
  readonly entry: Rpc.Handler<string>
  readonly codecs: Codecs
  /** What its handlers run in, a scope aside. */
  readonly context: Context.Context<never>
}

/** An ask that has no answer yet. */
interface Asked {
  fiber: Fiber.Fiber<void> | undefined
  /** Open when the reader of its stream wants more. */
  readonly more: Latch.Latch | undefined
}

/** Handlers are interrupted, and waited for, when the scope closes. */
export const makeServing = Effect.fnUntraced(function*<S extends Rpc.Any>(
  { codecFor, concurrency, group, limit, session, violated }: ServingOptions<S>
): Effect.fn.Return<Serving, never, Scope.Scope | Rpc.ToHandler<S>> {
  const context = yield* Effect.context<Rpc.ToHandler<S>>()
  const served = servedOf(group, context, codecFor)
  const permits = concurrency === "unbounded" ? undefined : yield* Semaphore.make(concurrency)
  const client = new Rpc.ServerClient(0)
  /** By the numbers that the other side gave them. */
  const asked = new Map<number, Asked>()
  /** Handlers of tells that have suspended. */
  const telling = new Set<Fiber.Fiber<unknown, unknown>>()
  let over = false

  const overrun = (what: string) => session.end(Cause.fail(SessionEnded.of("overrun", `more than ${limit} ${what}`)))
  const startedOf = ({ codecs, entry, rpc }: Served, id: number, body: Uint8Array) => {
    const payload = codecs.payload.decode(body)
    try {
      return entry.handler(payload, { client, requestId: RequestId(id), headers: Headers.empty, rpc })
    } catch (defect) {
      return Effect.die(defect) // a handler that throws instead of failing has a defect like any other
    }
  }

  const tell = (tag: string, body: Uint8Array): Effect.Effect<void> => {
    const one = served.get(tag)
    if (one === undefined || !one.codecs.isTell) return violated(one === undefined ? `nothing is called "${tag}" here` : `"${tag}" is asked, not told`)
    let result: ReturnType<typeof startedOf>
    try {
      result = startedOf(one, 0, body)
    } catch {
      return violated(`what came with "${tag}" cannot be read`)
    }
    const handler: unknown = Rpc.unwrap(result)
    if (handler === Prompt.done) return Prompt.done
    const { context, effect } = scoped(one, isHandling(handler) ? handler : Effect.die(new Error(`"${tag}" is a tell: its handler is an effect`)))
    const fiber = Effect.runForkWith(context)(effect)
    if (fiber.pollUnsafe() !== undefined) return Effect.void
    telling.add(fiber)
    fiber.addObserver(() => telling.delete(fiber))
    return telling.size > limit ? overrun("tells are being handled") : Effect.void
  }

  const ask = (tag: string, id: number, body: Uint8Array): Effect.Effect<void> => {
    const one = served.get(tag)
    if (one === undefined || one.codecs.isTell) return violated(one === undefined ? `nothing is called "${tag}" here` : `"${tag}" is told, not asked`)
    if (asked.has(id)) return violated("a call's number makes no sense")
    if (asked.size >= limit) return overrun("calls under way")
    const call: Asked = { fiber: undefined, more: one.codecs.isStream ? Latch.makeUnsafe(false) : undefined }
    asked.set(id, call)
    const { context, effect } = scoped(one, handling(one, id, body, call))
    const fiber = Effect.runForkWith(context)(answering(one, id, effect))
    if (fiber.pollUnsafe() === undefined) call.fiber = fiber
    return Effect.void
  }

  /** What the handler does, from the payload to the value that is the answer. */
  const handling = (one: Served, id: number, body: Uint8Array, { more }: Asked): Effect.Effect<unknown, unknown> =>
    Effect.suspend(() => {
      const result = startedOf(one, id, body)
      const wrapper = Rpc.isWrapper(result) ? result : undefined
      const value: unknown = wrapper === undefined ? result : wrapper.value
      const done = more !== undefined
        ? streaming(one, id, value, more)
        : isHandling(value) ? value : Effect.die(new Error(`the handler of "${one.rpc._tag}" gave no effect`))
      const permitted = permits === undefined || wrapper?.fork === true ? done : permits.withPermit(done)
      const whole = Effect.flatMap(permitted, (value) => Deferred.isDeferred(value) ? Deferred.await(value as Deferred.Deferred<unknown, unknown>) : Effect.succeed(value))
      return wrapper?.uninterruptible === true ? Effect.uninterruptible(whole) : whole
    })

  /** Sends what a stream gives, one chunk at a time: the next one when the reader has asked for it. */
  const streaming = (one: Served, id: number, result: unknown, more: Latch.Latch): Effect.Effect<void, unknown> => {
    const send = (values: ReadonlyArray<unknown>) =>
      Effect.suspend(() => {
        more.closeUnsafe()
        // The end of the session interrupts the handler.
        return Effect.andThen(Effect.catch(session.send(Message.chunk(id, one.codecs.chunk.encode(values))), () => Effect.never), more.await)
      })
    if (Stream.isStream(result)) return Stream.runForEachArray(result as Stream.Stream<unknown, unknown>, send)
    const queue = result as Effect.Effect<Queue.Dequeue<unknown, unknown>, unknown> // the other kind of result that the contract of a stream allows
    return Effect.flatMap(queue, (queue) => Effect.forever(Effect.flatMap(Queue.takeAll(queue), send))).pipe(Pull.catchDone(() => Effect.void))
  }

  /** Runs the handler and answers with its exit; a call has no answer, and counts, until that has been accepted. */
  const answering = ({ codecs, rpc }: Served, id: number, handler: Effect.Effect<unknown, unknown>): Effect.Effect<void> => {
    const answer = (exit: Exit.Exit<unknown, unknown>) => Effect.suspend(() => session.send(Message.exit(id, codecs.exit.encode(exit))))
    return Effect.uninterruptibleMask((restore) =>
      Effect.exit(restore(handler)).pipe(
        Effect.flatMap((exit) =>
          Effect.catchDefect(answer(exit), (defect) =>
            // It does not fit its schema, or no frame: the caller learns that there is none.
            Effect.andThen(Effect.logError(`the answer to "${rpc._tag}" could not be sent`, defect), answer(Exit.die(defect))))
        ),
        Effect.ignore, // the session is over, and nobody waits for the answer
        Effect.ensuring(Effect.sync(() => asked.delete(id)))
      )
    )
  }

  const receive: Serving["receive"] = (message) => {
    if (over) return Effect.void
    switch (message._tag) {
      case "Tell":
        return tell(message.tag, message.body)
      case "Ask":
        return ask(message.tag, message.id, message.body)
      case "Interrupt": {
        const call = asked.get(message.id)
        // Every interruption is answered, also that of a call which never got here: the caller counts it as under way until then.
        if (call === undefined) return Effect.ignore(session.sendNow(Message.exit(message.id)))
        call.fiber?.interruptUnsafe(undefined, RpcSchema.ClientAbort.annotation)
        return Effect.void
      }
      case "Ack":
        asked.get(message.id)?.more?.openUnsafe()
        return Effect.void
    }
  }
  const running = () => {
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = [...telling]
    for (const { fiber } of asked.values()) if (fiber !== undefined) fibers.push(fiber)
    return fibers
  }
  const end = Effect.sync(() => {
    over = true
    for (const fiber of running()) fiber.interruptUnsafe()
  })
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      over = true
      return Fiber.interruptAll(running())
    })
  )
  return { receive, end }
})

/** An effect, whose services are in the context it was made in. */
const isHandling = (result: unknown): result is Effect.Effect<unknown, unknown> => Effect.isEffect(result)

/** Every Rpc of the group with its handler. */
const servedOf = <R, S extends Rpc.Any>(group: RpcGroup.RpcGroup<S>, context: Context.Context<R>, codecFor: CodecFor): ReadonlyMap<string, Served> => {
  const served = new Map<string, Served>()
  for (const rpc of group.requests.values() as Iterable<Rpc.Any>) {
    if ((rpc as Rpc.AnyWithProps).middlewares.size > 0) throw new Error(`"${rpc._tag}" has middleware, for which there is no use here`) // `Any` hides them
    const entry = Context.getOrUndefined(context, Context.Service<Rpc.Handler<string>>(rpc.key))
    if (entry === undefined) continue
    const codecs = codecsOf(rpc, codecFor)
    const own = Context.merge(entry.context, context as Context.Context<never>) // as of the caller's fiber: its scheduler, clock and loggers
    served.set(rpc._tag, { rpc, entry, codecs, context: codecs.isTell ? Context.add(own, Scheduler.PreventSchedulerYield, true) : own })
  }
  return served
}

/** The handler in a scope of its own; its defects are logged here, since the caller is not told them. */
const scoped = ({ context, rpc }: Served, handler: Effect.Effect<unknown, unknown>) => {
  const scope = Scope.makeUnsafe()
  return {
    context: Context.add(context, Scope.Scope, scope),
    effect: Effect.onExit(handler, (exit) => {
      const closing = Scope.closeUnsafe(scope, exit) ?? Effect.void
      if (Exit.isSuccess(exit) || !Cause.hasDies(exit.cause)) return closing
      return Effect.andThen(Effect.logError(`the handler of "${rpc._tag}" failed by a defect`, exit.cause), closing)
    })
  }
}
