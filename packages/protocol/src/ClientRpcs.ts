/**
 * What clients and the scheduler say to each other.
 *
 * What is told many times a second (`Submit`, `Release`, `Report`) is a *tell*:
 * it gets no reply, and the session under it makes it arrive once and in order.
 * What is asked gets its answer when there is one.
 */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { Failure } from "./Failure.ts"
import { Graph } from "./Graph.ts"
import { Key, Ref, RunId, TaskId, WorkerId } from "./Ids.ts"
import * as packed from "./internal/rows/packed.ts"
import { Resources } from "./Resources.ts"
import { Logs } from "./NannyRpcs.ts"
import { tell } from "./Tell.ts"

/** What became of one key that somebody wanted to cancel; `shared`: others want it too, so it goes on. */
export const CancelOutcome = Schema.Literals(["cancelled", "already-done", "shared"])
export type CancelOutcome = typeof CancelOutcome.Type

export const TaskStatus = Schema.Literals(["released", "waiting", "noWorker", "queued", "processing", "memory", "erred"])
export type TaskStatus = typeof TaskStatus.Type

/** A worker as `inspect.workers` shows it. */
export const WorkerSummary = Schema.Struct({
  worker: WorkerId,
  address: Schema.String,
  name: Schema.String,
  host: Schema.String,
  pid: Schema.Number,
  status: Schema.Literals(["running", "closing"]),
  nthreads: Schema.Number,
  nfibers: Schema.Number,
  /** Bytes; null: no limit. */
  memoryLimitBytes: Schema.NullOr(Schema.Number),
  /** Of the process, as it last said. */
  memoryBytes: Schema.Number,
  /** Of the results it holds. */
  managedBytes: Schema.Number,
  processing: Schema.Number,
  /** It would start another task of either kind at once; it is given no more of some kind for now. */
  idle: Schema.Boolean,
  saturated: Schema.Boolean,
  /** What it offers in all to tasks that ask for it. */
  resources: Resources,
  nanny: Schema.NullOr(Schema.String),
  localDirectory: Schema.String
})
export type WorkerSummary = typeof WorkerSummary.Type

/** A task as `inspect.tasks` shows it. */
export const TaskSummary = Schema.Struct({
  key: Key,
  name: Schema.String,
  status: TaskStatus,
  priority: Schema.Number,
  /** Names of workers: where it is processing, or who has its result. */
  workers: Schema.Array(Schema.String),
  waitingOn: Schema.Array(Key),
  dependents: Schema.Array(Key),
  nbytes: Schema.NullOr(Schema.Number),
  /** Names of clients that want it. */
  clients: Schema.Array(Schema.String),
  /** The larger piece of work that it belongs to, and free data, encoded: if it was submitted with any. */
  span: Schema.optionalKey(Schema.String),
  annotations: Schema.optionalKey(Schema.Uint8Array)
})
export type TaskSummary = typeof TaskSummary.Type

/** Where a task is: the part of a summary that is asked for often. `workers`, `nbytes`: as in a summary. */
export const TaskPlace = Schema.Struct({
  key: Key,
  status: TaskStatus,
  workers: Schema.Array(Schema.String),
  nbytes: Schema.NullOr(Schema.Number)
})
export type TaskPlace = typeof TaskPlace.Type

/** Which tasks: of these keys, or all; what nobody knows is left out. `from`: 0, or where the last part ended. */
const which = { keys: Schema.NullOr(Schema.Array(Key)), from: Schema.Number }
/** One part of a long answer. `next`: where the next part begins; null: this was the last. */
const part = <S extends Schema.Top>(row: S) => Schema.Struct({ rows: Schema.Array(row), next: Schema.NullOr(Schema.Number) })

/** A client as `inspect.clients` shows it. `wants`: keys that it holds. */
export const ClientSummary = Schema.Struct({ id: Schema.String, name: Schema.String, wants: Schema.Number })
export type ClientSummary = typeof ClientSummary.Type

/** A scheduler as `inspect.scheduler` shows it. */
export const SchedulerSummary = Schema.Struct({
  /** Unlike any other scheduler's, and another one each time it is started. */
  id: Schema.String,
  startedAtMs: Schema.Number,
  /** Threads of all workers. */
  nthreads: Schema.Number,
  /** Bytes, of all workers that have a limit. */
  memoryLimitBytes: Schema.Number,
  versions: Schema.Record(Schema.String, Schema.String)
})
export type SchedulerSummary = typeof SchedulerSummary.Type

/** A value that a client is about to send to workers itself. */
export const ScatterRow = Schema.Struct({
  ref: Ref,
  key: Key,
  /** Of its content, so that equal keys stand for equal values; no bytes if the key is nobody else's. */
  digest: Schema.Uint8Array,
  nbytes: Schema.Number
})
export type ScatterRow = typeof ScatterRow.Type
/** What stands where tasks have their name. */
export const DATA_NAME = "data"
/** Rows in one question at most. */
export const SCATTER_ROWS = 1_000

/** Where a value can be fetched: ask any of `addresses` for (`id`, `run`). */
export const Location = Schema.Struct({
  id: TaskId,
  run: RunId,
  nbytes: Schema.Number,
  addresses: Schema.Array(Schema.String)
})
export type Location = typeof Location.Type

/** The scheduler could not hand on a value. */
export class RelayFailed extends Schema.TaggedError<RelayFailed>()("RelayFailed", {
  /** `Missing`: nobody has it any more, as far as the scheduler knows; news of it are on their way. */
  reason: Schema.Literals(["Missing", "TooLarge", "Failed"]),
  detail: Schema.String
}) {}

