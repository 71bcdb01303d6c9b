/**
 * What a client without a cluster talks to: as much of a scheduler as one program
 * needs that runs its tasks itself, each in a fiber of its own.
 *
 * There are no workers to choose from and no slots to wait for, so restrictions,
 * resources and isolation choose nothing. Everything else is as with a cluster:
 * what becomes of tasks, their retries and limits of time, and what is kept for
 * whom.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Stream from "effect/Stream"
import { type CancelOutcome, type ClientReport, RelayFailed, type TaskStatus, type TaskSummary } from "@skein/protocol/ClientRpcs"
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import { forgetOldCodes, type Graph } from "@skein/protocol/Graph"
import type { CodeRef, Key, Ref } from "@skein/protocol/Ids"
import type { InTaskClient } from "@skein/protocol/TaskContext"
import type { SchedulerClient } from "../core.ts"
import { INLINE } from "./attempt.ts"
import { attempts } from "./attempts.ts"
import type { InlineBody } from "./code.ts"
import { type InlineTask, InlineTasks, nameOf, theRun, theWorker } from "./tasks.ts"

export interface InlineOptions {
  /** Of the one client. */
  readonly client: { readonly id: string; readonly name: string }
  readonly bodyOf: (def: CodeDef) => InlineBody
  readonly report: (segments: ReadonlyArray<ClientReport>) => void
  /** What bodies find around them. */
  readonly around: () => { readonly context: Context.Context<never>; readonly client: InTaskClient }
  /** Ends the client's session. */
  readonly end: () => void
}

export interface InlineScheduler {
  readonly client: SchedulerClient
  /** Takes a value that was scattered. */
  readonly put: (id: number, value: Uint8Array) => void
}

/** Its fibers end with the scope. */
export const makeInlineScheduler = Effect.fnUntraced(function*(options: InlineOptions) {
  const fork = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const startedAtMs = clock.currentTimeMillisUnsafe()
  /** How long tasks of a name took last. */
  const durations = new Map<string, number>()
  const tasks = new InlineTasks({ report: options.report, run: (task) => fork(run(task)) })

  const run = (task: InlineTask): Effect.Effect<void> => {
    const { def, row: { args, key, retries, rules } } = task.code! // data are never run
    const { client, context } = options.around()
    const inputs = task.dependencies.map(({ value }) => value!) // it is started once they are there
    const tell = ({ done, note, total = null }: Omit<ProgressSaid, "total"> & { readonly total?: number | null | undefined }) => {
      if (task.watchers.size > 0) options.report([{ _tag: "Progress", rows: [...task.watchers].map((ref) => ({ ref, done, total, note })) }])
    }
    const ran = attempts({ key, body: options.bodyOf(def), args, inputs, tell, client: context, inTask: client, retries, rules })
    // Its end begins what waits for it: of a chain, each link would run on the stack of the one before.
    return Effect.map(Effect.tap(ran, Effect.yieldNow), (outcome) => {
      if (outcome._tag === "Failed") return tasks.erred(task, { failure: outcome.failure, by: task })
      durations.set(def.name, outcome.ms)
      tasks.inMemory(task, outcome.value)
    })
  }
  const cancel = (ref: Ref, note: string | null): Effect.Effect<CancelOutcome> =>
    Effect.suspend(() => {
      const task = tasks.at(ref)
      if (task === undefined || !isPending(task)) return Effect.succeed("already-done")
      return Effect.map(task.fiber === undefined ? Effect.void : Fiber.interrupt(task.fiber), () => {
        // It may have ended meanwhile.
        if (!isPending(task)) return "already-done"
        tasks.erred(task, { failure: { _tag: "Cancelled", by: options.client.name, note }, by: task })
        return "cancelled"
      })
    })
  const client: SchedulerClient = {
    ...telling(tasks),
    Introduce: () => Effect.void,
    Cancel: ({ note, refs }) => Effect.forEach(refs, (ref) => cancel(ref, note), { concurrency: "unbounded" }),
    Locate: ({ ref }) =>
      Effect.sync(() => {
        const task = tasks.at(ref)
        return task?.value === undefined ? null : { id: task.id, run: theRun, nbytes: task.value.length, addresses: [INLINE] }
      }),
    // Values come with their news here, and nobody asks for them. The cast leaves out the way of reading that nobody uses.
    Relay: (() => Stream.fail(new RelayFailed({ reason: "Missing", detail: "there is no worker" }))) as unknown as SchedulerClient["Relay"],
    Scatter: ({ rows }) =>
      Effect.sync(() =>
        rows.map(({ key, ref }) => {
          const { id, value } = tasks.data(key, ref)
          return { id, run: theRun, addresses: value === undefined ? [INLINE] : [] }
        })
      ),
    AwaitWorkers: ({ count }) => count <= 1 ? Effect.void : Effect.never,
    Restart: () => Effect.as(Effect.forEach(tasks.refs, (ref) => cancel(ref, "the cluster was restarted"), { concurrency: "unbounded" }), true),
    ShutDown: () => Effect.sync(options.end),
    ...asking(tasks, options, { startedAtMs, durations })
  }
  const scheduler: InlineScheduler = { client, put: (id, value) => tasks.put(id, value) }
  return scheduler
})

