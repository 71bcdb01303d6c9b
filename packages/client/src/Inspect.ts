/**
 * What the scheduler knows, as plain data.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { TaskStatus, TaskSummary, WorkerSummary } from "@skein/protocol/ClientRpcs"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { Key } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import type { Future } from "./Future.ts"
import type { SessionEnded } from "@skein/transport/Session"
import { ask, type Core, type SchedulerClient } from "./internal/core.ts"

/** `nbytes`: a result's size in bytes; `nthreads`, `nfibers`: slots. */
export interface WorkerInfo {
  readonly address: string
  readonly name: string
  readonly host: string
  readonly status: "running" | "paused" | "closing"
  readonly nthreads: number
  readonly nfibers: number
  readonly memoryLimitBytes: Option.Option<number>
  /** Of the process. */
  readonly memoryBytes: number
  /** Of the results it holds. */
  readonly managedBytes: number
  /** Workers of this version keep all results in memory: 0. */
  readonly spilledBytes: number
  readonly processing: number
  /** What it offers in all to tasks that ask for it. */
  readonly resources: Readonly<Record<string, number>>
  readonly nanny: Option.Option<string>
  readonly localDirectory: string
  /** Workers of this version have none. */
  readonly dashboardLink: Option.Option<string>
  readonly pid: number
}

export interface TaskInfo {
  readonly key: string
  readonly name: string
  readonly status: "released" | "waiting" | "noWorker" | "queued" | "processing" | "memory" | "erred"
  readonly priority: number
  readonly workers: ReadonlyArray<string>
  readonly waitingOn: ReadonlyArray<string>
  readonly dependents: ReadonlyArray<string>
  readonly nbytes: Option.Option<number>
  readonly clients: ReadonlyArray<string>
  /** The larger piece of work that it belongs to, if it was submitted with one. */
  readonly span?: string
  /** Free data that it was submitted with, if with any. */
  readonly annotations?: Readonly<Record<string, unknown>>
}

type Keys = Iterable<string | Future.Any>

export interface SchedulerInfo {
  /** Another one each time a scheduler is started. */
  readonly id: string
  /** As this client dials it. */
  readonly address: string
  readonly startedAtMs: number
  readonly nthreads: number
  readonly memoryLimitBytes: number
  readonly versions: Readonly<Record<string, string>>
}

export interface Inspect {
  readonly workers: Effect.Effect<ReadonlyArray<WorkerInfo>, SchedulerLost>
  /** All that have a session, and "fire-and-forget" while it wants something. `wants`: keys that it holds. The first 100,000. */
  readonly clients: Effect.Effect<ReadonlyArray<{ readonly id: string; readonly name: string; readonly wants: number }>, SchedulerLost>
  /** Scheduler's id, address, start, versions; threads of all workers, and the memory limits of those that have one. */
  readonly scheduler: Effect.Effect<SchedulerInfo, SchedulerLost>
  /** Names of workers that would start another task at once, of either kind that they have slots for. */
  readonly idle: Effect.Effect<ReadonlyArray<string>, SchedulerLost>
  /** Names of workers that are given no more for now, of one of the kinds that they have slots for. */
  readonly saturated: Effect.Effect<ReadonlyArray<string>, SchedulerLost>
  /** Expected of a task, by name; of those of which one has finished. The first 100,000. */
  readonly durationsMs: Effect.Effect<ReadonlyMap<string, number>, SchedulerLost>
  /** Of these keys, or of all; keys that nobody knows are left out. */
  readonly tasks: (keys?: Keys) => Effect.Effect<ReadonlyArray<TaskInfo>, SchedulerLost>
  /** Names of the workers that have each result, of these keys, or of all; none for a key that is not in memory. */
  readonly whoHas: (keys?: Keys) => Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, SchedulerLost>
  /** Keys of the results that each worker has, by its name. */
  readonly hasWhat: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, SchedulerLost>
  /** Keys of the tasks that each worker has been given, by its name. */
  readonly processing: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, SchedulerLost>
  /** Sizes of results in memory, of these keys, or of all. */
  readonly nbytes: (keys?: Keys) => Effect.Effect<ReadonlyMap<string, number>, SchedulerLost>
  readonly counts: Effect.Effect<Readonly<Record<TaskInfo["status"], number>>, SchedulerLost>
  /** Every event and transition of a key, oldest first, across the cluster. */
  readonly story: (key: string | Future.Any) => Effect.Effect<ReadonlyArray<string>, SchedulerLost>
}