/** What a client says to the scheduler. */
export class ClientRpcs extends RpcGroup.make(
  /** By what the client knows itself. The first thing it says. */
  tell("Introduce", { id: Schema.String.check(Schema.isMaxLength(512)) }),
  tell("Submit", { graph: Graph }),
  /** The client wants keys that somebody has submitted, under numbers of its own. What nobody knows is reported as `Unknown`. */
  tell("Want", { rows: Schema.Array(Schema.Struct({ ref: Ref, key: Key })) }),
  /** These are to be computed even if nobody holds them any more. */
  tell("Detach", { refs: Schema.Array(Ref) }),
  /** The client holds these keys no longer. The refs may be given to other keys afterwards. */
  tell("Release", { refs: Schema.Array(Ref) }),
  /** Compute erred keys again, with the retries they were given. Every ref is reported on, whether it was erred or not. */
  tell("Retry", { refs: Schema.Array(Ref) }),
  /** From now on, or no longer, the client hears how far this task says it is. */
  tell("Watch", { ref: Ref, on: Schema.Boolean }),
  /** Answered once nothing of them runs any more; outcomes in the order of `refs`. */
  Rpc.make("Cancel", {
    payload: { refs: Schema.Array(Ref), note: Schema.NullOr(Schema.String), force: Schema.Boolean },
    success: Schema.Array(CancelOutcome)
  }),
  /** Where the value is now; null if nobody has it (a `Report` follows when that changes). */
  Rpc.make("Locate", { payload: { ref: Ref }, success: Schema.NullOr(Location) }),
  /** The value of this run in pieces, for who reaches no worker. */
  Rpc.make("Relay", { payload: { id: TaskId, run: RunId }, success: Schema.Uint8Array, error: RelayFailed, stream: true }),
  /**
   * The client is about to send values to workers itself, and asks where to: to one each, or to all; to those of these names, or to
   * any. It wants all of them from now on, and hears of each when a worker has it. Answered, in the order of `rows`, once there is a
   * worker that they may go to; a value that is there already, or is refused, goes nowhere. To be sent under (`id`, `run`).
   */
  Rpc.make("Scatter", {
    payload: { rows: Schema.Array(ScatterRow), workers: Schema.Array(Schema.String), broadcast: Schema.Boolean },
    success: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, addresses: Schema.Array(Schema.String) }))
  }),
  /** Answered once at least `count` workers are there. */
  Rpc.make("AwaitWorkers", { payload: { count: Schema.Number } }),
  /**
   * Cancels every task of everybody, and ends every worker. Answered once `workers` new ones are there; null: as many as have a nanny,
   * and if none has, nothing is done and the answer is false.
   */
  Rpc.make("Restart", { payload: { workers: Schema.NullOr(Schema.Number) }, success: Schema.Boolean }),
  /** Sends all workers away, and ends the scheduler. Whoever manages the workers may start them again. */
  Rpc.make("ShutDown", {}),
  /** The last lines of the scheduler and of each worker that has a nanny, as many as there is room for. */
  Rpc.make("Logs", { success: Logs }),
  Rpc.make("Workers", { success: Schema.Array(WorkerSummary) }),
  Rpc.make("Counts", { success: Schema.Record(TaskStatus, Schema.Number) }),
  /** In parts, of which each is as the scheduler is then. Of long lists in a row the first 10,000 names are told. */
  Rpc.make("Tasks", { payload: which, success: part(TaskSummary) }),
  Rpc.make("Places", { payload: which, success: part(TaskPlace) }),
  /** The first 100,000. */
  Rpc.make("Clients", { success: Schema.Array(ClientSummary) }),
  Rpc.make("About", { success: SchedulerSummary }),
  /** How long tasks of a name are expected to take, from those that finished; milliseconds. The first 100,000. */
  Rpc.make("Durations", { success: Schema.Array(Schema.Struct({ name: Schema.String, ms: Schema.Number })) }),
  /** Why it is not running, or where it is, or why it failed, in one sentence. */
  Rpc.make("Explain", { payload: { key: Key }, success: Schema.String }),
  /** What happened to a key, oldest first, across the cluster. */
  Rpc.make("Story", { payload: { key: Key }, success: Schema.Array(Schema.String) })
) {}

/** Rows of news for a client. Segments keep their order; rows of one kind stand together, for they are encoded as a run. */
export const ClientReport = Schema.TaggedUnion({
  /** Where workers listen for who fetches values; told before the first row that names them. */
  Peers: { peers: Schema.Array(Schema.Struct({ worker: WorkerId, address: Schema.String })) },
  /** The value is there. `value`: its encoding if that is small, else no bytes: fetch (`id`, `run`) from `worker`. */
  InMemory: {
    rows: Schema.Array(
      Schema.Struct({ ref: Ref, id: TaskId, run: RunId, nbytes: Schema.Number, worker: WorkerId, value: Schema.Uint8Array })
    )
  },
  /** It failed, or the task `origin` that it depends on did. */
  Erred: { rows: Schema.Array(Schema.Struct({ ref: Ref, failure: Failure, origin: Key, originTask: Schema.String })) },
  /** How far tasks that the client watches say they are; `total`: null, if they do not know. Some words are left out, not the last before the end. */
  Progress: {
    rows: Schema.Array(Schema.Struct({ ref: Ref, done: Schema.Number, total: Schema.NullOr(Schema.Number), note: Schema.String }))
  },
  /** It is to be computed (again). */
  Pending: { refs: Schema.Array(Ref) }
})
export type ClientReport = typeof ClientReport.Type

/** What the scheduler says to a client. */
export class ClientReportRpcs extends RpcGroup.make(
  tell("Report", { segments: packed.news(ClientReport) })
) {}
