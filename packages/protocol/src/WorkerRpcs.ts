/**
 * What workers and the scheduler say to each other, over the connection that the worker dialled.
 *
 * Both directions are one tell with segments of rows: one call for each peer and
 * turn, whatever it has to say. A task is named by (id, run); a report of an
 * older run is dropped by the scheduler, a command for an older run by the worker.
 */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { CodeDef } from "./Code.ts"
import { Attempt } from "./Failure.ts"
import { CodeId, Isolation, Key, ProcessId, RunId, TaskId, WorkerId } from "./Ids.ts"
import * as packed from "./internal/rows/packed.ts"
import { Resources } from "./Resources.ts"
import { tell } from "./Tell.ts"

/** A task's run. */
export const Run = Schema.Struct({ id: TaskId, run: RunId })
export type Run = typeof Run.Type

/** A result that a worker holds, computed by `run`. */
export const Held = Schema.Struct({ id: TaskId, run: RunId, nbytes: Schema.Number })
export type Held = typeof Held.Type

export const Peer = Schema.Struct({ worker: WorkerId, address: Schema.String })
export type Peer = typeof Peer.Type

/** An input of a task, and who has it. */
export const Dependency = Schema.Struct({
  id: TaskId,
  run: RunId,
  nbytes: Schema.Number,
  whoHas: Schema.Array(WorkerId)
})
export type Dependency = typeof Dependency.Type

/** One task to compute. */
export const Assignment = Schema.Struct({
  id: TaskId,
  run: RunId,
  key: Key,
  code: CodeId,
  args: Schema.Uint8Array,
  isolation: Isolation,
  /** Higher first, then `rank`, lower first. */
  priority: Schema.Number,
  rank: Schema.Number,
  /** 1 for the first attempt at the task. */
  attempt: Schema.Number,
  /** A suspect: to be started only when nothing else executes, and nothing else beside it. */
  alone: Schema.Boolean,
  /** A suspect that one more death ends, if it can be nobody else's: alone also among those that run on without a slot. */
  decisive: Schema.optionalKey(Schema.Literal(true)),
  /** In the order of the holes in `args`. */
  dependencies: Schema.Array(Dependency),
  /** For how long the body may run; it is stopped and reported as `TimedOut` then. Not there: for as long as it takes. */
  timeoutMs: Schema.optionalKey(Schema.Number)
})
export type Assignment = typeof Assignment.Type

/** Rows of commands for a worker. */
export const WorkerCommand = Schema.TaggedUnion({
  /** Told before the first row that names them. */
  Peers: { peers: Schema.Array(Peer) },
  /** Told before the first assignment that calls them. */
  Codes: { codes: Schema.Array(Schema.Struct({ code: CodeId, def: CodeDef })) },
  /** Nothing calls these any more. */
  ForgetCodes: { codes: Schema.Array(CodeId) },
  Compute: { rows: Schema.Array(Assignment) },
  /** Nobody needs this result: drop it. */
  Free: { rows: Schema.Array(Run) },
  /** Do not run this, or stop running it; answered by `Stopped` once nothing of it runs. */
  Cancel: { rows: Schema.Array(Run) },
  /** Give it back if it has not started; answered by `TakeBack`. */
  TakeBack: { rows: Schema.Array(Run) },
  /** Who has the result now; an answer to `HoldersAsked`, and sent when a holder is lost. */
  Holders: { rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, whoHas: Schema.Array(WorkerId) })) }
})
export type WorkerCommand = typeof WorkerCommand.Type

/** What the scheduler says to a worker. */
export class WorkerCommandRpcs extends RpcGroup.make(
  tell("Command", { segments: packed.commands(WorkerCommand) }),
  /** The worker is to finish nothing more and go; it ends its session. */
  tell("Close", { reason: Schema.String }),
  /** What this worker knows of a task, oldest first: time and line. */
  Rpc.make("Story", {
    payload: { id: TaskId },
    success: Schema.Array(Schema.Struct({ at: Schema.Number, line: Schema.String }))
  })
) {}

/** Rows of news from a worker. */
export const WorkerReport = Schema.TaggedUnion({
  /** `ms`: how long the body ran. `value`: the encoding of a small result, else no bytes. */
  Finished: {
    rows: Schema.Array(
      Schema.Struct({ id: TaskId, run: RunId, nbytes: Schema.Number, ms: Schema.Number, value: Schema.Uint8Array })
    )
  },
  /** The body failed, or could not be run. `failure`: opaque, for the clients. `retryable`: whether trying again can help. */
  Failed: {
    rows: Schema.Array(
      Schema.Struct({ id: TaskId, run: RunId, ms: Schema.Number, failure: Schema.Uint8Array, retryable: Schema.Boolean })
    )
  },
  /** The body ended the thread that ran it: a death with one culprit. */
  Killed: { rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, attempt: Attempt })) },
  /** The bodies have run for as long as they may, `ms`, and are being stopped; told once nothing of them runs any more by `Stopped`. */
  TimedOut: { rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, ms: Schema.Number })) },
  /** How far bodies say they are: now and then, and of each the latest. `total`: null, if it does not know. */
  Progress: {
    rows: Schema.Array(
      Schema.Struct({ id: TaskId, run: RunId, done: Schema.Number, total: Schema.NullOr(Schema.Number), note: Schema.String })
    )
  },
  /** Cancelled runs of which nothing runs any more. */
  Stopped: { rows: Schema.Array(Run) },
  /** Answers to `TakeBack`: whether it had not started and is the scheduler's again. */
  TakeBack: { rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, returned: Schema.Boolean })) },
  /** The task gave up its slot and runs on. */
  Seceded: { rows: Schema.Array(Run) },
  /** The body asked to be placed again. */
  Rescheduled: { rows: Schema.Array(Run) },
  /** Fetched from a peer. */
  ReplicasAdded: { rows: Schema.Array(Held) },
  /** Held no longer, or never. */
  ReplicasGone: { rows: Schema.Array(Run) },
  /** `peer` was asked for the result and does not have it. */
  Missing: { rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, peer: WorkerId })) },
  /** All known holders failed: who has it now? */
  HoldersAsked: { rows: Schema.Array(Run) },
  /** About the process, now and then. */
  Load: { memoryBytes: Schema.Number, managedBytes: Schema.Number }
})
export type WorkerReport = typeof WorkerReport.Type

/** How a worker introduces itself: once for each incarnation. */
export const Registration = Schema.Struct({
  name: Schema.String,
  /** This life of its process; what its nanny's exit report will name. */
  process: ProcessId,
  pid: Schema.Number,
  host: Schema.String,
  /** Where peers and clients fetch results. */
  dataAddress: Schema.String,
  nthreads: Schema.Number,
  nfibers: Schema.Number,
  memoryLimitBytes: Schema.NullOr(Schema.Number),
  /** What it offers to tasks that ask for it. */
  resources: Resources,
  nanny: Schema.NullOr(Schema.String),
  localDirectory: Schema.String,
  /** Results that an earlier incarnation left. */
  holds: Schema.Array(Schema.Struct({ key: Key, run: RunId, nbytes: Schema.Number }))
})
export type Registration = typeof Registration.Type

/** What a worker says to the scheduler. */
export class WorkerRpcs extends RpcGroup.make(
  /** `ids`: the tasks of `holds`, in its order; −1: nobody needs it, drop it. More may be freed by command afterwards. */
  Rpc.make("Register", {
    payload: { registration: Registration },
    success: Schema.Struct({ worker: WorkerId, ids: Schema.Array(TaskId) })
  }),
  tell("Report", { segments: packed.reports(WorkerReport) })
) {}
