/**
 * What runs bodies, and stops them.
 *
 * Effects and async functions run as fibers of this process, one for each task
 * and each with a scope of its own; plain functions run in threads, because only
 * a thread can be ended while it computes. Of some functions nobody knows before
 * they are called that they give an Effect: a thread gives those back, and from
 * then on they run as fibers at once, whatever slot they were given. Either way a run ends in exactly one
 * event, told from an observer of its fiber: it has then really ended, its
 * finalizers included, even if it was interrupted before its first step.
 *
 * What a body does is an outcome and never hurts this file; a defect of this
 * file ends `failed`, and with it the worker.
 *
 * How long a body may take to stop is the state machine's business: it asks for
 * `interrupt` first and for `terminate` later.
 *
 * Source: dask.distributed `worker.py`, `Worker.execute` and `apply_function`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import type { CodeDef } from "@skein/protocol/Code"
import type { Attempt } from "@skein/protocol/Failure"
import { INLINE_LIMIT } from "@skein/protocol/Graph"
import type { CodeId, RunId } from "@skein/protocol/Ids"
import { encodeRaised, type Raised } from "@skein/protocol/Raised"
import { type Inputs, perform } from "./Body.ts"
import { type Code, CodeUnknown } from "./Code.ts"
import type { DataStore } from "./DataStore.ts"
import { isGivesEffect } from "./ThreadCode.ts"
import type { JobOutcome, Threads } from "./Threads.ts"

export type Execute = Extract<Command, { readonly _tag: "Execute" }>

export interface Executor {
  /** Takes hold of the dependencies' values at once and starts the body soon; the outcome is an event. */
  readonly execute: (command: Execute) => Effect.Effect<void>
  /** Asks the body to end. Does nothing if it has ended. */
  readonly interrupt: (run: RunId) => Effect.Effect<void>
  /** Ends the thread that runs the body. Does nothing for a fiber: there is no way to end one that will not. */
  readonly terminate: (run: RunId) => Effect.Effect<void>
  /** Runs that have not ended. */
  readonly executing: () => number
  /** Dies with the first defect of the executor itself. */
  readonly failed: Effect.Effect<never>
}

/** How a run ended. */
type Outcome =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly failure: Uint8Array; readonly ms: number; readonly retryable: boolean }
  /** The body ended its thread. */
  | { readonly _tag: "Exited"; readonly attempt: Attempt }
  /** Its thread was ended, or had not begun it and gave it back. */
  | { readonly _tag: "Stopped" }

export interface Options {
  /** The worker's name, for the errors of bodies. */
  readonly worker: string
  readonly store: DataStore
  readonly code: Code
  readonly threads: Pick<Threads, "run" | "cancel" | "terminate">
  /** What the scheduler has said of each piece of code. */
  readonly defOf: (code: CodeId) => CodeDef | undefined
  /** Takes an event into the worker's mailbox. */
  readonly emit: (event: Event) => void
}

interface Running {
  readonly command: Execute
  /** Of the data store, when it began. */
  readonly generation: number
  fiber: Fiber.Fiber<Outcome> | undefined
  /** The thread pool has it. */
  threaded: boolean
  interrupted: boolean
}

/** Functions that are remembered to give Effects, at most; a thread finds out about the oldest anew. */
const KNOWN_EFFECTS = 4_096

/** An executor; everything it runs is interrupted when the scope closes. */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Executor, never, Scope.Scope> {
  const { emit, store, threads } = options
  const clock = yield* Clock.Clock
  const fibers = yield* FiberSet.make<Outcome, never>()
  const running = new Map<RunId, Running>()
  /** Digests of functions that turned out to give Effects. */
  const giveEffects = new Set<string>()

  /** The one place where a run ends, called when nothing of it runs any more. */
  const ended = ({ command: { id, key, run }, generation, interrupted }: Running, exit: Exit.Exit<Outcome>): void => {
    running.delete(run)
    const about = { at: clock.currentTimeMillisUnsafe(), id, run }
    if (interrupted) return emit({ _tag: "ExecuteStopped", ...about })
    // The executor is being closed, or a defect of its own has ended `failed`: nobody is left to be told.
    if (Exit.isFailure(exit)) return
    const outcome = exit.value
    switch (outcome._tag) {
      case "Succeeded": {
        const nbytes = outcome.value.length
        store.put({ id, run, key, bytes: outcome.value }, generation)
        return emit({ _tag: "ExecuteSucceeded", ...about, nbytes, ms: outcome.ms, inline: nbytes <= INLINE_LIMIT })
      }
      case "Failed":
        return emit({ _tag: "ExecuteFailed", ...about, ms: outcome.ms, failure: outcome.failure, retryable: outcome.retryable })
      case "Exited":
        return emit({ _tag: "ExecuteExited", ...about, attempt: outcome.attempt })
      case "Stopped":
        return emit({ _tag: "ExecuteStopped", ...about })
    }
  }
  const execute = Effect.fnUntraced(function*(command: Execute) {
    // At once, for after this turn the results may be dropped.
    const inputs = command.dependencies.map((id) => store.latest(id))
    const run: Running = { command, generation: store.generation(), fiber: undefined, threaded: false, interrupted: false }
    running.set(command.run, run)
    const work = command.isolation === "thread" ? inThread(options, giveEffects, run, inputs) : inFiber(options, command, inputs)
    const fiber = yield* FiberSet.run(fibers, work, { startImmediately: false })
    run.fiber = fiber
    fiber.addObserver((exit) => ended(run, exit))
  })
  const interrupt = (id: RunId) =>
    Effect.suspend(() => {
      const run = running.get(id)
      if (run === undefined || run.interrupted) return Effect.void
      run.interrupted = true
      if (run.threaded) return threads.cancel(id)
      run.fiber?.interruptUnsafe()
      return Effect.void
    })

  return {
    execute,
    interrupt,
    terminate: (id) => Effect.suspend(() => running.get(id)?.threaded === true ? threads.terminate(id) : Effect.void),
    executing: () => running.size,
    failed: Effect.andThen(FiberSet.join(fibers), Effect.never)
  }
})

