/**
 * What a scheduler knows: plain, persistent data.
 *
 * A state once handed out is valid for ever. Everything is named by small
 * integers; keys are the shell's (see KeyTable). Records carry the token of the
 * batch that made them: within that batch, and only there, internal/draft.ts
 * edits them in place.
 *
 * What can be counted from the rest is kept beside it all the same where a
 * scheduler asks often (who holds, who waits, how loaded); Invariants.ts says
 * that each such count is right.
 */
import type { Attempt, Failure } from "@skein/protocol/Failure"
import type { AttemptRules } from "@skein/protocol/Graph"
import type { AskId, ClientId, CodeId, Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"
import type { CancelOutcome, TaskStatus } from "@skein/protocol/ClientRpcs"
import * as IntSet from "../persistent/IntSet.ts"
import type { Owner } from "../persistent/Owner.ts"
import * as Ranked from "../persistent/Ranked.ts"
import * as Recent from "../persistent/Recent.ts"
import * as Vector from "../persistent/Vector.ts"
import type { Event } from "./Event.ts"

/** What may be chosen when a scheduler starts. */
export interface Config {
  /** How many workers a task may end; one more, and it fails as killed. Dask's `allowed-failures`. @default 3 */
  readonly allowedFailures: number
  /** How fast results travel between workers, in bytes per ms. @default 100_000, which is 100 MB/s */
  readonly bytesPerMs: number
  /** How long a task is expected to take while none of its kind has finished. Dask's `unknown-task-duration`. @default 500 */
  readonly unknownDurationMs: number
  /** How much work a worker is given for each slot, so that it need not wait for more. @default 20 */
  readonly prefetchMs: number
  /** Tasks that a worker is given beyond its slots, for each slot, at most. At least one always is. @default 63 */
  readonly prefetchTasks: number
  /** A wait that is no longer than this is not worth a question to the worker where a task waits. @default 5 */
  readonly takeBackMs: number
  /** After how long without an end or a beginning the estimates of what a worker runs are not believed any more. @default 100 */
  readonly stallMs: number
  /** After how long a cancelled run that does not stop costs its worker its process. @default 2000 */
  readonly stopWithinMs: number
  /** From this load of its memory on the scheduler takes no new tasks. The rest is for what those it has still need. @default 0.75 */
  readonly fullRatio: number
  /** Below this load it takes new tasks again: so much less that a few releases do not open it for a moment. @default 0.65 */
  readonly roomRatio: number
  /** What a graph takes for a moment when it gets its order and starts, as a part of what it takes before; counted as in use as long as it is held. @default 0.5 */
  readonly startRatio: number
  /** When a client may well try again that was refused. @default 1000 */
  readonly refusedMs: number
  /** After how long without a worker that could run it a task is warned of. @default 10_000 */
  readonly warnAfterMs: number
  /** After how long without one it fails. Dask's `no-workers-timeout`. @default Infinity */
  readonly noWorkersTimeoutMs: number
  /** How many changes of status are remembered; at least 1. @default 4096 */
  readonly logLength: number
}

/** What a task waits for, or what became of it. Each variant carries what is true only then. */
export type Status =
  /** Known, and not to be computed now: nobody needs the result, or its graph is not whole yet. */
  | { readonly _tag: "Released" }
  /** Some dependency is not in memory. */
  | {
    readonly _tag: "Waiting"
    /** Dependencies that are not in memory. Empty only while its next attempt is delayed, and inside a batch, just before the task is placed. */
    readonly waitingOn: IntSet.IntSet<TaskId>
  }
  /** Could be computed, but no worker connected may: none has a slot of its isolation, or what it demands besides. */
  | { readonly _tag: "NoWorker"; readonly since: Millis }
  /** Could be computed, but every worker that may has enough to do, or others occupy what it needs there. */
  | { readonly _tag: "Queued" }
  /** Given to a worker. */
  | Processing
  /** Some worker has the result. */
  | Memory
  /** It failed, or the task `origin`, on which it depends, did. */
  | { readonly _tag: "Erred"; readonly failure: Failure; readonly origin: TaskId }

export interface Processing {
  readonly _tag: "Processing"
  readonly worker: WorkerId
  readonly run: RunId
  /** When it was given to the worker. */
  readonly since: Millis
  /** What it adds to the worker's occupancy: computing, and fetching what it lacks there. */
  readonly expectedMs: number
  /** It gave up its slot and runs on. */
  readonly seceded: boolean
  /** The worker said that it had begun. Only asking to have it back finds out. */
  readonly started: boolean
  /** The worker that it is asked back for, if it is. */
  readonly takingBackFor: WorkerId | undefined
}

export interface Memory {
  readonly _tag: "Memory"
  /** The run whose result it is. */
  readonly run: RunId
  /** Never empty. */
  readonly whoHas: IntSet.IntSet<WorkerId>
  readonly nbytes: number
}

export interface Task {
  readonly id: TaskId
  readonly code: CodeId
  /** Opaque. */
  readonly args: Uint8Array
  readonly isolation: Isolation
  /** Higher first. */
  readonly priority: number
  /** Lower first among equal priorities. Given when its graph is whole, −1 before that; never given twice. */
  readonly rank: number
  /** On what terms it was submitted; undefined, as a rule: on none. */
  readonly terms: Terms | undefined
  /** What it demands of its worker besides a slot: a place in `State.demands`. Undefined, as a rule: nothing. */
  readonly demand: number | undefined
  readonly trials: Trials
  /** In the order of the holes in `args`; the same task may fill several. */
  readonly dependencies: ReadonlyArray<TaskId>
  /** All tasks that have this one among their dependencies. */
  readonly dependents: IntSet.IntSet<TaskId>
  /** Holes that this task will fill, of tasks in play: waiting, noWorker, queued or processing. */
  readonly waiters: number
  readonly whoWants: IntSet.IntSet<ClientId>
  readonly status: Status
  readonly owner: Owner
}

/**
 * How often a task is tried, and how that has gone. Apart from the task, whose record is copied at every step of its life: this
 * changes when something goes wrong, and is the same one for all tasks that ask for nothing and to which nothing has happened.
 */
export interface Trials {
  /** As given: how often a failed attempt is repeated. */
  readonly retries: number
  readonly retriesLeft: number
  /** What else it says of its attempts; undefined, as a rule: nothing. */
  readonly rules: AttemptRules | undefined
  /** Number of the next attempt, or of the present one: 1, and one more for each that failed or ended a worker. */
  readonly attempt: number
  /** It may have been executing when a worker died: it is to be started alone, so that the next death has one culprit. */
  readonly suspect: boolean
  /** Attempts that may have ended their workers, since it last finished; the last `allowedFailures + 1` of them. */
  readonly deaths: ReadonlyArray<Attempt>
}

/** So much of a resource, in whole thousandths. */
export interface Amount {
  readonly name: string
  readonly thousandths: number
}

/** What tasks demand of their worker besides a slot. Tasks that demand the same share one, for where one of them finds no place no other does. */
export interface Demand {
  readonly id: number
  /** Of all that follows up to `allowOthers`. */
  readonly hash: number
  readonly isolation: Isolation
  /** What each occupies on its worker, by name. */
  readonly amounts: ReadonlyArray<Amount>
  /** Names, addresses or hosts of workers; none: any. */
  readonly workers: ReadonlyArray<string>
  /** Others will do while none of these is connected. */
  readonly allowOthers: boolean
  /** How many tasks have it. Never 0. */
  readonly tasks: number
  /** Those of them that are queued, best first. */
  readonly queue: Ranked.Ranked<TaskId>
  /** Workers that may be given them, were there room: those wished for, or all that offer enough where others will do. */
  readonly eligible: IntSet.IntSet<WorkerId>
  readonly owner: Owner
}

/** What a worker has been given, of one isolation. */
export interface Load {
  /** Tasks that it runs at once. */
  readonly slots: number
  /** Runs that take a slot there, or will: processing and not seceded, or being stopped. */
  readonly assigned: number
  /** Sum of their `expectedMs`. */
  readonly occupancyMs: number
  /** Tasks of this worker that are asked back. */
  readonly leaving: number
  /** Tasks of other workers that are asked back for this one. */
  readonly coming: number
  /** When a run last ended, or, if later, the first task began to wait. */
  readonly movedAt: Millis
  /** For how long tasks have been seen to wait since then, without one that began; 0: not for long. */
  readonly stalledMs: number
}

export interface Worker {
  readonly id: WorkerId
  readonly name: string
  /** Where its results are fetched from; empty: not told. */
  readonly address: string
  /** Its machine; empty: not told. */
  readonly host: string
  /** By name. */
  readonly offers: ReadonlyArray<Amount>
  /** How many thousandths of each offer its runs occupy that have not ended: those that gave up their slots, or are being stopped, too. */
  readonly occupied: ReadonlyArray<number>
  readonly fiber: Load
  readonly thread: Load
  readonly processing: IntSet.IntSet<TaskId>
  /** Tasks (or ids that were theirs) of which a cancelled run has not stopped here. */
  readonly stopping: IntSet.IntSet<TaskId>
  readonly hasWhat: IntSet.IntSet<TaskId>
  /** Sum of the sizes of the results it has. */
  readonly nbytes: number
  /** Its process is to be ended, because a cancelled run would not stop. It gets no more work, and its death is nobody's fault. */
  readonly ending: boolean
  readonly owner: Owner
}

export interface Client {
  readonly id: ClientId
  readonly name: string
  readonly wantsWhat: IntSet.IntSet<TaskId>
  /** Tasks of the graph whose last part has not arrived, in the order of their arrival; ids by position. */
  readonly unfinished: Vector.Vector<TaskId>
  /** A part of that graph was refused, so the rest will be. */
  readonly refusing: boolean
  /** Tasks of refused graphs that are still to be given up, the last first; ids by position. */
  readonly refused: Vector.Vector<TaskId>
  /** What it submitted since the last tick and may not have, by its id: the id whose key is another computation's, its own or that of an input. */
  readonly conflicts: Vector.Vector<TaskId>
  readonly owner: Owner
}

/** What is known of the tasks that call the same code. */
export interface Kind {
  readonly code: CodeId
  /** How long one takes, from those that finished; undefined: none did. */
  readonly meanMs: number | undefined
  readonly counts: Counts
  readonly owner: Owner
}

/** Tasks in each status. */
export type Counts = Readonly<Record<TaskStatus, number>>

/** A cancelled run of which the worker has not said that nothing runs any more. */
export interface Stopping {
  readonly worker: WorkerId
  readonly run: RunId
  /** Of the task: tells the lives of a reused id apart. */
  readonly rank: number
  readonly isolation: Isolation
  /** When it was cancelled. */
  readonly since: Millis
  /** Whether it still takes a slot; not if it had given it up. */
  readonly hasSlot: boolean
  /** What it still adds to the worker's occupancy, if it takes a slot. */
  readonly expectedMs: number
  /** What it still occupies of the worker's resources. */
  readonly amounts: ReadonlyArray<Amount>
  /** Questions that are answered when it has stopped: places in `State.asks`. */
  readonly asks: ReadonlyArray<number>
}

/** A question that is not answered yet. */
export type Ask = {
  readonly client: ClientId
  readonly ask: AskId
} & (
  | {
    readonly _tag: "Cancel"
    readonly outcomes: ReadonlyArray<CancelOutcome>
    /** Runs that have not stopped. Never 0. */
    readonly running: number
  }
  | { readonly _tag: "Workers"; readonly count: number }
  /** Where data is to go, when there is no worker that it may go to. */
  | {
    readonly _tag: "Data"
    readonly rows: ReadonlyArray<{ readonly id: TaskId; readonly nbytes: number; readonly send: boolean }>
    readonly workers: ReadonlyArray<string>
    readonly broadcast: boolean
  }
)

/** Data that a client is sending to workers. */
export interface Arriving {
  readonly client: ClientId
  /** The run that it will be the result of; undefined while there is no worker for it. */
  readonly run: RunId | undefined
  /** Where it is sent. Not empty once there is a run. */
  readonly workers: ReadonlyArray<WorkerId>
}

/** What there is of one isolation in the whole cluster. */
export interface Pool {
  /** Of all workers that are not ending. */
  readonly slots: number
  /** The queued tasks that demand nothing but a slot, best first. */
  readonly queue: Ranked.Ranked<TaskId>
  /** Workers that may be given more tasks. */
  readonly open: IntSet.IntSet<WorkerId>
  /** Workers that would start another task at once. */
  readonly idle: IntSet.IntSet<WorkerId>
  /** Workers where a task waits so long that it may be worth moving. */
  readonly laden: IntSet.IntSet<WorkerId>
  /** Workers where a task waits, of which time will tell whether it waits too long. */
  readonly watched: IntSet.IntSet<WorkerId>
}

/** A change of a task's status. `rank` tells the lives of a reused id apart. */
export interface Entry {
  readonly at: Millis
  readonly id: TaskId
  readonly rank: number
  /** The run that began or ended with it, or whose result came or went. */
  readonly run: RunId | undefined
  readonly from: TaskStatus
  readonly to: TaskStatus | "forgotten"
  /** The worker to which the task was given, or from which it came. */
  readonly worker: WorkerId | undefined
  readonly cause: Event["_tag"]
}

/** What is called with what: tells tasks that nobody knows any more. Data is told by its id. */
export interface Call {
  readonly code: CodeId
  readonly args: Uint8Array
  readonly inputs: ReadonlyArray<Call | TaskId>
}

/** A task that was forgotten before it had finished, or before anybody had heard that it was killed. */
export interface Remembered {
  readonly call: Call
  /** Of all arguments in it. */
  readonly bytes: number
  readonly attempt: number
  readonly deaths: ReadonlyArray<Attempt>
  /** That it was killed; undefined: it has not been found out yet. */
  readonly verdict: Failure | undefined
  /** When it was forgotten. */
  readonly at: Millis
}

export interface State {
  readonly config: Config
  readonly tasks: Vector.Vector<Task>
  readonly workers: Vector.Vector<Worker>
  readonly clients: Vector.Vector<Client>
  readonly kinds: Vector.Vector<Kind>
  readonly fiber: Pool
  readonly thread: Pool
  /** By their ids. */
  readonly demands: Vector.Vector<Demand>
  /** Tasks that no worker connected may run. */
  readonly noWorker: IntSet.IntSet<TaskId>
  /** Those of them have been warned of that have been there since then, or for longer. */
  readonly warnedTo: Millis
  /** When the next of them is to be warned of, or fails; undefined: there is none. */
  readonly lackingDue: Millis | undefined
  /** Suspects that were given to a worker, and are not known to have begun there. */
  readonly suspects: IntSet.IntSet<TaskId>
  /** By task id. */
  readonly stopping: Vector.Vector<ReadonlyArray<Stopping>>
  /** When the next attempts may be made that must not be made yet, by task id. All of these tasks are waiting. */
  readonly delays: Vector.Vector<Millis>
  /** The same tasks, the soonest first. */
  readonly delayed: Ranked.Ranked<TaskId>
  /** Attempts that failed or took too long and were followed by another, by task id; at most `ATTEMPTS_KEPT` of the last. */
  readonly tried: Vector.Vector<ReadonlyArray<Attempt>>
  readonly asks: Vector.Vector<Ask>
  /** Tasks without a body: values that clients have sent themselves, and which nobody can compute. */
  readonly data: IntSet.IntSet<TaskId>
  /** Those of them that are not there yet, by task id. */
  readonly arriving: Vector.Vector<Arriving>
  readonly counts: Counts
  /** Run numbers are never given twice, so (id, run) names one attempt for ever. */
  readonly nextRun: number
  readonly nextRank: number
  readonly nextDemand: number
  /** The place of the next question in `asks`. */
  readonly nextAsk: number
  /** Where the search for the next worker begins. */
  readonly turn: number
  /** Its memory is nearly full: new tasks are refused, so that those it has can be finished. */
  readonly full: boolean
  /** Held tasks that were refused at the last tick: who builds on one of them now cannot have known. */
  readonly justRefused: IntSet.IntSet<TaskId>
  /** Tasks that were forgotten though they may have ended workers, the oldest first. */
  readonly remembered: ReadonlyArray<Remembered>
  /** The last `Wake` asked for and not answered. */
  readonly wakeAt: Millis | undefined
  /** The last `config.logLength` changes of status. */
  readonly log: Recent.Recent<Entry>
}

/** Failed attempts of one task that are remembered. */
export const ATTEMPTS_KEPT = 10

export const defaultConfig: Config = {
  allowedFailures: 3,
  bytesPerMs: 100_000,
  unknownDurationMs: 500,
  prefetchMs: 20,
  prefetchTasks: 63,
  takeBackMs: 5,
  stallMs: 100,
  stopWithinMs: 2_000,
  fullRatio: 0.75,
  roomRatio: 0.65,
  startRatio: 0.5,
  refusedMs: 1_000,
  warnAfterMs: 10_000,
  noWorkersTimeoutMs: Infinity,
  logLength: 4_096
}

/** The names by which clients know the statuses. */
export const statusName: Readonly<Record<Status["_tag"], TaskStatus>> = {
  Released: "released",
  Waiting: "waiting",
  NoWorker: "noWorker",
  Queued: "queued",
  Processing: "processing",
  Memory: "memory",
  Erred: "erred"
}

/** No tasks in any status. */
export const noCounts: Counts = { released: 0, waiting: 0, noWorker: 0, queued: 0, processing: 0, memory: 0, erred: 0 }

/** A scheduler that nobody has spoken to yet. */
export const empty = (config: Partial<Config> = {}): State =>
  emptyWith({ ...defaultConfig, ...config, logLength: Math.max(1, Math.trunc(config.logLength ?? defaultConfig.logLength)) })

const emptyWith = (config: Config): State => ({
  config,
  tasks: Vector.empty(),
  workers: Vector.empty(),
  clients: Vector.empty(),
  kinds: Vector.empty(),
  fiber: emptyPool,
  thread: emptyPool,
  demands: Vector.empty(),
  noWorker: IntSet.empty(),
  warnedTo: -1,
  lackingDue: undefined,
  suspects: IntSet.empty(),
  stopping: Vector.empty(),
  delays: Vector.empty(),
  delayed: Ranked.empty(),
  tried: Vector.empty(),
  asks: Vector.empty(),
  data: IntSet.empty(),
  arriving: Vector.empty(),
  counts: noCounts,
  nextRun: 0,
  nextRank: 0,
  nextDemand: 0,
  nextAsk: 0,
  turn: 0,
  full: false,
  justRefused: IntSet.empty(),
  remembered: [],
  wakeAt: undefined,
  log: Recent.empty(config.logLength)
})

const emptyPool: Pool = {
  slots: 0,
  queue: Ranked.empty(),
  open: IntSet.empty(),
  idle: IntSet.empty(),
  laden: IntSet.empty(),
  watched: IntSet.empty()
}

