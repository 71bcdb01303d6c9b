/**
 * What the scheduler knows, as plain data.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { TaskSummary, WorkerSummary } from "@skein/protocol/ClientRpcs"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { Key } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import type { Future } from "./Future.ts"
import { ask, type Core } from "./internal/core.ts"

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

export interface Inspect {
  readonly workers: Effect.Effect<ReadonlyArray<WorkerInfo>, SchedulerLost>
  /** Of these keys, or of all; keys that nobody knows are left out. */
  readonly tasks: (keys?: Keys) => Effect.Effect<ReadonlyArray<TaskInfo>, SchedulerLost>
  readonly counts: Effect.Effect<Readonly<Record<TaskInfo["status"], number>>, SchedulerLost>
  /** Every event and transition of a key, oldest first, across the cluster. */
  readonly story: (key: string | Future.Any) => Effect.Effect<ReadonlyArray<string>, SchedulerLost>
}

/** Questions to the scheduler. What was submitted before is known to it when it answers. */
export const makeInspect = (core: Core): Inspect => {
  const askAfter: typeof ask = (core, question) => Effect.andThen(core.outbox.flushed, ask(core, question))
  return {
    workers: Effect.map(askAfter(core, (scheduler) => scheduler.Workers()), (workers) => workers.map(workerInfo)),
    tasks: (keys) =>
      Effect.suspend(() => {
        const wanted = keys === undefined ? null : Array.from(keys, keyOf)
        return Effect.map(askAfter(core, (scheduler) => scheduler.Tasks({ keys: wanted })), (tasks) => tasks.map(taskInfo))
      }),
    counts: askAfter(core, (scheduler) => scheduler.Counts()),
    story: (key) => askAfter(core, (scheduler) => scheduler.Story({ key: keyOf(key) }))
  }
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
