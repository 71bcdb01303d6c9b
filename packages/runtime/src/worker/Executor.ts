/**
 * What runs bodies, and stops them.
 *
 * Effects and async functions run as fibers of this process, one for each task
 * and each with a scope of its own; plain functions run in threads, because only
 * a thread can be ended while it computes. A plain function that is to run in
 * this process anyway is called and has ended: it needs no fiber. Of some
 * functions nobody knows before they are called that they give an Effect: a
 * thread gives those back, and from then on they run as fibers at once, whatever
 * slot they were given.
 *
 * What was asked for in one turn is begun together: Starting.ts says when. Either
 * way a run ends in exactly one event, told when nothing of it runs any more: of
 * a fiber by its observer, finalizers included, even if it was interrupted before
 * its first step.
 *
 * What a body does is an outcome and never hurts this file; a defect of this
 * file ends `failed` or the loop that called it, and with either the worker.
 *
 * How long a body may take to stop is the state machine's business: it asks for
 * `interrupt` first and for `terminate` later.
 *
 * Source: dask.distributed `worker.py`, `Worker.execute` and `apply_function`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import type { Attempt } from "@skein/protocol/Failure"
import { INLINE_LIMIT } from "@skein/protocol/Graph"
import type { CodeId, RunId, TaskId } from "@skein/protocol/Ids"
import { encodeRaised, type Raised } from "@skein/protocol/Raised"
import type { TaskServices } from "@skein/protocol/Task"
import { TaskContext, TaskHoldings } from "@skein/protocol/TaskContext"
import * as SteadyTime from "../SteadyTime.ts"
import { LIMIT_MS } from "./BlockedLoop.ts"
import * as Body from "./Body.ts"
import type { Code } from "./Code.ts"
import { because, type CodeUnknown } from "./CodeUnknown.ts"
import type { DataStore } from "./DataStore.ts"
import { RunningTask, type Tell } from "./RunningTask.ts"
import * as Starting from "./Starting.ts"
import * as TaskClients from "./TaskClients.ts"
import { isGivesEffect } from "./ThreadCode.ts"
import type { JobListener, JobOutcome, Threads } from "./Threads.ts"

export type Execute = Extract<Command, { readonly _tag: "Execute" }>

export interface Executor {
  /** Takes hold of the dependencies' values at once; the body begins after `begin`, and the outcome is an event. */
  readonly execute: (command: Execute) => void
  /** Begins what was asked for, now or soon: to be called when all that is asked for at once has been, and after `wake`. */
  readonly begin: () => void
  /** Takes it back if it has not begun, in a thread or at all; the answer is an event, whatever has become of it. */
  readonly retract: (id: TaskId, run: RunId) => void
  /** Asks the body to end. Does nothing if it has ended. */
  readonly interrupt: (run: RunId) => void
  /** The body has the slot again that it asked for. */
  readonly resume: (run: RunId) => void
  /** Lets a body that has waited run on without one. */
  readonly goOn: (run: RunId) => void
  /** Ends the thread that runs the body. Does nothing for a fiber: there is no way to end one that will not. */
  readonly terminate: (run: RunId) => void
  /** Runs that have not ended. */
  readonly executing: () => number
  /** Names of the tasks whose bodies run in this process, and not in threads. */
  readonly inProcess: () => ReadonlyArray<string>
  /** Dies with the first defect of the executor itself. */
  readonly failed: Effect.Effect<never>
}

/** How a run ended. */
type Outcome =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly failure: Uint8Array; readonly ms: number; readonly retryable: boolean }
  /** The body ended its thread. */
  | { readonly _tag: "Exited"; readonly attempt: Attempt }
  /** It wants to run elsewhere. */
  | { readonly _tag: "Rescheduled" }
  /** Its thread was ended, or had not begun it and gave it back. */
  | { readonly _tag: "Stopped" }

