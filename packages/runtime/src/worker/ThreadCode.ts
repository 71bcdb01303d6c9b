/**
 * The thread's side of Code.ts and Executor.ts: the function that the worker
 * chose, found again in a thread, and run.
 *
 * The worker has checked digests and decided between text and module. A module
 * brings along what it imports itself, and so takes its time to load in each
 * thread; a text does not.
 *
 * A function may turn out to give an Effect, though nothing said so: then a
 * thread is the wrong place, for an Effect ended with its thread runs no
 * finalizers. It is not run here, and the worker runs the function as a fiber
 * (`givesEffect`). What was known to be an Effect and yet wanted a thread is run,
 * and so are promises.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { CodeDef } from "@skein/protocol/Code"
import { learnExports } from "@skein/protocol/Portable"
import { encodeRaised } from "@skein/protocol/Raised"
import type { TaskServices } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
import * as TaskImport from "@skein/protocol/TaskImport"
import * as Registry from "@skein/protocol/TaskRegistry"
import * as Body from "./Body.ts"
import { because, type CodeUnknown, type Why } from "./CodeUnknown.ts"
import { fromText, importModule } from "./LoadFunction.ts"
import { ModuleFailed } from "./Modules.ts"
import { RunningTask } from "./RunningTask.ts"
import * as TaskClients from "./TaskClients.ts"
import type { BodyOutcome, ThreadCode, ThreadJob } from "./ThreadMessages.ts"

/** The URL of this module for a worker with these modules; it carries them, for a thread has no other way to be told. */
export const urlFor = (tasks: ReadonlyArray<string>): string => {
  const url = new URL(import.meta.url)
  url.search = ""
  for (const task of tasks) url.searchParams.append("tasks", task)
  return url.href
}

/** Imports the worker's modules: only for the codecs and classes in them, so only when one is missing. One that fails brings none. */
const modules: Effect.Effect<void> = Effect.callback((resume) => {
  const urls = new URL(import.meta.url).searchParams.getAll("tasks")
  Promise.allSettled(urls.map((url) => importModule(url).then(learnExports))).then(() => resume(Effect.void))
})

/** The outcome of a function that gave an Effect: a failure of no bytes, which no real one has. */
const givesEffect: BodyOutcome = { _tag: "Failed", failure: new Uint8Array(0), retryable: false }
export const isGivesEffect = (outcome: { readonly _tag: string; readonly failure?: Uint8Array }): boolean =>
  outcome._tag === "Failed" && outcome.failure?.length === 0

/** What runs jobs of this code; see `ThreadCode`. */
export const prepare: ThreadCode["prepare"] = async (def) => {
  const fails = (thrownFor: (job: ThreadJob) => unknown) => (job: ThreadJob) => toOutcome(endingOf(thrownFor(job)), job, clock.currentTimeMillisUnsafe(), clock)
  try {
    const found = await find(def)
    return "_tag" in found ? fails(({ worker }) => because(found, { task: def.name, worker })) : (job) => run(found, job)
  } catch (thrown) {
    return fails(() => thrown)
  }
}

/** This thread's own. */
const clock = Effect.runSync(Clock.Clock)

const find = async (def: CodeDef): Promise<Body.Body | Why> => {
  // What it captures may be instances of classes that only the worker's modules know.
  if (def.captures !== undefined && Result.isFailure(Body.capturesOf(def))) await Effect.runPromise(modules)
  return here(def) ?? (def.module === null ? { _tag: "NoModule" } : await registration(def.module.url, () => here(def)))
}

/**
 * With `moduleFirst` the task of this text made by this very module, if that has been imported; else what the text says. The worker
 * has chosen. Throws for a text that is no function.
 */
export const here = (def: CodeDef): Body.Body | undefined =>
  !def.moduleFirst && def.text !== null
    ? Body.ofFunction(fromText(def.text, { name: def.name, captures: Result.getOrThrow(Body.capturesOf(def)) }), effectsOf(def))
    : made(def)

/** There is no such code in this thread, and none is to come: its module makes it in the worker's process only. */
export const unknown = (def: CodeDef, worker: string): CodeUnknown =>
  because(def.module === null ? { _tag: "NoModule" } : { _tag: "NotMade", module: def.module.url, start: TaskImport.starts().find((start) => start !== null) ?? null }, {
    task: def.name,
    worker
  })

