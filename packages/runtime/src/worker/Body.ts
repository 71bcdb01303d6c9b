/**
 * What is run: a function with all that belongs to it, from encoded arguments to an encoded end.
 *
 * The same in the worker's process and in its threads, so that a body can tell
 * no difference: it gets values of its own that nobody else sees, may give its
 * value in any of three ways, and whatever it does is an ending.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CodeDef } from "@skein/protocol/Code"
import { type CurrentTask, runAs } from "@skein/protocol/CurrentTask"
import { classNamed } from "@skein/protocol/Portable"
import type { Raised } from "@skein/protocol/Raised"
import type { Handler, TaskServices } from "@skein/protocol/Task"
import * as Registry from "@skein/protocol/TaskRegistry"
import { callHandler, codecsOfFn, codecsOfTask, encodeResult, named, raisedOf, type ResultCodecs } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import type { AnyFunction } from "./LoadFunction.ts"

export interface Body {
  /** Calls it with decoded arguments. What it gives may be an Effect, a promise or the value itself; it may throw. */
  readonly call: (args: ReadonlyArray<unknown>) => unknown
  /** What to do with an Effect that it gives: run it, or fail with `GivesEffect`. */
  readonly effects: Effects
  /** How its value and its error travel. */
  readonly codecs: ResultCodecs
}

/** How a body ended. `ms`: how long it ran, without the decoding and encoding around it. */
export type Ending =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly raised: Raised; readonly retryable: boolean; readonly ms: number }

/** The run that a body is called for. */
export interface As {
  readonly task: CurrentTask
  /** Gives an Effect what it may ask for. */
  readonly provide: (effect: Effect.Effect<unknown, unknown, TaskServices>) => Effect.Effect<unknown, unknown>
}

/** Encoded values of the dependencies, in the order of the holes; undefined is one that is not there. */
export type Inputs = ReadonlyArray<Uint8Array | undefined>

/**
 * Runs a body as far as it comes in one step: to its end, if it is a plain function, for a fiber would cost several times as much as
 * a small body. Else gives what there is still to do, which must be begun at once, for a promise is under way already.
 *
 * Its own doings are an ending; interrupted, it is interrupted. `moreCodecs` is awaited once if a value travels under a name that
 * nobody here knows: modules that know it may be on their way. `own`: nobody else sees these bytes, so large arrays among the
 * arguments need not be copied once more.
 */
export const begin = (
  body: Body,
  encodedArgs: Uint8Array,
  inputs: Inputs,
  moreCodecs: Effect.Effect<void>,
  clock: Clock.Clock,
  as: As,
  own = false
): Ending | Effect.Effect<Ending> => {
  const args = decodeArgs(encodedArgs, inputs, own, true)
  if (Result.isSuccess(args)) return call(body, args.success, clock, as)
  if (!(args.failure instanceof CodecUnknown)) return undecodable(args.failure)
  return Effect.flatMap(moreCodecs, () => {
    const again = decodeArgs(encodedArgs, inputs, own, false)
    return complete(Result.isSuccess(again) ? call(body, again.success, clock, as) : undecodable(again.failure))
  })
}

const complete = (begun: Ending | Effect.Effect<Ending>): Effect.Effect<Ending> => Effect.isEffect(begun) ? begun : Effect.succeed(begun)

const call = (body: Body, args: ReadonlyArray<unknown>, clock: Clock.Clock, as: As): Ending | Effect.Effect<Ending> => {
  const start = clock.monotonicTimeNanosUnsafe()
  let returned: unknown
  let remaining: Effect.Effect<unknown, unknown> | undefined
  try {
    returned = runAs(as.task, () => body.call(args))
    // A value may be a proxy that throws when it is looked at.
    remaining = remainingOf(returned, body.effects, as)
  } catch (thrown) {
    return failed(Cause.die(thrown), body.codecs, msSince(start, clock))
  }
  return remaining === undefined ? succeeded(returned, body.codecs, msSince(start, clock)) : ended(remaining, body.codecs, start, clock)
}

/** What there is to be awaited before the value is there; undefined: nothing. */
const remainingOf = (returned: unknown, effects: Effects, as: As): Effect.Effect<unknown, unknown> | undefined => {
  if (Effect.isEffect(returned)) {
    // What a body may ask for its task's type says.
    return effects === "run" ? as.provide(returned as Effect.Effect<unknown, unknown, TaskServices>) : Effect.fail(new GivesEffect())
  }
  return isPromiseLike(returned) ? settled(returned) : undefined
}

const ended = (running: Effect.Effect<unknown, unknown>, codecs: ResultCodecs, start: bigint, clock: Clock.Clock): Effect.Effect<Ending> =>
  Effect.map(Effect.exit(running), (exit) => {
    const ms = msSince(start, clock)
    return Exit.isSuccess(exit) ? succeeded(exit.value, codecs, ms) : failed(exit.cause, codecs, ms)
  })