const isPending = ({ status }: InlineTask): boolean => status === "waiting" || status === "processing"

/** What gets no answer. */
const telling = (tasks: InlineTasks): Pick<SchedulerClient, "Submit" | "Want" | "Detach" | "Release" | "Retry" | "Watch"> => {
  const codes = new Map<CodeRef, CodeDef>()
  const submit = (graph: Graph): void => {
    for (const { def, ref } of graph.codes) codes.set(ref, def)
    tasks.submit(graph.tasks.map((row) => ({
      ref: row.ref,
      key: row.key,
      // The client declares code with the first task that calls it.
      code: { def: codes.get(row.code)!, row, terms: row.terms === undefined ? undefined : graph.terms?.[row.terms] }
    })))
    forgetOldCodes(codes)
  }
  return {
    Submit: ({ graph }) => Effect.sync(() => submit(graph)),
    Want: ({ rows }) => Effect.sync(() => rows.forEach(({ key, ref }) => tasks.want(ref, key))),
    Detach: ({ refs }) => Effect.sync(() => refs.forEach((ref) => tasks.detach(ref))),
    Release: ({ refs }) => Effect.sync(() => refs.forEach((ref) => tasks.release(ref))),
    Retry: ({ refs }) => Effect.sync(() => tasks.retry(refs)),
    Watch: ({ on, ref }) =>
      Effect.sync(() => {
        const watchers = tasks.at(ref)?.watchers
        if (on) watchers?.add(ref)
        else watchers?.delete(ref)
      })
  }
}

type Asking = "Logs" | "Workers" | "Counts" | "Tasks" | "Places" | "Clients" | "About" | "Durations" | "Explain" | "Story"

/** What is looked at: one worker, that is this program. */
const asking = (
  tasks: InlineTasks,
  { client }: InlineOptions,
  { durations, startedAtMs }: { readonly startedAtMs: number; readonly durations: ReadonlyMap<string, number> }
): Pick<SchedulerClient, Asking> => {
  const summaries = (keys: ReadonlyArray<Key> | null) =>
    Effect.sync(() => ({ rows: (keys === null ? tasks.all : keys.flatMap((key) => tasks.find(key) ?? [])).map((task) => summaryOf(task, client.name)), next: null }))
  const count = (status: TaskStatus): number => tasks.all.filter((task) => task.status === status).length
  return {
    Logs: () => Effect.succeed([]),
    Workers: () =>
      Effect.sync(() => [{
        worker: theWorker,
        address: INLINE,
        name: INLINE,
        host: INLINE,
        pid: 0,
        status: "running" as const,
        nthreads: 0,
        nfibers: 1,
        memoryLimitBytes: null,
        memoryBytes: 0,
        managedBytes: tasks.all.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
        processing: count("processing"),
        idle: true,
        saturated: false,
        resources: {},
        nanny: null,
        localDirectory: ""
      }]),
    Counts: () =>
      Effect.sync(() => ({ released: 0, waiting: count("waiting"), noWorker: 0, queued: 0, processing: count("processing"), memory: count("memory"), erred: count("erred") })),
    Tasks: ({ keys }) => summaries(keys),
    Places: ({ keys }) => summaries(keys),
    Clients: () => Effect.sync(() => [{ ...client, wants: tasks.refs.length }]),
    About: () => Effect.succeed({ id: client.id, startedAtMs, nthreads: 0, memoryLimitBytes: 0, versions: {} }),
    Durations: () => Effect.sync(() => Array.from(durations, ([name, ms]) => ({ name, ms }))),
    Explain: ({ key }) => Effect.sync(() => explain(key, tasks.find(key))),
    // Nobody writes down what happens here.
    Story: () => Effect.succeed([])
  }
}

const lackingOf = ({ dependencies }: InlineTask): ReadonlyArray<Key> => dependencies.filter(({ value }) => value === undefined).map(({ key }) => key)

const summaryOf = (task: InlineTask, client: string): TaskSummary => {
  const { code, dependents, holders, key, status, value } = task
  const terms = code?.terms
  return {
    key,
    name: nameOf(task),
    status,
    priority: code?.row.priority ?? 0,
    workers: status === "processing" || status === "memory" ? [INLINE] : [],
    waitingOn: lackingOf(task),
    dependents: Array.from(dependents, ({ key }) => key),
    nbytes: value?.length ?? null,
    clients: holders.size > 0 ? [client] : [],
    ...(terms === undefined || terms.span === "" ? {} : { span: terms.span }),
    ...(terms === undefined || terms.annotations.length === 0 ? {} : { annotations: terms.annotations })
  }
}

const explain = (key: Key, task: InlineTask | undefined): string => {
  switch (task?.status) {
    case undefined:
      return `"${key}" is not known: nobody has submitted it, or all who had have released it.`
    case "waiting":
      return `"${key}" waits for ${lackingOf(task).map((lacking) => `"${lacking}"`).join(", ") || "its value"}.`
    case "processing":
      return `"${key}" is running in this program: there is no cluster.`
    case "memory":
      return `"${key}" is done; its result (${task.value?.length ?? 0} B) is in this program.`
    case "erred":
      return task.failed === undefined || task.failed.by === task ? `"${key}" failed.` : `"${key}" failed because "${task.failed.by.key}" did, which it needs.`
  }
}