/**
 * The task of this name made by this module, and of this text. Where sources are transpiled on the way, as in tests, the text may
 * read differently in a thread; then the name must do, if it names one task only.
 */
const made = (def: CodeDef): Body.Body | undefined => {
  const named = Array.from(Registry.entries()).filter((entry) => entry.name === def.name && entry.module === def.module?.url)
  const same = named.find((entry) => entry.text === def.text && sameBytes(entry.captures, def.captures)) ?? (named.length === 1 ? named[0] : undefined)
  return same === undefined ? undefined : Body.ofTask(same, effectsOf(def))
}

const effectsOf = (def: CodeDef): Body.Effects => def.body === "effect" ? "run" : "refuse"

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]))

/** How long a module may still make tasks after a cluster was started in it, or in some other that it imports. In milliseconds. */
const AFTER_START_MS = 200
const AFTER_OTHER_MS = 10_000

/** The task is there as soon as it has been made; the import's end may never come. */
const registration = (module: string, find: () => Body.Body | undefined): Promise<Body.Body | Why> =>
  new Promise((resolve) => {
    const settle = (found: Body.Body | Why) => {
      for (const stop of listening) stop()
      resolve(found)
    }
    const over = (start: TaskImport.Place | null) => settle(find() ?? { _tag: "NotMade", module, start })
    const hasStarted = (start: TaskImport.Place | null) => void setTimeout(over, start?.url === module ? AFTER_START_MS : AFTER_OTHER_MS, start)
    const listening = [
      Registry.onRegistered(() => {
        const found = find()
        if (found !== undefined) settle(found)
      }),
      TaskImport.onStart((start) => hasStarted(start))
    ]
    importModule(module).then(
      (exports) => {
        learnExports(exports)
        over(null)
      },
      (cause: unknown) => settle({ _tag: "ModuleFailed", module, failed: new ModuleFailed({ url: module, cause }) })
    )
    // It may have been imported before, as far as that goes.
    TaskImport.starts().forEach(hasStarted)
  })

/** At once, if the body ends in one step: a promise costs as much as a small body. */
const run = (body: Body.Body, job: ThreadJob): BodyOutcome | Promise<BodyOutcome> => {
  const startedAtMs = clock.currentTimeMillisUnsafe()
  const begun = Body.begin(body, job.args, job.inputs, modules, clock, inThread(job), true)
  // What does not end in one step ends in some other, and never rejects but by a defect of ours: that ends the thread.
  return Effect.isEffect(begun)
    ? Effect.runPromise(Effect.map(begun, (ending) => toOutcome(ending, job, startedAtMs, clock)))
    : toOutcome(begun, job, startedAtMs, clock)
}

/** What a body sees of itself in a thread. A client there is none, and an Effect that asks for it dies of that, and hears why. */
export const inThread = (job: Pick<ThreadJob, "attempt" | "key" | "run" | "tell" | "worker">): Body.As => {
  const task = new RunningTask(job, undefined, job.run, job.tell)
  const provide = (effect: Effect.Effect<unknown, unknown, TaskServices>) => {
    const context = task.context(Effect.never)
    return TaskClients.provideTo(Effect.provideService(Effect.scoped(effect), TaskContext, context), TaskClients.inThread(job.key))
  }
  return { task, provide }
}

/** The ending of a body that could not be had. */
export const endingOf = (thrown: unknown): Body.Ending => ({ _tag: "Failed", raised: { _tag: "Defect", defect: thrown }, retryable: false, ms: 0 })

/** What the thread tells of an ending. `startedAtMs`: epoch ms. */
export const toOutcome = (ending: Body.Ending, { attempt, worker }: Pick<ThreadJob, "attempt" | "worker">, startedAtMs: number, clock: Clock.Clock): BodyOutcome => {
  if (ending._tag === "Succeeded") return ending
  const { raised, retryable } = ending
  if (raised._tag === "Error" && raised.error instanceof Body.GivesEffect) return givesEffect
  return { _tag: "Failed", failure: encodeRaised(raised, { worker, attempt, startedAtMs, endedAtMs: clock.currentTimeMillisUnsafe() }), retryable }
}
