/**
 * What is run: a function with all that belongs to it, from encoded arguments to an encoded end.
 *
 * The same in the worker's process and in its threads, so that a body can tell
 * no difference: it gets values of its own that nobody else sees, may give its
 * value in any of three ways, and whatever it does is an ending.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Raised } from "@skein/protocol/Raised"
import type { Handler } from "@skein/protocol/Task"
import * as Registry from "@skein/protocol/TaskRegistry"
import { callHandler, codecsOfFn, codecsOfTask, encodeResult, raisedOf, type ResultCodecs } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import type { AnyFunction } from "./LoadFunction.ts"

export interface Body {
  /** Runs it with decoded arguments. */
  readonly run: (args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** How its value and its error travel. */
  readonly codecs: ResultCodecs
}

/** How a body ended. `ms`: how long it ran, without the decoding and encoding around it. */
export type Ending =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly raised: Raised; readonly retryable: boolean; readonly ms: number }

/** Encoded values of the dependencies, in the order of the holes; undefined is one that is not there. */
export type Inputs = ReadonlyArray<Uint8Array | undefined>

/**
 * Runs a body to its end, finalizers of its scope included. Its own doings are an ending; interrupted, it is interrupted.
 *
 * `moreCodecs` is awaited once if a value travels under a name that nobody here knows: modules that know it may be on their way.
 */
export const perform = Effect.fnUntraced(function*(
  body: Body,
  encodedArgs: Uint8Array,
  inputs: Inputs,
  moreCodecs: Effect.Effect<void>
): Effect.fn.Return<Ending> {
  let args = decodeArgs(encodedArgs, inputs)
  if (Result.isFailure(args) && args.failure instanceof CodecUnknown) {
    yield* moreCodecs
    args = decodeArgs(encodedArgs, inputs)
  }
  if (Result.isFailure(args)) return { _tag: "Failed", raised: { _tag: "Defect", defect: args.failure }, retryable: false, ms: 0 }
  const clock = yield* Clock.Clock
  const start = clock.currentTimeNanosUnsafe()
  const exit = yield* Effect.exit(Effect.scoped(body.run(args.success)))
  const ms = Number(clock.currentTimeNanosUnsafe() - start) / 1e6
  if (Exit.isFailure(exit)) {
    const raised = Option.getOrElse(raisedOf(exit.cause, body.codecs), (): Raised => ({ _tag: "Defect", defect: new Error("The body interrupted itself.") }))
    return { _tag: "Failed", raised, retryable: true, ms }
  }
  const value = encodeResult(exit.value, body.codecs)
  return Result.isSuccess(value)
    ? { _tag: "Succeeded", value: value.success, ms }
    // It would return the same again.
    : { _tag: "Failed", raised: value.failure, retryable: false, ms }
})

/** What to do with an Effect that a function gives: run it, or fail with `GivesEffect`. */
export type Effects = "run" | "refuse"

/** A function that brings nothing but itself. */
export const ofFunction = (f: AnyFunction, effects: Effects = "run"): Body => ({ run: callWith(f, effects), codecs: {} })

/** A task that a module of this process has made. */
export const ofTask = (entry: Registry.FnEntry, effects: Effects = "run"): Body => ({ run: callWith(entry.body, effects), codecs: codecsOfFn(entry) })

/** The body of a contract, whose payload is checked before it runs. */
export const ofHandler = (handler: Handler): Body => ({ run: (args) => callHandler(handler, args), codecs: codecsOfTask(handler.task) })

/** Every body gets values of its own, for it may change them. */
const decodeArgs = (args: Uint8Array, inputs: Inputs): Result.Result<ReadonlyArray<unknown>, Error> => {
  let unknown: CodecUnknown | undefined
  const named = (name: string, encoded: unknown): unknown => {
    const codec = Registry.codec(name)
    if (codec === undefined) throw unknown = new CodecUnknown({ name })
    return Schema.decodeUnknownSync(codec)(encoded)
  }
  const fill = (index: number): unknown => {
    const input = inputs[index]
    if (input === undefined) throw new Error(`the result that fills hole ${index} of the arguments is not here`)
    return Result.getOrThrow(Value.decode(input, { named }))
  }
  const decoded = Value.decode(args, { fill, named })
  if (Result.isFailure(decoded)) return Result.fail(unknown ?? decoded.failure)
  return Array.isArray(decoded.success) ? Result.succeed(decoded.success) : Result.fail(new TypeError("The arguments are no list."))
}

/** An argument travels under the name of a codec that no module here brings. */
export class CodecUnknown extends Schema.TaggedError<CodecUnknown>()("CodecUnknown", { name: Schema.String }) {
  override get message() {
    return `An argument is a value of "${this.name}", and no module of this worker has a task with that codec.\n` +
      "  fix  name the module that exports it in `tasks` of the cluster"
  }
}

/**
 * Calls a function that may give its value in any of the three ways. What it throws is a defect.
 *
 * A promise cannot be stopped. So from the call on there is no interruption but inside an Effect: an interrupted body ends when
 * its promise has settled, and nothing of it runs any more.
 */
const callWith = (f: AnyFunction, effects: Effects): Body["run"] => (args) =>
  Effect.uninterruptibleMask((restore) => {
    const returned = f(...args)
    if (Effect.isEffect(returned)) {
      // A body may ask for a `Scope` and for nothing else, which its task's type says.
      return effects === "run" ? restore(returned as Effect.Effect<unknown, unknown, Scope.Scope>) : Effect.fail(new GivesEffect())
    }
    return isPromiseLike(returned) ? settled(returned) : Effect.succeed(returned)
  })

/** The function gave an Effect where none was to be run. */
export class GivesEffect extends Schema.TaggedError<GivesEffect>()("GivesEffect", {}) {}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

const settled = (promise: PromiseLike<unknown>): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    promise.then((value) => resume(Effect.succeed(value)), (thrown) => resume(Effect.die(thrown)))
  })