export interface Options {
  /** The worker's name, for the errors of bodies. */
  readonly worker: string
  readonly store: DataStore
  readonly code: Code
  readonly threads: Pick<Threads, "submit" | "cancel" | "terminate">
  /** Takes what bodies say of how far they are. @default nobody does */
  readonly progress?: Progress
  /** The body of this task has held the event loop for so long, `LIMIT_MS` at least. @default nobody is told */
  readonly held?: ((task: string, ms: number) => void) | undefined
  /** What bodies find around them beside their scope and their task. @default no client */
  readonly client?: TaskClients.TaskClient
  /** What the scheduler has said of each piece of code. */
  readonly defOf: (code: CodeId) => CodeDef | undefined
  /** Takes an event into the worker's mailbox. */
  readonly emit: (event: Event) => void
  /** Has `begin` called. */
  readonly wake: () => void
}

interface Running {
  readonly command: Execute
  readonly inputs: Body.Inputs
  /** Of the data store, when it was asked for. */
  readonly generation: number
  /** When it began, or was handed over. */
  startedAtMs: number
  /** From here on it must be seen to that it ends. */
  begun: boolean
  fiber: Fiber.Fiber<void> | undefined
  /** As the body sees it, once it has been called in this process. */
  task: RunningTask | undefined
  /** The thread pool has it. */
  threaded: boolean
  interrupted: boolean
  /** Is being taken back, in this very step. */
  retracting: boolean
}

/** Where bodies' words on their progress go. */
export interface Progress {
  /** The latest word of a run. */
  readonly said: (id: TaskId, run: RunId, said: ProgressSaid) => void
  /** The run ends: what it has said last is told before that. */
  readonly ended: (run: RunId) => void
}
const untold = (): void => {}
const nobodyAsks: Progress = { said: () => {}, ended: () => {} }

/** Functions of which something is remembered, at most; it is found out about the oldest anew. */
const KNOWN = 4_096

/** A body that holds the event loop for no longer is short. */
const SHORT_MS = 0.25

