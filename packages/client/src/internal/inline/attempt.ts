/**
 * One attempt at a body, in a fiber of the program that submitted it.
 *
 * As on a worker it gets copies of its arguments and may give its value in any of
 * three ways, and whatever it does is an outcome. There are no slots here, so
 * there is none to give back.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { type CurrentTask, type ProgressSaid, progressSaid, runAs } from "@skein/protocol/CurrentTask"
import { encodeRaised, type Raised } from "@skein/protocol/Raised"
import { type InTaskClient, TaskContext, type TaskContextService, TaskHoldings, waitingForTasks } from "@skein/protocol/TaskContext"
import { encodeResult, named, raisedOf } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import type { InlineBody } from "./code.ts"

/** The name that stands where a worker's would. */
export const INLINE = "inline"

/** How an attempt ended; it does not if it is interrupted. */
export type Attempted =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  /** `body`: what `Failure.Raised` has. */
  | { readonly _tag: "Failed"; readonly body: Uint8Array; readonly retryable: boolean }
  /** It asked to be placed again. */
  | { readonly _tag: "Rescheduled" }

export interface Attempt {
  readonly key: string
  /** 1 for the first. */
  readonly attempt: number
  readonly body: InlineBody
  readonly args: Uint8Array
  /** Values that fill the holes in the arguments. */
  readonly inputs: ReadonlyArray<Uint8Array>
  readonly tell: (said: ProgressSaid) => void
  /** The client around the body. */
  readonly client: Context.Context<never>
  readonly inTask: InTaskClient
}

export const attempt = (of: Attempt): Effect.Effect<Attempted> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const startedAtMs = clock.currentTimeMillisUnsafe()
    const run = new Run(of)
    const exit = yield* Effect.exit(Effect.onInterrupt(Effect.ensuring(run.effect, Effect.sync(() => run.end())), () => Effect.sync(() => run.abort())))
    const endedAtMs = clock.currentTimeMillisUnsafe()
    const failed = (raised: Raised, retryable: boolean): Attempted => ({
      _tag: "Failed",
      body: encodeRaised(raised, { worker: INLINE, attempt: of.attempt, startedAtMs, endedAtMs }),
      retryable
    })
    if (Exit.isSuccess(exit)) {
      const encoded = encodeResult(exit.value, of.body.codecs)
      // It would return the same again.
      return Result.isSuccess(encoded) ? { _tag: "Succeeded", value: encoded.success, ms: endedAtMs - startedAtMs } : failed(encoded.failure, false)
    }
    if (run.isRescheduled) return { _tag: "Rescheduled" }
    const raised = raisedOf(exit.cause, of.body.codecs)
    return failed(Option.getOrElse(raised, (): Raised => ({ _tag: "Defect", defect: new Error("The body interrupted itself.") })), true)
  })

/** The attempt, as its body sees it. */
class Run {
  isRescheduled = false
  private readonly of: Attempt
  private readonly controller = new AbortController()
  private readonly held = new Set<() => void>()
  private over = false

  constructor(of: Attempt) {
    this.of = of
  }

  /** The body, with all that it may ask for. What a function throws is a defect, as what an Effect dies of. */
  get effect(): Effect.Effect<unknown, unknown> {
    return Effect.suspend(() => {
      const args = this.decoded()
      const returned = runAs(this.task, () => this.of.body.call(args))
      if (Effect.isEffect(returned)) return this.provided(returned as Effect.Effect<unknown, unknown>)
      return isPromiseLike(returned) ? settled(returned, () => this.abort()) : Effect.succeed(returned)
    })
  }

  abort(): void {
    this.controller.abort()
  }

  end(): void {
    this.over = true
    for (const giveUp of this.held) giveUp()
  }

  private decoded(): ReadonlyArray<unknown> {
    const fill = (index: number) => Result.getOrThrow(Value.decode(this.of.inputs[index]!, { named: named() }))
    // A list was encoded.
    return Result.getOrThrow(Value.decode(this.of.args, { fill, named: named() })) as ReadonlyArray<unknown>
  }

  private get task(): CurrentTask {
    const { attempt, key, tell } = this.of
    return { key, attempt, worker: INLINE, signal: this.controller.signal, progress: (done, total, note) => this.over ? undefined : tell(progressSaid(done, total, note)) }
  }

  private provided(effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    const { progress, ...task } = this.task
    const context: TaskContextService = {
      ...task,
      progress: (done, total, note) => Effect.sync(() => progress(done, total, note)),
      secede: Effect.void,
      rejoin: Effect.void,
      seceded: (inside) => inside,
      [waitingForTasks]: (inside) => inside,
      reschedule: Effect.suspend(() => {
        this.isRescheduled = true
        return Effect.die(new Error(`the task ${task.key} asked to be placed again`))
      }),
      client: Effect.succeed(this.of.inTask)
    }
    const holdings: TaskHoldings["Service"] = { add: (giveUp) => void (this.over ? giveUp() : this.held.add(giveUp)), delete: (giveUp) => void this.held.delete(giveUp) }
    const own = Context.make(TaskContext, context).pipe(Context.add(TaskHoldings, holdings), Context.merge(this.of.client))
    return Effect.scoped(Effect.provideContext(effect, own))
  }
}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> => typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** A promise can only be asked to stop, by `abort`: who interrupts it waits until nothing of it runs any more. */
const settled = (promise: PromiseLike<unknown>, abort: () => void): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    const over = Latch.makeUnsafe(false)
    const end = (as: Effect.Effect<unknown>) => {
      resume(as)
      over.openUnsafe()
    }
    promise.then((value) => end(Effect.succeed(value)), (thrown) => end(Effect.die(thrown)))
    return Effect.andThen(Effect.sync(abort), over.await)
  })
