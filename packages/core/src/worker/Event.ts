/**
 * What can happen to a worker, in the past tense.
 *
 * Commands of the scheduler arrive as facts: "it was asked to compute this".
 */
import * as Schema from "effect/Schema"
import { Attempt } from "@skein/protocol/Failure"
import { Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { Assignment, Held, Run } from "@skein/protocol/WorkerRpcs"

export const Event = Schema.TaggedUnion({
  /** A new incarnation begins, with what an earlier one left. */
  Started: { at: Millis, worker: WorkerId, nthreads: Schema.Number, nfibers: Schema.Number, holds: Schema.Array(Held) },

  ComputeAsked: { at: Millis, rows: Schema.Array(Assignment) },
  FreeAsked: { at: Millis, rows: Schema.Array(Run) },
  CancelAsked: { at: Millis, rows: Schema.Array(Run) },
  TakeBackAsked: { at: Millis, rows: Schema.Array(Run) },
  HoldersTold: {
    at: Millis,
    rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, whoHas: Schema.Array(WorkerId) }))
  },

  /** The body of a task with a limit of time has been called: its time runs from here on. Said of no other. */
  ExecuteBegun: { at: Millis, id: TaskId, run: RunId },
  /** The body returned; its encoded result is in the data store. `inline`: it is small enough to ride on the report. */
  ExecuteSucceeded: { at: Millis, id: TaskId, run: RunId, nbytes: Schema.Number, ms: Schema.Number, inline: Schema.Boolean },
  /** The body failed or could not be run; its result is not kept. */
  ExecuteFailed: {
    at: Millis,
    id: TaskId,
    run: RunId,
    ms: Schema.Number,
    failure: Schema.Uint8Array,
    retryable: Schema.Boolean
  },
  /** The body ended the thread that ran it. */
  ExecuteExited: { at: Millis, id: TaskId, run: RunId, attempt: Attempt },
  /** After `Interrupt` or `Terminate`: nothing of it runs any more. */
  ExecuteStopped: { at: Millis, id: TaskId, run: RunId },
  /** The answer to `Retract`. `retracted`: nothing of it ever ran or will; else it had begun, or has ended. */
  ExecuteRetracted: { at: Millis, id: TaskId, run: RunId, retracted: Schema.Boolean },
  /**
   * The body gave up its slot, or has none and does now the other: it `waits` for tasks of its own, or runs on. Who waited is answered
   * before it runs on, by `GoOn`, or with a slot by `Resume`.
   */
  ExecuteSeceded: { at: Millis, id: TaskId, run: RunId, waits: Schema.Boolean },
  /** The body wants a slot again, and waits for it: answered by `Resume`. */
  ExecuteRejoined: { at: Millis, id: TaskId, run: RunId },
  /** The body asked to be placed again, and has ended. */
  ExecuteRescheduled: { at: Millis, id: TaskId, run: RunId },

  /** A client has sent these itself; they are in the data store. */
  DataReceived: { at: Millis, rows: Schema.Array(Held) },

  /** `peer` answered: these came (and are in the data store), those it does not have. */
  GatherSucceeded: { at: Millis, peer: WorkerId, got: Schema.Array(Held), missing: Schema.Array(Run) },
  /** `peer` serves too many at once. */
  GatherBusy: { at: Millis, peer: WorkerId },
  /** `peer` could not be reached, or the connection broke. What had come by then was reported before. */
  GatherFailed: { at: Millis, peer: WorkerId },

  /** Time went by; the answer to `Wake`. */
  Ticked: { at: Millis }
})
export type Event = typeof Event.Type
/** The event of this tag. */
export type Of<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>
