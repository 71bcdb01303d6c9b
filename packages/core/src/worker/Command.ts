/**
 * What a worker asks its shell for, in the imperative. Carried out in order.
 */
import * as Schema from "effect/Schema"
import { Attempt } from "@skein/protocol/Failure"
import { CodeId, Isolation, Key, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { Held, Run } from "@skein/protocol/WorkerRpcs"

export const Command = Schema.TaggedUnion({
  /** Run the body. `dependencies`: the results that fill its holes, all in the data store. `timed`: answer with `ExecuteBegun` when it is called. */
  Execute: {
    id: TaskId,
    run: RunId,
    key: Key,
    code: CodeId,
    args: Schema.Uint8Array,
    isolation: Isolation,
    attempt: Schema.Number,
    dependencies: Schema.Array(TaskId),
    timed: Schema.optionalKey(Schema.Literal(true))
  },
  /** It has the slot again that it gave up: let the body go on. */
  Resume: { id: TaskId, run: RunId },
  /** Let the body, which has waited, run on without a slot. */
  GoOn: { id: TaskId, run: RunId },
  /** Write to the nanny, synchronously, that this body may end the process from here on. Said of suspects, and of all that runs beside one. */
  NoteStarted: { run: RunId },
  /** It has ended, waits for tasks of its own, or no suspect runs beside it any more. */
  NoteEnded: { run: RunId },
  /** Take the job out of a thread's queue, if the thread has not begun it; answered by `ExecuteRetracted`, whatever has become of it. */
  Retract: { id: TaskId, run: RunId },
  /** Interrupt the body's fiber, or take its job out of a thread's queue; answered by `ExecuteStopped`. */
  Interrupt: { id: TaskId, run: RunId },
  /** The interruption is overdue: end the thread that runs it. */
  Terminate: { id: TaskId, run: RunId },
  /** Not even the end of its thread stopped it: have the nanny end this process. */
  EndProcess: { reason: Schema.String },

  /** Fetch these results from one peer, in one request. */
  Gather: { peer: WorkerId, rows: Schema.Array(Held) },
  /** Remove the result from the data store. */
  Drop: { id: TaskId, run: RunId },

  ReportFinished: { id: TaskId, run: RunId, nbytes: Schema.Number, ms: Schema.Number, inline: Schema.Boolean },
  ReportFailed: { id: TaskId, run: RunId, ms: Schema.Number, failure: Schema.Uint8Array, retryable: Schema.Boolean },
  /** It has run for `ms`, longer than it may, and is being stopped. */
  ReportTimedOut: { id: TaskId, run: RunId, ms: Schema.Number },
  ReportKilled: { id: TaskId, run: RunId, attempt: Attempt },
  ReportStopped: { id: TaskId, run: RunId },
  ReportTakeBack: { id: TaskId, run: RunId, returned: Schema.Boolean },
  ReportSeceded: { id: TaskId, run: RunId },
  ReportRescheduled: { id: TaskId, run: RunId },
  ReportReplica: { held: Held },
  ReportGone: { row: Run },
  ReportMissing: { id: TaskId, run: RunId, peer: WorkerId },
  AskHolders: { id: TaskId, run: RunId },

  /** Send `Ticked` at this time, or soon after. A later `Wake` replaces an earlier one. */
  Wake: { at: Millis }
})
export type Command = typeof Command.Type