const succeeded = (value: unknown, codecs: ResultCodecs, ms: number): Ending => {
  const encoded = encodeResult(value, codecs)
  return Result.isSuccess(encoded)
    ? { _tag: "Succeeded", value: encoded.success, ms }
    // It would return the same again.
    : { _tag: "Failed", raised: encoded.failure, retryable: false, ms }
}

const failed = (cause: Cause.Cause<unknown>, codecs: ResultCodecs, ms: number): Ending => {
  const raised = Option.getOrElse(raisedOf(cause, codecs), (): Raised => ({ _tag: "Defect", defect: new Error("The body interrupted itself.") }))
  return { _tag: "Failed", raised, retryable: true, ms }
}

const undecodable = (error: Error): Ending => ({ _tag: "Failed", raised: { _tag: "Defect", defect: error }, retryable: false, ms: 0 })

const msSince = (start: bigint, clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6

/** What to do with an Effect that a function gives. */
export type Effects = "run" | "refuse"

/** A function that brings nothing but itself. */
export const ofFunction = (f: AnyFunction, effects: Effects = "run"): Body => ({ call: (args) => f(...args), effects, codecs: {} })

/** A task that a module of this process has made. `services`: what its Effect finds around it beside what every body does. */
export const ofTask = (entry: Registry.FnEntry, effects: Effects = "run", services?: Effect.Effect<Context.Context<never>>): Body => ({
  call: services === undefined ? (args) => (entry.body as AnyFunction)(...args) : (args) => {
    const returned = (entry.body as AnyFunction)(...args)
    // What it asks for the type of `Task.fn` has compared with what the layer gives.
    return Effect.isEffect(returned) ? Effect.flatMap(services, (built) => Effect.provideContext(returned as Effect.Effect<unknown, unknown>, built)) : returned
  },
  effects,
  codecs: codecsOfFn(entry)
})

/** The values that go with a definition's text, by the names that it has for them. */
export const capturesOf = (def: CodeDef): Result.Result<Readonly<Record<string, unknown>>, Value.ValueInvalid> =>
  def.captures === undefined
    ? Result.succeed({})
    // A record was encoded, and the digest says that it is the same one.
    : Result.map(Value.decode(def.captures, { named: named() }), (record) => record as Readonly<Record<string, unknown>>)

/** The body of a contract, whose payload is checked before it runs. */
export const ofHandler = (handler: Handler): Body => ({
  call: (args) => callHandler(handler, args),
  effects: "run",
  codecs: codecsOfTask(handler.task)
})

/**
 * Every body gets values of its own, for it may change them. `strict`: an error whose class is not known is no argument yet either,
 * though it can stand for itself.
 */
const decodeArgs = (args: Uint8Array, inputs: Inputs, own: boolean, strict: boolean): Result.Result<ReadonlyArray<unknown>, Error> => {
  // A dependency that stands in two places is two values.
  const filled = own ? new Set<number>() : undefined
  let unknown: CodecUnknown | undefined
  const named = (name: string, encoded: unknown): unknown => {
    const codec = Registry.codec(name)
    if (codec === undefined) throw unknown = new CodecUnknown({ name })
    return Schema.decodeUnknownSync(codec)(encoded)
  }
  const fill = (index: number): unknown => {
    const input = inputs[index]
    if (input === undefined) throw new Error(`the result that fills hole ${index} of the arguments is not here`)
    const first = filled !== undefined && !filled.has(index)
    filled?.add(index)
    return Result.getOrThrow(Value.decode(input, { named, own: first }))
  }
  const decoded = Value.decode(args, { fill, named, own })
  if (unknown !== undefined && (strict || Result.isFailure(decoded))) return Result.fail(unknown)
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
  return Array.isArray(decoded.success) ? Result.succeed(decoded.success) : Result.fail(new TypeError("The arguments are no list."))
}

/** An argument travels under the name of a codec that no module here brings. */
export class CodecUnknown extends Schema.TaggedError<CodecUnknown>()("CodecUnknown", { name: Schema.String }) {
  override get message() {
    const cls = classNamed(this.name)
    return cls === undefined
      ? `An argument is a value of "${this.name}", and no module of this worker has a task with that codec.\n` +
        "  fix  name the module that exports it in `tasks` of the cluster"
      : `An argument is an instance of ${cls}, and no module of this worker exports or registers that class.\n` +
        "  fix  export it from a module that `tasks` of the cluster names; there, too, `Portable.register` what is no Schema.Class"
  }
}

/** The function gave an Effect where none was to be run. */
export class GivesEffect extends Schema.TaggedError<GivesEffect>()("GivesEffect", {}) {}

const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** A promise cannot be stopped: an interrupted body ends when its promise has settled, and nothing of it runs any more. */
const settled = (promise: PromiseLike<unknown>): Effect.Effect<unknown> =>
  Effect.uninterruptible(Effect.callback((resume) => {
    promise.then((value) => resume(Effect.succeed(value)), (thrown) => resume(Effect.die(thrown)))
  }))