/** Questions to the scheduler. What was submitted before is known to it when it answers. */
export const makeInspect = (core: Core): Inspect => {
  const askAfter: typeof ask = (core, question) => Effect.andThen(core.outbox.flushed, ask(core, question))
  const workers = askAfter(core, (scheduler) => scheduler.Workers())
  /** All parts of an answer; of very many keys some at a time. */
  const whole = <Row>(keys: Keys | undefined, part: (scheduler: SchedulerClient, which: Which) => Effect.Effect<Part<Row>, SessionEnded>) =>
    Effect.gen(function*() {
      const rows: Array<Row> = []
      for (const some of keys === undefined ? [null] : inPieces(Array.from(keys, keyOf))) {
        for (let from: number | null = 0; from !== null;) {
          const which: Which = { keys: some, from }
          const answer: Part<Row> = yield* askAfter(core, (scheduler) => part(scheduler, which))
          for (const row of answer.rows) rows.push(row)
          from = answer.next
        }
      }
      return rows
    })
  const places = (keys?: Keys) => whole(keys, (scheduler, which) => scheduler.Places(which))
  /** Keys by worker, of tasks in this status; every worker is there. */
  const byWorker = (status: TaskStatus) =>
    Effect.map(Effect.all([workers, places()]), ([known, tasks]) => {
      const keys = new Map<string, Array<string>>(known.map(({ name }) => [name, []]))
      for (const task of tasks) if (task.status === status) for (const worker of task.workers) keys.get(worker)?.push(task.key)
      return keys
    })
  return {
    workers: Effect.map(workers, (all) => all.map(workerInfo)),
    clients: askAfter(core, (scheduler) => scheduler.Clients()),
    scheduler: Effect.map(askAfter(core, (scheduler) => scheduler.About()), (about) => ({ ...about, address: core.address })),
    idle: Effect.map(workers, (all) => all.filter(({ idle }) => idle).map(({ name }) => name)),
    saturated: Effect.map(workers, (all) => all.filter(({ saturated }) => saturated).map(({ name }) => name)),
    durationsMs: Effect.map(askAfter(core, (scheduler) => scheduler.Durations()), (all) => new Map(all.map(({ ms, name }) => [name, ms]))),
    tasks: (keys) => Effect.map(whole(keys, (scheduler, which) => scheduler.Tasks(which)), (tasks) => tasks.map(taskInfo)),
    whoHas: (keys) => Effect.map(places(keys), (tasks) => new Map(tasks.map(({ key, status, workers }) => [key, status === "memory" ? workers : []]))),
    hasWhat: byWorker("memory"),
    processing: byWorker("processing"),
    nbytes: (keys) => Effect.map(places(keys), (tasks) => new Map(tasks.flatMap(({ key, nbytes }) => nbytes === null ? [] : [[key, nbytes] as const]))),
    counts: askAfter(core, (scheduler) => scheduler.Counts()),
    story: (key) => askAfter(core, (scheduler) => scheduler.Story({ key: keyOf(key) }))
  }
}

interface Which {
  readonly keys: ReadonlyArray<Key> | null
  readonly from: number
}

interface Part<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly next: number | null
}

/** Characters of keys in one question, about, for a frame has a limit. */
const CHARACTERS_ASKED = 1 << 20

/** Keys, so many at a time as one question may have; one list at least. */
const inPieces = (keys: ReadonlyArray<Key>): ReadonlyArray<ReadonlyArray<Key>> => {
  const pieces: Array<Array<Key>> = [[]]
  let characters = 0
  for (const key of keys) {
    if (characters > CHARACTERS_ASKED) {
      pieces.push([])
      characters = 0
    }
    pieces.at(-1)?.push(key)
    characters += key.length + 8
  }
  return pieces
}

/** The cast names a text as what the user says it is: a key, known or not. */
const keyOf = (key: string | Future.Any): Key => (typeof key === "string" ? key : key.key) as Key

const workerInfo = (worker: WorkerSummary): WorkerInfo => ({
  address: worker.address,
  name: worker.name,
  host: worker.host,
  status: worker.status,
  nthreads: worker.nthreads,
  nfibers: worker.nfibers,
  memoryLimitBytes: Option.fromNullOr(worker.memoryLimitBytes),
  memoryBytes: worker.memoryBytes,
  managedBytes: worker.managedBytes,
  spilledBytes: 0,
  processing: worker.processing,
  resources: worker.resources,
  nanny: Option.fromNullOr(worker.nanny),
  localDirectory: worker.localDirectory,
  dashboardLink: Option.none(),
  pid: worker.pid
})

const taskInfo = (task: TaskSummary): TaskInfo => ({
  key: task.key,
  name: task.name,
  status: task.status,
  priority: task.priority,
  workers: task.workers,
  waitingOn: task.waitingOn,
  dependents: task.dependents,
  nbytes: Option.fromNullOr(task.nbytes),
  clients: task.clients,
  ...(task.span === undefined ? {} : { span: task.span }),
  ...(task.annotations === undefined ? {} : annotationsOf(task.annotations))
})

/** Encoded by whatever client submitted the task. What is no data by name is left out. */
const annotationsOf = (bytes: Uint8Array): Pick<TaskInfo, "annotations"> => {
  const decoded = Value.decode(bytes)
  if (Result.isFailure(decoded) || typeof decoded.success !== "object" || decoded.success === null) return {}
  // The cast says what any object is.
  return { annotations: decoded.success as Readonly<Record<string, unknown>> }
}
