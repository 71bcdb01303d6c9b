/**
 * What a worker knows. Plain data, and persistent: a state that was handed out
 * stays as it is for ever.
 *
 * A record stands for one task id, for one or both of two reasons: the task is
 * to be computed here (`assignment`), or tasks to be computed here need its
 * result (`dependents`). Everything is about one run of it, the newest that the
 * scheduler has spoken of. Only the status `Stopping` may be about an older
 * one: a body that was cancelled holds its slot until nothing of it runs, and
 * what is wanted of the task afterwards stands in the rest of the record.
 *
 * Source: dask.distributed `worker_state_machine.py` (`TaskState`, `WorkerState`).
 */
import type { Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Assignment } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../persistent/IntSet.ts"
import type { Owner } from "../persistent/Owner.ts"
import * as Ranked from "../persistent/Ranked.ts"
import * as Recent from "../persistent/Recent.ts"
import * as Vector from "../persistent/Vector.ts"
import type { Event } from "./Event.ts"

/** The bounds and delays of a worker. Bytes and milliseconds. */
export interface Config {
  /** Jobs that a thread may hold beyond the one it runs, at most; they count as started. @default 31 */
  readonly threadQueue: number
  /**
   * How much work those may be, in milliseconds, going by what bodies in threads have taken lately: a hand-over costs as much as
   * some small bodies and is nothing beside a long one. Before the first has ended, a thread holds none. @default 2
   */
  readonly threadQueueMs: number
  /** Requests for results that may be under way, each to another peer. @default 50 */
  readonly gatherRequests: number
  /** Results asked for in one request, unless the first alone is larger. @default 50 MB */
  readonly gatherMessageBytes: number
  /** Results asked for in one request, in number. @default 1_000 */
  readonly gatherMessageRows: number
  /** Results under way in all requests, unless the only one alone is larger. @default 200 MB */
  readonly gatherBytes: number
  /** How long a peer that was busy, or could not be reached, is left alone. @default 150 */
  readonly busyMs: number
  /** How long after one question who has a result the next is asked. @default 1_000 */
  readonly askAgainMs: number
  /** How long an interrupted body in a thread has before the thread is ended. @default 100 */
  readonly terminateMs: number
  /** How long an interrupted body has before the process is ended. @default 1_100 */
  readonly endProcessMs: number
  /** How many changes of status the log remembers; each further one takes the place of the oldest. @default 2_048 */
  readonly logBound: number
}

export const defaultConfig: Config = {
  threadQueue: 31,
  threadQueueMs: 2,
  gatherRequests: 50,
  gatherMessageBytes: 50_000_000,
  gatherMessageRows: 1_000,
  gatherBytes: 200_000_000,
  busyMs: 150,
  askAgainMs: 1_000,
  terminateMs: 100,
  endProcessMs: 1_100,
  logBound: 2_048
}

/** What is happening to a task here. */
export type Status =
  /** Nothing: the record has just been made, or is about to go. In no state that is handed out. */
  | { readonly _tag: "Released" }
  /** To be computed here, once these results are. */
  | { readonly _tag: "Waiting"; /** Never empty. */ readonly waitingOn: IntSet.IntSet<TaskId> }
  /** Needed here and held by peers; to be asked for. */
  | { readonly _tag: "Fetch"; /** Its place in the queues of those to ask for. */ readonly position: Ranked.Position }
  /** Asked for. */
  | {
    readonly _tag: "Flight"
    readonly peer: WorkerId
    /** The run asked for. */
    readonly run: RunId
    readonly nbytes: number
  }
  /** Needed here, and nobody is known to have it. */
  | { readonly _tag: "Missing" }
  /** To be computed here, all it needs is here; waits for a slot. */
  | {
    readonly _tag: "Ready"
    readonly isolation: Isolation
    /** Its place in the queue of that isolation. */
    readonly position: Ranked.Position
  }
  /** Given to the shell, and holds a slot. `since`: when it was given; of a task with a limit of time, when its body was called. */
  | { readonly _tag: "Executing"; readonly since: Millis }
  /** It has no slot. */
  | {
    readonly _tag: "LongRunning"
    readonly since: Millis
    /** For tasks of its own, or for a slot. Else it runs on, and may end this process. */
    readonly waits: boolean
    /** Its place in the queue of its isolation, once it wants a slot again; undefined before. */
    readonly rejoining: Ranked.Position | undefined
  }
  | Stopping
  /** The result is in the data store. `ms` and `inline`: as they were reported; 0 and false if it was fetched. */
  | { readonly _tag: "Memory"; readonly nbytes: number; readonly ms: number; readonly inline: boolean }
  /** The body failed or ended its thread. In no state that is handed out: the scheduler keeps failures. */
  | { readonly _tag: "Error" }

/** It was interrupted and has not ended. */
export interface Stopping {
  readonly _tag: "Stopping"
  /** What is being stopped; the record may be about a newer run. */
  readonly run: RunId
  /** When it was interrupted. */
  readonly since: Millis
  readonly isolation: Isolation
  /** Whether it is a suspect. */
  readonly alone: boolean
  /** Whether it holds one until it has ended: a long-running one holds none. */
  readonly slot: boolean
  /** Whether the end of its thread has been asked for. */
  readonly terminated: boolean
}

export type StatusTag = Status["_tag"]
/** The status of this tag. */
export type StatusOf<Tag extends StatusTag> = Extract<Status, { readonly _tag: Tag }>

