/**
 * Questions about a scheduler's state, for `inspect`, dashboards and the shell.
 *
 * Answers are in ids and numbers: who asks knows the keys and addresses. None
 * of them changes anything, and each says in its docstring what it costs.
 */
import type { TaskStatus } from "@skein/protocol/ClientRpcs"
import type { ClientId, CodeId, Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"
import * as IntSet from "../persistent/IntSet.ts"
import * as Vector from "../persistent/Vector.ts"
import { type Counts, statusName, type State, type Status, type Worker } from "./State.ts"

/** How many tasks are in each status. Constant time. */
export const counts = (state: State): Counts => state.counts

/**
 * How many times the memory in use will be needed once all graphs that are being submitted start: from 1, where none is, to
 * 1 + `startRatio`, where there is nothing else. Linear in clients.
 */
export const startFactor = ({ clients, config, tasks }: Pick<State, "clients" | "config" | "tasks">): number => {
  let held = 0
  Vector.forEach(clients, ({ unfinished }) => {
    held += unfinished.size
  })
  // What has been released meanwhile may still be counted.
  return held === 0 ? 1 : 1 + config.startRatio * Math.min(1, held / Math.max(1, tasks.size))
}

/** What there is, for a leak to show in: all are 0 once nobody is connected. Constant time. */
export const totals = (state: State) => ({
  tasks: state.tasks.size,
  workers: state.workers.size,
  clients: state.clients.size,
  stopping: state.stopping.size,
  questions: state.asks.size
})

/** A worker, as far as the scheduler's machine knows it. */
export interface WorkerView {
  readonly worker: WorkerId
  readonly name: string
  readonly nthreads: number
  readonly nfibers: number
  /** `closing`: its process is being ended. */
  readonly status: "running" | "closing"
  /** It would start another task at once, of either kind that it has slots for. */
  readonly idle: boolean
  /** It is given no more for now, of one of the kinds that it has slots for. */
  readonly saturated: boolean
  /** Tasks it was given that have neither finished nor failed. */
  readonly processing: number
  /** Cancelled runs that have not stopped. */
  readonly stopping: number
  /** Results it holds. */
  readonly results: number
  /** Bytes of the results it holds. */
  readonly managedBytes: number
  /** Expected milliseconds of work assigned to it, by isolation. */
  readonly occupancyMs: { readonly fiber: number; readonly thread: number }
}

/** Constant time. */
export const worker = (state: State, id: number): WorkerView | undefined => {
  const found = Vector.get(state.workers, id)
  return found && {
    worker: found.id,
    name: found.name,
    nthreads: found.thread.slots,
    nfibers: found.fiber.slots,
    status: found.ending ? "closing" : "running",
    idle: isTrueOf(found, (isolation) => IntSet.has(state[isolation].idle, found.id)),
    saturated: !isTrueOf(found, (isolation) => IntSet.has(state[isolation].open, found.id)),
    processing: IntSet.size(found.processing),
    stopping: IntSet.size(found.stopping),
    results: IntSet.size(found.hasWhat),
    managedBytes: found.nbytes,
    occupancyMs: { fiber: found.fiber.occupancyMs, thread: found.thread.occupancyMs }
  }
}

/** Whether something is true of each kind that the worker has slots for, if it has any. */
const isTrueOf = (worker: Worker, is: (isolation: Isolation) => boolean): boolean => {
  const kinds = isolations.filter((isolation) => worker[isolation].slots > 0)
  return kinds.length > 0 && kinds.every(is)
}
const isolations = ["fiber", "thread"] as const

/** How long a task of this code is expected to take, if one has finished. Milliseconds; by code. */
export const durations = (state: State): ReadonlyMap<CodeId, number> => {
  const means = new Map<CodeId, number>()
  Vector.forEach(state.kinds, ({ code, meanMs }) => {
    if (meanMs !== undefined) means.set(code, meanMs)
  })
  return means
}

/** The clients that are there, and the one that is nobody's if it wants something. */
export const clients = (state: State): ReadonlyArray<{ readonly id: ClientId; readonly name: string; readonly wants: number }> =>
  Array.from(Vector.values(state.clients), ({ id, name, wantsWhat }) => ({ id, name, wants: IntSet.size(wantsWhat) }))

/** The connected workers, in the order of their ids. */
export const workers = (state: State): ReadonlyArray<WorkerView> =>
  Array.from(Vector.values(state.workers), ({ id }) => worker(state, id)).filter((view) => view !== undefined)

/** A task, as `inspect.tasks` shows it, in ids. */
export interface TaskView {
  readonly id: TaskId
  readonly code: CodeId
  readonly status: TaskStatus
  readonly priority: number
  /** Where it is processing, or who has its result. */
  readonly workers: ReadonlyArray<WorkerId>
  readonly waitingOn: ReadonlyArray<TaskId>
  readonly dependents: ReadonlyArray<TaskId>
  /** Bytes of the result, if it is in memory. */
  readonly nbytes: number | null
  readonly clients: ReadonlyArray<ClientId>
  /** On which it was submitted, if on any. */
  readonly terms: Terms | undefined
}

/** Costs what the answer is long. */
export const task = (state: State, id: number): TaskView | undefined => {
  const found = Vector.get(state.tasks, id)
  return found && {
    id: found.id,
    code: found.code,
    status: statusName[found.status._tag],
    priority: found.priority,
    workers: workersOf(found.status),
    waitingOn: found.status._tag === "Waiting" ? IntSet.toArray(found.status.waitingOn) : [],
    dependents: IntSet.toArray(found.dependents),
    nbytes: found.status._tag === "Memory" ? found.status.nbytes : null,
    clients: IntSet.toArray(found.whoWants),
    terms: found.terms
  }
}

/** Where a task is, and how large its result. Costs what the answer is long. */
export const place = (state: State, id: number): Pick<TaskView, "status" | "workers" | "nbytes"> | undefined => {
  const status = Vector.get(state.tasks, id)?.status
  return status && { status: statusName[status._tag], workers: workersOf(status), nbytes: status._tag === "Memory" ? status.nbytes : null }
}

/** Whether this is the present run of the task, and it runs there. Constant time. */
export const isRunning = (state: State, id: number, run: RunId, worker: WorkerId): boolean => {
  const status = Vector.get(state.tasks, id)?.status
  return status?._tag === "Processing" && status.run === run && status.worker === worker
}

/** Whether anything is being computed, or waits to be, or a graph is on its way. Linear in clients. */
export const hasWork = ({ clients, counts: { noWorker, processing, queued, waiting }, stopping }: State): boolean => {
  if (noWorker + processing + queued + waiting + stopping.size > 0) return true
  let isArriving = false
  Vector.forEach(clients, ({ unfinished }) => {
    isArriving ||= unfinished.size > 0
  })
  return isArriving
}

/** When the next attempt at a task may be made, if it has to wait for that. Constant time. */
export const delayedUntil = (state: State, id: number): Millis | undefined => Vector.get(state.delays, id)

/** Ids of all tasks, in their order; in one status only, if it is named. Looks at every task. */
export const tasks = (state: State, status?: TaskStatus): ReadonlyArray<TaskId> => {
  const ids: Array<TaskId> = []
  Vector.forEach(state.tasks, (task) => {
    if (status === undefined || statusName[task.status._tag] === status) ids.push(task.id)
  })
  return ids
}

/** Where a result is: what `Locate` asks. Undefined if nobody has it. */
export const locate = (
  state: State,
  id: number
): { readonly run: RunId; readonly nbytes: number; readonly whoHas: ReadonlyArray<WorkerId> } | undefined => {
  const status = Vector.get(state.tasks, id)?.status
  return status?._tag === "Memory"
    ? { run: status.run, nbytes: status.nbytes, whoHas: IntSet.toArray(status.whoHas) }
    : undefined
}

/** Whether the client holds this task: what it may cancel, retry or release. Constant time. */
export const wants = (state: State, client: number, id: number): boolean => {
  const found = Vector.get(state.clients, client)
  return found !== undefined && IntSet.has(found.wantsWhat, id)
}

/** What a client holds. */
export const wantsWhat = (state: State, client: number): ReadonlyArray<TaskId> => {
  const found = Vector.get(state.clients, client)
  return found === undefined ? [] : IntSet.toArray(found.wantsWhat)
}

/** What a worker holds. */
export const hasWhat = (state: State, worker: number): ReadonlyArray<TaskId> => {
  const found = Vector.get(state.workers, worker)
  return found === undefined ? [] : IntSet.toArray(found.hasWhat)
}

/** How many tasks that are known call this code: 0 lets the shell drop it. Constant time. */
export const callers = (state: State, code: number): number => {
  const kind = Vector.get(state.kinds, code)
  return kind === undefined ? 0 : Object.values(kind.counts).reduce((sum, count) => sum + count, 0)
}

const workersOf = (status: Status): ReadonlyArray<WorkerId> =>
  status._tag === "Processing" ? [status.worker] : status._tag === "Memory" ? IntSet.toArray(status.whoHas) : []
