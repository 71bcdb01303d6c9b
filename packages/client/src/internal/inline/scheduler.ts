/**
 * What a client without a cluster talks to: as much of a scheduler as one program
 * needs that runs its tasks itself.
 *
 * A task starts as soon as its dependencies are there, each in a fiber of its own:
 * there are no workers to choose from and no slots to wait for, so restrictions,
 * resources and isolation choose nothing. Everything else is as with a cluster:
 * what becomes of tasks, their retries and limits of time, and what is kept for
 * whom. A result stays as long as somebody holds it or needs it.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type CancelOutcome, type ClientReport, DATA_NAME, RelayFailed, type TaskStatus, type TaskSummary } from "@skein/protocol/ClientRpcs"
import type { CodeDef } from "@skein/protocol/Code"
import type { Attempt, Failure } from "@skein/protocol/Failure"
import type { AttemptRules, Graph, SubmittedTask } from "@skein/protocol/Graph"
import type { CodeRef, Key, Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { InTaskClient } from "@skein/protocol/TaskContext"
import type { Terms } from "@skein/protocol/Terms"
import type { SchedulerClient } from "../core.ts"
import { attempt, type Attempted, INLINE } from "./attempt.ts"
import type { InlineBody } from "./code.ts"

export interface InlineOptions {
  /** Of the one client. */
  readonly client: { readonly id: string; readonly name: string }
  readonly bodyOf: (def: CodeDef) => InlineBody | undefined
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

interface Task {
  readonly key: Key
  readonly id: TaskId
  /** Undefined for data. */
  readonly def: CodeDef | undefined
  readonly row: SubmittedTask | undefined
  readonly terms: Terms | undefined
  readonly dependencies: ReadonlyArray<Task>
  /** Those that are not done. */
  readonly dependents: Set<Task>
  readonly holders: Set<Ref>
  /** To be computed though nobody may hold it. */
  detached: boolean
  status: Extract<TaskStatus, "waiting" | "processing" | "memory" | "erred">
  value: Uint8Array | undefined
  failed: { readonly failure: Failure; readonly by: Task } | undefined
  fiber: Fiber.Fiber<void> | undefined
  readonly watchers: Set<Ref>
}

const noRules: AttemptRules = { timeoutMs: Infinity, delayMs: 0, factor: 1, maxDelayMs: 0 }
// There is one of each here.
const worker = 0 as WorkerId
const theRun = 0 as RunId