export interface Task {
  readonly id: TaskId
  /** The newest run of it that the scheduler has spoken of. */
  readonly run: RunId
  readonly status: Status
  /** What is to be computed, from when it is asked for until it has ended. */
  readonly assignment: Assignment | undefined
  /** Tasks to be computed here that need its result and have not started. */
  readonly dependents: IntSet.IntSet<TaskId>
  /** Peers that hold the result of `run`; empty once it is in memory here. */
  readonly whoHas: IntSet.IntSet<WorkerId>
  /** Bytes of its result, as far as known. */
  readonly nbytes: number
  /** How urgent its result is: the place of the most urgent dependent that ever was. */
  readonly urgency: Ranked.Position
  /** The batch that may still change this record. */
  readonly owner: Owner
}

/** Another worker, for as long as something here depends on it. */
export interface Peer {
  readonly id: WorkerId
  /** Tasks whose `whoHas` names it. */
  readonly has: IntSet.IntSet<TaskId>
  /** Those of them in status `Fetch`, the most urgent first. */
  readonly wanted: Ranked.Ranked<TaskId>
  /** What the one request under way still has to answer; empty if none is. */
  readonly flying: IntSet.IntSet<TaskId>
  /** It is asked nothing before this. */
  readonly busyUntil: Millis | undefined
  readonly owner: Owner
}

/** One change of status. */
export interface Entry {
  readonly at: Millis
  readonly id: TaskId
  readonly run: RunId
  readonly from: StatusTag
  readonly to: StatusTag | "Forgotten"
  /** The event that led to it. */
  readonly cause: Event["_tag"]
}

export interface State {
  readonly config: Config
  /** Undefined before `Started`. */
  readonly worker: WorkerId | undefined
  readonly nthreads: number
  readonly nfibers: number

  readonly tasks: Vector.Vector<Task>
  readonly peers: Vector.Vector<Peer>
  /** How many tasks have each status. */
  readonly counts: Readonly<Record<StatusTag, number>>
  /** Bytes of all results in memory. */
  readonly nbytes: number

  /** Tasks of each isolation that wait for a slot: those that are ready, and those that gave one up and want it again. */
  readonly readyThreads: Ranked.Ranked<TaskId>
  readonly readyFibers: Ranked.Ranked<TaskId>
  /** Slots taken. There are more of them for short bodies than for long ones, so they may be more than there are. */
  readonly threads: number
  /** How long bodies in threads have taken lately, on average; undefined before the first has ended. */
  readonly threadMs: number | undefined
  /** Slots taken, of `nfibers`. */
  readonly fibers: number
  /** Bodies of which something runs, with slots or without. */
  readonly running: number
  /** Those of them that run on without a slot. */
  readonly onward: number
  /** The suspect beside which nothing starts. */
  readonly lone: RunId | undefined
  /** Suspects of which something runs, but for those that wait. While there are any, the nanny is told of all that runs (internal/notes.ts). */
  readonly suspects: number

  /** All tasks in status `Fetch`. */
  readonly wanted: Ranked.Ranked<TaskId>
  /** Peers that could be asked for something now. */
  readonly callable: IntSet.IntSet<WorkerId>
  /** Peers with a `busyUntil`. */
  readonly busy: IntSet.IntSet<WorkerId>
  /** Requests under way, and the bytes that they were for. */
  readonly gathers: number
  readonly gatherBytes: number
  /** Tasks in status `Missing`. */
  readonly missing: IntSet.IntSet<TaskId>
  /** When to ask again who has those; undefined if there are none, or were none at the last tick. */
  readonly askAt: Millis | undefined

  /** Tasks in status `Stopping`. */
  readonly stopping: IntSet.IntSet<TaskId>
  /** Tasks whose bodies have been called and may not run for as long as they like. */
  readonly timed: IntSet.IntSet<TaskId>
  /** Whether the end of this process has been asked for. */
  readonly ending: boolean

  /** The time that the shell was last told to wake this machine at. */
  readonly wakeAt: Millis | undefined
  /** The last `config.logBound` changes of status. */
  readonly log: Recent.Recent<Entry>
}

/** A worker that has not started: no slots, no tasks. */
export const empty = (config: Config = defaultConfig): State => ({
  config,
  worker: undefined,
  nthreads: 0,
  nfibers: 0,
  tasks: Vector.empty(),
  peers: Vector.empty(),
  counts: noCounts,
  nbytes: 0,
  readyThreads: Ranked.empty(),
  readyFibers: Ranked.empty(),
  threads: 0,
  threadMs: undefined,
  fibers: 0,
  running: 0,
  onward: 0,
  lone: undefined,
  suspects: 0,
  wanted: Ranked.empty(),
  callable: IntSet.empty(),
  busy: IntSet.empty(),
  gathers: 0,
  gatherBytes: 0,
  missing: IntSet.empty(),
  askAt: undefined,
  stopping: IntSet.empty(),
  timed: IntSet.empty(),
  ending: false,
  wakeAt: undefined,
  log: Recent.empty(config.logBound)
})

/** No task has any status. */
export const noCounts: Readonly<Record<StatusTag, number>> = {
  Released: 0,
  Waiting: 0,
  Fetch: 0,
  Flight: 0,
  Missing: 0,
  Ready: 0,
  Executing: 0,
  LongRunning: 0,
  Stopping: 0,
  Memory: 0,
  Error: 0
}
