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
import type { CodeDef } from "@skein/protocol/Code"
import { learnExports } from "@skein/protocol/Portable"
import { encodeRaised } from "@skein/protocol/Raised"
import type { TaskServices } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
import * as Registry from "@skein/protocol/TaskRegistry"
import * as Body from "./Body.ts"
import { fromText, importModule } from "./LoadFunction.ts"
import { RunningTask } from "./RunningTask.ts"
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
  try {
    const body = await find(def)
    return (job) => run(body, job)
  } catch (thrown) {
    return (job) => toOutcome(endingOf(thrown), job, clock.currentTimeMillisUnsafe(), clock)
  }
}

/** This thread's own. */
const clock = Effect.runSync(Clock.Clock)

const find = async (def: CodeDef): Promise<Body.Body> => {
  const found = here(def) ?? (def.module === null ? undefined : await registration(def.module.url, () => here(def)))
  if (found !== undefined) return found
  throw unknown(def)
}

/**
 * With `moduleFirst` the task of this text made by this very module, if that has been imported; else what the text says. The worker
 * has chosen. Throws for a text that is no function.
 */
export const here = (def: CodeDef): Body.Body | undefined =>
  !def.moduleFirst && def.text !== null ? Body.ofFunction(fromText(def.text), effectsOf(def)) : made(def)

/** There is no such code in this thread, and none is to come. */
export const unknown = (def: CodeDef): Error =>
  new Error(`SKEIN1002 no code for task "${def.name}": ${def.module?.url ?? "its module"} makes it in the worker, but not in a thread of it`)

/**
 * The task of this name made by this module, and of this text. Where sources are transpiled on the way, as in tests, the text may
 * read differently in a thread; then the name must do, if it names one task only.
 */
const made = (def: CodeDef): Body.Body | undefined => {
  const named = Array.from(Registry.entries()).filter((entry) => entry.name === def.name && entry.module === def.module?.url)
  const same = named.find((entry) => entry.text === def.text) ?? (named.length === 1 ? named[0] : undefined)
  return same === undefined ? undefined : Body.ofTask(same, effectsOf(def))
}

const effectsOf = (def: CodeDef): Body.Effects => def.body === "effect" ? "run" : "refuse"

/** The task is there as soon as it has been made; the import's end may never come. */
const registration = (url: string, find: () => Body.Body | undefined): Promise<Body.Body | undefined> =>
  new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      forget()
      how()
    }
    const forget = Registry.onRegistered(() => {
      const found = find()
      if (found !== undefined) settle(() => resolve(found))
    })
    importModule(url).then(() => settle(() => resolve(find())), (thrown: unknown) => settle(() => reject(thrown)))
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

/** What a body sees of itself in a thread. A client there is none, and an Effect that asks for it dies of that. */
export const inThread = (job: Pick<ThreadJob, "attempt" | "key" | "worker">): Body.As => {
  const task = new RunningTask(job, undefined)
  // The cast leaves the client out.
  const provide = (effect: Effect.Effect<unknown, unknown, TaskServices>) =>
    Effect.provideService(Effect.scoped(effect as Effect.Effect<unknown, unknown, TaskContext>), TaskContext, task)
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