/** Its fibers end with the scope. */
export const makeInlineScheduler = Effect.fnUntraced(function*(options: InlineOptions) {
  const fork = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const startedAtMs = clock.currentTimeMillisUnsafe()
  const codes = new Map<CodeRef, CodeDef>()
  const byKey = new Map<Key, Task>()
  const byId = new Map<TaskId, Task>()
  const byRef = new Map<Ref, Task>()
  const durations = new Map<string, number>()
  let ids = 0

  const add = (of: Pick<Task, "key" | "def" | "row" | "terms" | "dependencies">): Task => {
    // The cast makes a number that this counter alone hands out an id.
    const task: Task = { ...of, id: ids++ as TaskId, dependents: new Set(), holders: new Set(), detached: false, status: "waiting", value: undefined, failed: undefined, fiber: undefined, watchers: new Set() }
    byKey.set(task.key, task)
    byId.set(task.id, task)
    return task
  }
  const hold = (task: Task, ref: Ref): void => {
    task.holders.add(ref)
    byRef.set(ref, task)
  }
  const nameOf = (task: Task): string => task.def?.name ?? DATA_NAME

  /** What is to be said of it to these who hold it. */
  const tell = (task: Task, refs: Iterable<Ref> = task.holders): void => {
    const all = [...refs]
    if (all.length === 0) return
    const { failed, id, value } = task
    if (value !== undefined) options.report([{ _tag: "InMemory", rows: all.map((ref) => ({ ref, id, run: theRun, nbytes: value.length, worker, value })) }])
    else if (failed !== undefined) options.report([{ _tag: "Erred", rows: all.map((ref) => ({ ref, failure: failed.failure, origin: failed.by.key, originTask: nameOf(failed.by) })) }])
    else options.report([{ _tag: "Pending", refs: all }])
  }

  /** Starts those that can, the most urgent first. */
  const start = (tasks: Iterable<Task>): void => {
    const ready = [...tasks].filter((task) => task.status === "waiting" && task.row !== undefined && task.dependencies.every(({ value }) => value !== undefined))
    for (const task of ready.sort((a, b) => b.row!.priority - a.row!.priority)) {
      task.status = "processing"
      task.fiber = fork(run(task))
    }
  }
  const inMemory = (task: Task, value: Uint8Array): void => {
    task.status = "memory"
    task.value = value
    tell(task)
    start([...task.dependents])
    giveUpDependencies(task)
  }
  const erred = (task: Task, failed: NonNullable<Task["failed"]>): void => {
    task.status = "erred"
    task.failed = failed
    tell(task)
    for (const dependent of task.dependents) if (dependent.status === "waiting") erred(dependent, failed)
    isOver(task)
  }
  const isOver = (task: Task): void => {
    task.detached = false
    task.fiber = undefined
    dropUnless(task)
  }
  const giveUpDependencies = (task: Task): void => {
    for (const dependency of task.dependencies) {
      dependency.dependents.delete(task)
      dropUnless(dependency)
    }
    isOver(task)
  }
  /** Forgets it, unless somebody holds or needs it. */
  const dropUnless = (task: Task): void => {
    if (task.holders.size > 0 || task.dependents.size > 0 || task.detached || byId.get(task.id) !== task) return
    byId.delete(task.id)
    if (byKey.get(task.key) === task) byKey.delete(task.key)
    task.fiber?.interruptUnsafe()
    for (const dependency of task.dependencies) {
      dependency.dependents.delete(task)
      dropUnless(dependency)
    }
  }

  /** All attempts at it. */
  const run = (task: Task): Effect.Effect<void> =>
    Effect.gen(function*() {
      const { args, key, retries, rules = noRules } = task.row!
      const body = options.bodyOf(task.def!)!
      const before: Array<Attempt> = []
      let delayMs = rules.delayMs
      for (let number = 1, left = retries;; number++) {
        const { client, context } = options.around()
        const told = (said: { readonly done: number; readonly total: number | undefined; readonly note: string }) => {
          if (task.watchers.size > 0) options.report([{ _tag: "Progress", rows: [...task.watchers].map((ref) => ({ ref, done: said.done, total: said.total ?? null, note: said.note })) }])
        }
        const began = clock.currentTimeMillisUnsafe()
        const once: Effect.Effect<Attempted> = attempt({ key, attempt: number, body, args, inputs: task.dependencies.map(({ value }) => value!), tell: told, client: context, inTask: client })
        const ended = rules.timeoutMs === Infinity
          ? Option.some(yield* once)
          : yield* Effect.timeoutOption(once, Duration.millis(rules.timeoutMs))
        if (Option.isSome(ended) && ended.value._tag === "Succeeded") {
          durations.set(nameOf(task), ended.value.ms)
          return inMemory(task, ended.value.value)
        }
        if (Option.isSome(ended) && ended.value._tag === "Rescheduled") {
          yield* Effect.yieldNow
          continue
        }
        before.push(attemptOf(Option.isSome(ended) ? "failed" : "timeout", began, clock.currentTimeMillisUnsafe()))
        const retryable = Option.isNone(ended) || ended.value._tag !== "Failed" || ended.value.retryable
        if (!retryable || left-- <= 0) {
          const failure: Failure = Option.isSome(ended) && ended.value._tag === "Failed"
            ? { _tag: "Raised", body: ended.value.body, ...(before.length > 1 ? { before: before.slice(0, -1) } : {}) }
            : { _tag: "TimedOut", limitMs: rules.timeoutMs, attempts: before }
          return erred(task, { failure, by: task })
        }
        if (delayMs > 0) yield* Effect.sleep(delayMs)
        delayMs = Math.min(delayMs * rules.factor, rules.maxDelayMs)
      }
    })

  const submit = (graph: Graph): void => {
    for (const { def, ref } of graph.codes) codes.set(ref, def)
    const added: Array<Task> = []
    for (const row of graph.tasks) {
      const known = byKey.get(row.key)
      if (known !== undefined) {
        hold(known, row.ref)
        tell(known, [row.ref])
        continue
      }
      const dependencies = row.dependencies.map((ref) => byRef.get(ref)!)
      const task = add({ key: row.key, def: codes.get(row.code)!, row, terms: row.terms === undefined ? undefined : graph.terms?.[row.terms], dependencies })
      hold(task, row.ref)
      for (const dependency of dependencies) dependency.dependents.add(task)
      added.push(task)
    }
    for (const task of added) {
      const failed = task.dependencies.find((dependency) => dependency.failed !== undefined)?.failed
      if (failed !== undefined && task.status === "waiting") erred(task, failed)
    }
    start(added)
  }
  const release = (ref: Ref): void => {
    const task = byRef.get(ref)
    byRef.delete(ref)
    task?.holders.delete(ref)
    task?.watchers.delete(ref)
    if (task !== undefined) dropUnless(task)
  }
  /** Computes it, and what it needs, again; those that had to fail with it, too. */
  const again = (task: Task): void => {
    if (task.status !== "erred" || task.row === undefined) return
    task.status = "waiting"
    task.failed = undefined
    for (const dependency of task.dependencies) again(dependency)
    tell(task)
    for (const dependent of task.dependents) again(dependent)
  }
  const retry = (refs: ReadonlyArray<Ref>): void => {
    const tasks = refs.flatMap((ref) => byRef.get(ref) ?? [])
    for (const task of tasks) {
      if (task.status === "erred") again(task)
      else tell(task)
    }
    start(byId.values())
  }
  const cancel = (ref: Ref, note: string | null): Effect.Effect<CancelOutcome> =>
    Effect.suspend(() => {
      const task = byRef.get(ref)
      if (task === undefined || task.status === "memory" || task.status === "erred") return Effect.succeed("already-done" as const)
      const { fiber } = task
      return Effect.map(fiber === undefined ? Effect.void : Fiber.interrupt(fiber), () => {
        if (task.status === "waiting" || task.status === "processing") {
          erred(task, { failure: { _tag: "Cancelled", by: options.client.name, note }, by: task })
        }
        return "cancelled" as const
      })
    })
  const want = (ref: Ref, key: Key): void => {
    const task = byKey.get(key)
    if (task === undefined) return options.report([{ _tag: "Erred", rows: [{ ref, failure: { _tag: "Unknown" }, origin: key, originTask: "" }] }])
    hold(task, ref)
    tell(task, [ref])
  }

  const summary = (task: Task): TaskSummary => ({
    key: task.key,
    name: nameOf(task),
    status: task.status,
    priority: task.row?.priority ?? 0,
    workers: task.status === "processing" || task.status === "memory" ? [INLINE] : [],
    waitingOn: task.dependencies.filter(({ value }) => value === undefined).map(({ key }) => key),
    dependents: [...task.dependents].map(({ key }) => key),
    nbytes: task.value?.length ?? null,
    clients: task.holders.size > 0 ? [options.client.name] : [],
    ...(task.terms === undefined || task.terms.span === "" ? {} : { span: task.terms.span }),
    ...(task.terms === undefined || task.terms.annotations.length === 0 ? {} : { annotations: task.terms.annotations })
  })
  const summaries = (keys: ReadonlyArray<Key> | null): ReadonlyArray<TaskSummary> =>
    (keys === null ? [...byKey.values()] : keys.flatMap((key) => byKey.get(key) ?? [])).map(summary)
  const count = (status: TaskStatus): number => [...byId.values()].filter((task) => task.status === status).length

  const client: SchedulerClient = {
    Introduce: () => Effect.void,
    Submit: ({ graph }) => Effect.sync(() => submit(graph)),
    Want: ({ rows }) => Effect.sync(() => rows.forEach(({ key, ref }) => want(ref, key))),
    Detach: ({ refs }) => Effect.sync(() => {
      for (const ref of refs) {
        const task = byRef.get(ref)
        if (task !== undefined && task.status !== "memory" && task.status !== "erred") task.detached = true
      }
    }),
    Release: ({ refs }) => Effect.sync(() => refs.forEach(release)),
    Retry: ({ refs }) => Effect.sync(() => retry(refs)),
    Watch: ({ on, ref }) => Effect.sync(() => void (on ? byRef.get(ref)?.watchers.add(ref) : byRef.get(ref)?.watchers.delete(ref))),
    Cancel: ({ note, refs }) => Effect.forEach(refs, (ref) => cancel(ref, note), { concurrency: "unbounded" }),
    Locate: ({ ref }) => Effect.sync(() => {
      const task = byRef.get(ref)
      return task?.value === undefined ? null : { id: task.id, run: theRun, nbytes: task.value.length, addresses: [INLINE] }
    }),
    // Values come with their news here, and never need to be fetched.
    Relay: (() => Stream.fail(new RelayFailed({ reason: "Missing", detail: "there is no worker" }))) as unknown as SchedulerClient["Relay"],
    Scatter: ({ rows }) => Effect.sync(() => rows.map(({ key, ref }) => {
      const known = byKey.get(key)
      const task = known ?? add({ key, def: undefined, row: undefined, terms: undefined, dependencies: [] })
      hold(task, ref)
      if (task.value !== undefined) tell(task, [ref])
      return { id: task.id, run: theRun, addresses: task.value === undefined ? [INLINE] : [] }
    })),
    AwaitWorkers: ({ count }) => count <= 1 ? Effect.void : Effect.never,
    Restart: () => Effect.map(
      Effect.forEach([...byRef.keys()], (ref) => cancel(ref, "the cluster was restarted"), { concurrency: "unbounded" }),
      () => true
    ),
    ShutDown: () => Effect.sync(options.end),
    Logs: () => Effect.succeed([]),
    Workers: () => Effect.sync(() => [{
      worker, address: INLINE, name: INLINE, host: INLINE, pid: 0, status: "running" as const, nthreads: 0, nfibers: 1, memoryLimitBytes: null, memoryBytes: 0,
      managedBytes: [...byId.values()].reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
      processing: count("processing"), idle: true, saturated: false, resources: {}, nanny: null, localDirectory: ""
    }]),
    Counts: () => Effect.sync(() => ({
      released: 0, waiting: count("waiting"), noWorker: 0, queued: 0, processing: count("processing"), memory: count("memory"), erred: count("erred")
    })),
    Tasks: ({ keys }) => Effect.sync(() => ({ rows: summaries(keys), next: null })),
    Places: ({ keys }) => Effect.sync(() => ({ rows: summaries(keys), next: null })),
    Clients: () => Effect.sync(() => [{ ...options.client, wants: byRef.size }]),
    About: () => Effect.succeed({ id: options.client.id, startedAtMs, nthreads: 0, memoryLimitBytes: 0, versions: {} }),
    Durations: () => Effect.sync(() => [...durations].map(([name, ms]) => ({ name, ms }))),
    Explain: ({ key }) => Effect.sync(() => explain(key, byKey.get(key))),
    // What happens here nobody writes down.
    Story: () => Effect.succeed([])
  }
  const scheduler: InlineScheduler = {
    client,
    put: (id, value) => {
      // The cast says that only ids of ours are told to whoever puts.
      const task = byId.get(id as TaskId)
      if (task !== undefined && task.value === undefined) inMemory(task, value)
    }
  }
  return scheduler
})

const attemptOf = (ended: Attempt["ended"], startedAtMs: number, endedAtMs: number): Attempt => ({ worker: INLINE, startedAtMs, endedAtMs, ended, detail: "", peakMemoryBytes: Option.none(), logTail: [] })

const explain = (key: Key, task: Task | undefined): string => {
  switch (task?.status) {
    case undefined:
      return `${key} is not known: nobody has submitted it, or all who had have released it.`
    case "waiting":
      return `${key} waits for ${task.dependencies.filter(({ value }) => value === undefined).map(({ key }) => key).join(", ") || "its data"}.`
    case "processing":
      return `${key} is running in this program: there is no cluster.`
    case "memory":
      return `${key} is done; its result (${task.value?.length ?? 0} B) is in this program.`
    case "erred":
      return task.failed?.by === task || task.failed === undefined ? `${key} failed.` : `${key} failed because ${task.failed.by.key} did, which it needs.`
  }
}