/** An executor; everything it runs is interrupted when the scope closes. */
export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Executor, never, Scope.Scope> {
  const { client = TaskClients.none, code, defOf, emit, held = untold, progress = nobodyAsks, store, threads, wake, worker } = options
  const inTaskClient = TaskClients.service(client)
  const clock = yield* Clock.Clock
  const now = SteadyTime.of(clock)
  const preciseMs = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const fibers = yield* FiberSet.make<void, never>()
  /** Runs an effect from here on, not from some later step. */
  const fork = yield* FiberSet.runtime(fibers)<never>()
  const running = new Map<RunId, Running>()
  /** Digests of functions that turned out to give Effects. */
  const giveEffects = new Set<string>()
  /** Digests of functions that were short the last time. */
  const short = new Set<string>()

  const execute = (command: Execute): void => {
    // The values at once, for after this turn the results may be dropped.
    const inputs = command.dependencies.length === 0 ? noInputs : command.dependencies.map((id) => store.latest(id))
    const run: Running = { command, inputs, generation: store.generation(), startedAtMs: 0, begun: false, fiber: undefined, task: undefined, threaded: false, interrupted: false, retracting: false }
    running.set(command.run, run)
    starting.add(run)
  }
  const starting = Starting.make<Running>({
    now: preciseMs,
    // What is said in one step leaves in the third after it: the outbox makes a message of it, the session writes that.
    soon: (then) => void fork(Effect.andThen(threeSteps, Effect.sync(then))),
    wake,
    isShort: ({ command: { code, isolation } }) => {
      const digest = defOf(code)?.digest
      return digest === undefined || (isolation === "thread" && !giveEffects.has(digest)) || short.has(digest)
    },
    // Meanwhile it may have been stopped or taken back.
    begin: (run) => running.get(run.command.run) === run ? begin(run) : undefined
  })
  const begin = (run: Running): void => {
    const { code: id, isolation, key } = run.command
    run.begun = true
    run.startedAtMs = now()
    const def = defOf(id)
    if (def === undefined) return lacksCode(run, because({ _tag: "BadText", problem: `the scheduler has not said what code ${id} is` }, { task: key, worker }))
    if (isolation === "thread" && !giveEffects.has(def.digest)) withCode(run, code.forThread(def), (found) => handOver(run, found))
    else call(run, def)
  }
  /** Goes on once the code is known, and it almost always is. */
  const bodyBegins = (id: RunId): void => {
    const run = running.get(id)
    if (run !== undefined) emit({ _tag: "ExecuteBegun", at: now(), id: run.command.id, run: id })
  }
  const said = (id: RunId, said: ProgressSaid): void => {
    const run = running.get(id)
    if (run !== undefined) progress.said(run.command.id, id, said)
  }
  const inThread: JobListener = { begun: bodyBegins, progress: said }
  // The cast: whoever is called has been made with this number.
  const tell: Tell = (id, word) => said(id as RunId, word)
  const withCode = <A>(run: Running, found: Effect.Effect<A, CodeUnknown>, go: (code: A) => void): void => {
    if (isKnown(found)) return go(found.value)
    follow(run, Effect.match(found, {
      onFailure: (problem) => lacksCode(run, problem),
      onSuccess: (code) => {
        run.startedAtMs = now()
        go(code)
      }
    }))
  }
  /** Runs the body in this process. */
  const call = (run: Running, def: CodeDef): void =>
    withCode(run, code.body(def), (body) => {
      if (run.command.timed === true) bodyBegins(run.command.run)
      const begun = Body.begin(body, run.command.args, run.inputs, code.settled, clock, asTask(run))
      if (Effect.isEffect(begun)) {
        follow(run, Effect.map(begun, (ending) => bodyEnded(run, ending)))
        heldFor(def, now() - run.startedAtMs)
      } else {
        heldFor(def, begun.ms)
        bodyEnded(run, begun)
      }
    })
  /** A body has let go of the event loop, ended or not. */
  const heldFor = ({ digest, name }: CodeDef, ms: number): void => {
    if (ms >= LIMIT_MS) held(name, ms)
    if (ms > SHORT_MS) short.delete(digest)
    else if (!short.has(digest)) remember(short, digest)
  }
  const asTask = (run: Running): Body.As => {
    const { attempt, id, key, run: number } = run.command
    const task = new RunningTask({ attempt, key, worker }, {
      give: (waits) => emit({ _tag: "ExecuteSeceded", at: now(), id, run: number, waits }),
      want: () => emit({ _tag: "ExecuteRejoined", at: now(), id, run: number })
    }, number, tell)
    run.task = task
    // Most bodies are no Effects.
    const provide = (effect: Effect.Effect<unknown, unknown, TaskServices>) => {
      const own = Context.make(TaskContext, task.context(inTaskClient)).pipe(Context.add(TaskHoldings, task.holdings))
      return TaskClients.provideTo(Effect.provideContext(Effect.scoped(effect), own), client)
    }
    return { task, provide }
  }
  /** Has a thread run the body. */
  const handOver = (run: Running, found: CodeDef): void => {
    const { args, attempt, key, run: id, timed } = run.command
    const inputs = run.inputs.filter((input) => input !== undefined)
    if (inputs.length < run.inputs.length) return failed(run, { _tag: "Defect", defect: new Error("A result that fills a hole of the arguments is not here.") }, 0, true)
    run.threaded = true
    threads.submit({ run: id, code: found, key, attempt, args, inputs, timed: timed === true, on: inThread }, (outcome) => threadEnded(run, found, outcome))
  }
  /** A fiber does what comes next of a run, which the last step of it says. */
  const follow = (run: Running, rest: Effect.Effect<void>): void => {
    const fiber = fork(rest)
    if (fiber.pollUnsafe() !== undefined) return
    run.fiber = fiber
    fiber.addObserver(() => {
      // In its last step it may have had another take over.
      if (run.fiber !== fiber) return
      run.fiber = undefined
      if (run.interrupted) ended(run, stopped)
    })
    // By what the body did in its first step.
    if (run.interrupted) fiber.interruptUnsafe()
  }

  const threadEnded = (run: Running, def: CodeDef, outcome: JobOutcome): void => {
    run.threaded = false
    if (run.interrupted || !isGivesEffect(outcome)) return ended(run, outcome._tag === "Exited" ? exited(run, outcome) : outcome)
    remember(giveEffects, def.digest)
    run.startedAtMs = now()
    call(run, def)
  }
  const bodyEnded = (run: Running, ending: Body.Ending): void =>
    ending._tag === "Succeeded"
      ? ended(run, ending)
      : run.task?.isRescheduled === true
      ? ended(run, { _tag: "Rescheduled" })
      : failed(run, ending.raised, ending.ms, ending.retryable)
  const lacksCode = (run: Running, problem: CodeUnknown): void => failed(run, { _tag: "Defect", defect: problem }, 0, false)
  const failed = (run: Running, raised: Raised, ms: number, retryable: boolean): void => {
    const { command: { attempt }, startedAtMs } = run
    const failure = encodeRaised(raised, { worker, attempt, startedAtMs, endedAtMs: now() })
    ended(run, { _tag: "Failed", failure, ms, retryable })
  }
  const exited = ({ startedAtMs }: Running, { detail }: Extract<JobOutcome, { readonly _tag: "Exited" }>): Outcome => ({
    _tag: "Exited",
    attempt: { worker, startedAtMs, endedAtMs: now(), ended: "exit", detail, peakMemoryBytes: Option.none(), logTail: [] }
  })

  /** The one place where a run ends, called when nothing of it runs any more. */
  const ended = ({ command: { id, key, run }, generation, interrupted, retracting, task }: Running, outcome: Outcome): void => {
    if (!running.delete(run)) return
    task?.end()
    progress.ended(run)
    const at = now()
    if (interrupted) return emit({ _tag: "ExecuteStopped", at, id, run })
    if (retracting) return emit({ _tag: "ExecuteRetracted", at, id, run, retracted: true })
    switch (outcome._tag) {
      case "Succeeded": {
        const nbytes = outcome.value.length
        store.put({ id, run, key, bytes: outcome.value }, generation)
        return emit({ _tag: "ExecuteSucceeded", at, id, run, nbytes, ms: outcome.ms, inline: nbytes <= INLINE_LIMIT })
      }
      case "Failed":
        return emit({ _tag: "ExecuteFailed", at, id, run, ms: outcome.ms, failure: outcome.failure, retryable: outcome.retryable })
      case "Rescheduled":
        return emit({ _tag: "ExecuteRescheduled", at, id, run })
      case "Exited":
        return emit({ _tag: "ExecuteExited", at, id, run, attempt: outcome.attempt })
      case "Stopped":
        return emit({ _tag: "ExecuteStopped", at, id, run })
    }
  }

  const retract = (id: TaskId, runId: RunId): void => {
    const run = running.get(runId)
    if (run !== undefined && !run.interrupted) {
      run.retracting = true
      if (!run.begun) return ended(run, stopped)
      if (run.threaded) threads.cancel(runId)
      if (!running.has(runId)) return
      run.retracting = false
    }
    emit({ _tag: "ExecuteRetracted", at: now(), id, run: runId, retracted: false })
  }
  const interrupt = (id: RunId): void => {
    const run = running.get(id)
    if (run === undefined || run.interrupted) return
    run.interrupted = true
    run.task?.interrupt()
    if (!run.begun) ended(run, stopped)
    else if (run.threaded) threads.cancel(id)
    else run.fiber?.interruptUnsafe()
  }

  return {
    execute,
    begin: starting.go,
    retract,
    interrupt,
    resume: (id) => running.get(id)?.task?.granted(),
    goOn: (id) => running.get(id)?.task?.heard(),
    terminate: (id) => {
      if (running.get(id)?.threaded === true) threads.terminate(id)
    },
    executing: () => running.size,
    inProcess: () => {
      const names: Array<string> = []
      for (const { begun, command, threaded } of running.values()) if (begun && !threaded) names.push(defOf(command.code)?.name ?? command.key)
      return names
    },
    failed: Effect.andThen(FiberSet.join(fibers), Effect.never)
  }
})

const isKnown = <A, E>(found: Effect.Effect<A, E>): found is Exit.Success<A> => Exit.isExit(found) && Exit.isSuccess(found)

const remember = (known: Set<string>, digest: string): void => {
  known.add(digest)
  if (known.size > KNOWN) known.delete(known.values().next().value!)
}

/** The last of them comes after what can be read by then, and so after a word that takes back what has not begun. */
const threeSteps = Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.yieldNow, Effect.yieldNowWith(1)))

const noInputs: Body.Inputs = []

const stopped: Outcome = { _tag: "Stopped" }
