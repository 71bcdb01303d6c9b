/**
 * Where runs have been: a simulation that never comes to a place says nothing about it.
 *
 * A mark is a place with a name. The catalogue is complete and stands here, so
 * that what is never reached is known. Nothing in the product tells of marks: they
 * are read off the machines' logs of changes, their states, what bodies did, and
 * what clients were answered.
 */
import * as Recent from "@skein/core/persistent/Recent"
import type { State as SchedulerState } from "@skein/core/scheduler/State"
import type { State as WorkerState } from "@skein/core/worker/State"

/** Places that runs may come to. */
const places = {
  /** Changes of a task's status in the scheduler. */
  scheduler: [
    "released → waiting", "released → erred", "released → memory", "released → forgotten", "waiting → processing", "waiting → queued",
    "waiting → noWorker", "waiting → released", "noWorker → processing", "noWorker → queued", "noWorker → released", "noWorker → erred",
    "queued → processing", "queued → noWorker", "queued → released", "queued → erred", "processing → memory", "processing → released", "processing → erred", "memory → released", "erred → released"
  ],
  /** The same in a worker. */
  worker: [
    "Released → Waiting", "Released → Ready", "Released → Fetch", "Released → Memory", "Released → Missing", "Released → Forgotten", "Waiting → Ready",
    "Waiting → Released", "Ready → Executing", "Ready → Released", "Ready → Waiting", "Executing → Memory", "Executing → Error",
    "Executing → Stopping", "Executing → Released", "Executing → LongRunning", "LongRunning → Executing", "LongRunning → Memory", "LongRunning → Error",
    "LongRunning → Stopping", "Fetch → Flight", "Fetch → Missing", "Fetch → Released", "Flight → Memory", "Flight → Fetch", "Flight → Missing",
    "Flight → Released", "Missing → Fetch", "Missing → Released", "Memory → Released", "Error → Released", "Stopping → Released"
  ],
  /** Events that changed a task's status in the scheduler. */
  "scheduler heard": [
    "TasksSubmitted", "DataAnnounced", "KeysWanted", "KeysReleased", "CancelAsked", "RetryAsked", "ClientLeft", "WorkerJoined", "WorkerLeft", "TasksFinished",
    "TasksFailed", "TasksKilled", "TasksTimedOut", "TasksStopped", "TasksSeceded", "ReplicasAdded", "TakeBacksAnswered", "ReplicasGone", "ReplicasMissing", "Ticked"
  ],
  /** The same in a worker. */
  "worker heard": [
    "Started", "ComputeAsked", "FreeAsked", "CancelAsked", "TakeBackAsked", "HoldersTold", "ExecuteSucceeded", "ExecuteFailed", "ExecuteExited",
    "ExecuteStopped", "ExecuteRetracted", "ExecuteSeceded", "ExecuteRejoined", "DataReceived", "GatherSucceeded", "GatherBusy", "GatherFailed", "Ticked"
  ],
  /** What happened among several parts. */
  seen: [
    "a worker died while it served a replica",
    "a worker died while it ran a body",
    "a suspect ran alone",
    "a task was asked back",
    "a cancelled run was being stopped while its task was wanted again",
    "a cancellation crossed a completion",
    "a cancellation stopped a running body",
    "a cancellation was shared",
    "a worker returned with results",
    "a lost result was computed again",
    "a body ran on two workers at once",
    "a body failed and was tried again",
    "a task was killed after four deaths",
    "a client left while its tasks ran",
    "a client died while its tasks ran",
    "a value was fetched from its holder",
    "a result was held by several workers",
    "every future was told of the scheduler's end",
    "all workers were gone at once",
    "a task was submitted by two clients",
    "a key was forgotten and submitted again",
    "a future was collected",
    "a pending future was collected",
    "a task was asked for by its key",
    "a task was to be done whoever held it",
    "results were asked for in one go",
    "a body ran for longer than its limit",
    "a body gave up its slot and ended without one",
    "a body gave up its slot and got one again",
    "a body waited for tasks of its own",
    "a body failed without a slot",
    "a body was stopped while it had no slot",
    "a key was refused for another graph",
    "data was sent to a worker",
    "data was lost with its workers",
    "a journal could not be written",
    "tasks were submitted in a batch"
  ]
} as const

/** One in very many runs comes there, for these reasons; not reaching them in a short session is no news. */
const rare: ReadonlyMap<string, string> = new Map([
  ["worker Ready → Waiting", "an input that is here must be dropped between its arrival and the start of the body that waits for a slot"],
  ["scheduler noWorker → queued", "the first worker to join must be full at once, with others waiting before it"],
  ["scheduler heard ReplicasGone", "a result must come to a worker that is just hearing of a newer run of the same task"],
  ["worker heard GatherBusy", "a worker must be asked for a result by its new id while it is just registering anew"],
  ["worker Released → Missing", "the last holder must be gone before its name has come with the task that needs the result"]
])

export interface Mark {
  readonly name: string
  /** Why hardly any run comes there; undefined: many do. */
  readonly rare: string | undefined
}

/** Every mark there is. */
export const catalogue: ReadonlyArray<Mark> = Object.entries(places).flatMap(([where, names]) =>
  names.map((name) => ({ name: `${where} ${name}`, rare: rare.get(`${where} ${name}`) }))
)

/** What happened among several parts, by name. */
export type Seen = (typeof places.seen)[number]

/** Marks, and cells finer than those: how often each was reached. */
export class Marks {
  readonly reached = new Map<string, number>()
  /** Pairs of an event and the change of status that it led to. */
  readonly cells = new Map<string, number>()

  see(name: Seen): void {
    count(this.reached, `seen ${name}`)
  }

  /** The changes that the scheduler's log has had since it had `since` of them. */
  scheduler(state: SchedulerState, since: number): void {
    for (const entry of Recent.since(state.log, since)) this.change("scheduler", entry)
  }

  /** The same of a worker. */
  worker(state: WorkerState, since: number): void {
    for (const entry of Recent.since(state.log, since)) this.change("worker", entry)
  }

  /** Adds what another run, or another process, has reached. */
  add(reached: Iterable<readonly [string, number]>, cells: Iterable<readonly [string, number]>): void {
    for (const [name, times] of reached) count(this.reached, name, times)
    for (const [name, times] of cells) count(this.cells, name, times)
  }

  /** Marks that were not reached. */
  missing(): ReadonlyArray<Mark> {
    return catalogue.filter(({ name }) => !this.reached.has(name))
  }

  private change(machine: "scheduler" | "worker", entry: { readonly from: string; readonly to: string; readonly cause: string }): void {
    count(this.reached, `${machine} ${entry.from} → ${entry.to}`)
    count(this.reached, `${machine} heard ${entry.cause}`)
    count(this.cells, `${machine} ${entry.cause}: ${entry.from} → ${entry.to}`)
  }
}

const count = (counts: Map<string, number>, name: string, times = 1): void => {
  counts.set(name, (counts.get(name) ?? 0) + times)
}