/** Runs the body in this process. Interrupted, it ends as soon as the body's finalizers are through. */
const inFiber = Effect.fnUntraced(function*(options: Options, command: Execute, inputs: Inputs): Effect.fn.Return<Outcome> {
  const failed = failing(options, command, yield* Clock.Clock)
  const body = yield* Effect.result(Effect.flatMap(definition(options, command), options.code.body))
  if (Result.isFailure(body)) return failed({ _tag: "Defect", defect: body.failure }, 0, false)
  const ending = yield* perform(body.success, command.args, inputs, options.code.settled)
  return ending._tag === "Succeeded" ? ending : failed(ending.raised, ending.ms, ending.retryable)
})

/** Has a thread run the body. */
const inThread = Effect.fnUntraced(function*(options: Options, giveEffects: Set<string>, run: Running, inputs: Inputs): Effect.fn.Return<Outcome> {
  const { command } = run
  const clock = yield* Clock.Clock
  const failed = failing(options, command, clock)
  const code = yield* Effect.result(Effect.flatMap(definition(options, command), options.code.forThread))
  if (Result.isFailure(code)) return failed({ _tag: "Defect", defect: code.failure }, 0, false)
  if (giveEffects.has(code.success.digest)) return yield* inFiber(options, command, inputs)
  const present = inputs.filter((input) => input !== undefined)
  if (present.length < inputs.length) return failed({ _tag: "Defect", defect: new Error("A result that fills a hole of the arguments is not here.") }, 0, true)
  const startedAtMs = clock.currentTimeMillisUnsafe()
  const { args, attempt, key } = command
  const outcome = yield* handOver(run, () => options.threads.run({ run: command.run, code: code.success, key, attempt, args, inputs: present }))
  if (isGivesEffect(outcome)) {
    giveEffects.add(code.success.digest)
    if (giveEffects.size > KNOWN_EFFECTS) giveEffects.delete(giveEffects.values().next().value!)
    if (run.interrupted) return { _tag: "Stopped" }
    run.threaded = false
    return yield* inFiber(options, command, inputs)
  }
  return outcome._tag === "Exited" ? exited(options.worker, outcome, startedAtMs, clock.currentTimeMillisUnsafe()) : outcome
})

/** In one step, so that an interruption finds the job either not handed over or in the pool. */
const handOver = (run: Running, start: () => Effect.Effect<JobOutcome>): Effect.Effect<JobOutcome> =>
  Effect.uninterruptibleMask((restore) => {
    if (run.interrupted) return Effect.succeed<JobOutcome>({ _tag: "Stopped", begun: false })
    run.threaded = true
    return restore(start())
  })

const exited = (worker: string, outcome: Extract<JobOutcome, { readonly _tag: "Exited" }>, startedAtMs: number, endedAtMs: number): Outcome => ({
  _tag: "Exited",
  attempt: { worker, startedAtMs, endedAtMs, ended: "exit", detail: outcome.detail, peakMemoryBytes: Option.none(), logTail: [] }
})

const definition = ({ defOf, worker }: Options, { code, key }: Execute): Effect.Effect<CodeDef, CodeUnknown> => {
  const def = defOf(code)
  return def === undefined ? Effect.fail(new CodeUnknown({ task: key, worker, detail: `the scheduler has not said what code ${code} is` })) : Effect.succeed(def)
}

/** The outcome of a body that has no value. */
const failing = ({ worker }: Options, { attempt }: Execute, clock: Clock.Clock) => {
  const startedAtMs = clock.currentTimeMillisUnsafe()
  return (raised: Raised, ms: number, retryable: boolean): Outcome => ({
    _tag: "Failed",
    failure: encodeRaised(raised, { worker, attempt, startedAtMs, endedAtMs: clock.currentTimeMillisUnsafe() }),
    ms,
    retryable
  })
}
