/**
 * What a scheduler asks its shell for, in the imperative. Carried out in order,
 * after the journal has the events that led to it.
 */
import * as Schema from "effect/Schema"
import { CancelOutcome } from "@skein/protocol/ClientRpcs"
import { Failure } from "@skein/protocol/Failure"
import { AskId, ClientId, CodeId, Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { Dependency } from "@skein/protocol/WorkerRpcs"
import { Offers } from "./Offers.ts"

/** The answer to a question. */
export const Answer = Schema.TaggedUnion({
  /** In the order of the ids asked about. */
  Cancelled: { outcomes: Schema.Array(CancelOutcome) },
  WorkersThere: {},
  /** In the order of the tasks announced: under which run each is to be sent, and where to. Nowhere: it need not be sent. */
  DataPlaced: { places: Schema.Array(Schema.Struct({ run: RunId, workers: Schema.Array(WorkerId) })) }
})
export type Answer = typeof Answer.Type

export const Command = Schema.TaggedUnion({
  /** `rank`: place in the order of submission and depth; lower first among equal priorities. `alone`: a suspect. */
  ComputeTask: {
    worker: WorkerId,
    id: TaskId,
    run: RunId,
    code: CodeId,
    args: Schema.Uint8Array,
    isolation: Isolation,
    priority: Schema.Number,
    rank: Schema.Number,
    /** 1 for the first. */
    attempt: Schema.Number,
    alone: Schema.Boolean,
    /** A suspect that one more death may end. */
    decisive: Schema.optionalKey(Schema.Literal(true)),
    dependencies: Schema.Array(Dependency),
    /** For how long it may run; not there: for as long as it takes. */
    timeoutMs: Schema.optionalKey(Schema.Number)
  },
  /** Do not run it, or stop it; answered by `TasksStopped`. */
  CancelTask: { worker: WorkerId, id: TaskId, run: RunId },
  /** Give it back unless it has started; answered by `TakeBacksAnswered`. */
  TakeBack: { worker: WorkerId, id: TaskId, run: RunId },
  /** Nobody needs the result. */
  FreeKey: { worker: WorkerId, id: TaskId, run: RunId },
  TellHolders: { worker: WorkerId, id: TaskId, run: RunId, whoHas: Schema.Array(WorkerId) },

  /** The client's key is in the memory of `worker`. */
  ReportInMemory: { client: ClientId, id: TaskId, run: RunId, nbytes: Schema.Number, worker: WorkerId },
  /** It failed, or `origin`, on which it depends, did. */
  ReportErred: { client: ClientId, id: TaskId, failure: Failure, origin: TaskId },
  /** It is to be computed (again). */
  ReportPending: { client: ClientId, id: TaskId },
  /** The key stands for another computation, which clients called `heldBy` want. This client does not hold it. */
  ReportConflict: { client: ClientId, id: TaskId, heldBy: Schema.String, origin: TaskId },
  /** There is no room for the task, and nothing of it is kept. This client does not hold it. */
  ReportRefused: { client: ClientId, id: TaskId, retryMs: Millis },
  /** Nobody knows the task any more. This client does not hold it. */
  ReportUnknown: { client: ClientId, id: TaskId },
  Reply: { client: ClientId, ask: AskId, answer: Answer },

  /** Nobody connected may run the task, and `others` that want the same, since then: somebody should know. */
  WarnLacking: {
    at: Millis,
    id: TaskId,
    others: Schema.Number,
    since: Millis,
    wanted: Schema.String,
    there: Offers
  },
  /** A task failed of which nobody may hold a future. */
  TellDetachedFailed: { id: TaskId, failure: Failure, origin: TaskId },
  /** A cancelled task cannot be stopped otherwise: have the worker's process ended. */
  EndWorker: { worker: WorkerId, reason: Schema.String },
  /** Nothing refers to this id any more: it may be given again. */
  Forgotten: { id: TaskId },
  /** Send `Ticked` at this time, or soon after. A later `Wake` replaces an earlier one. */
  Wake: { at: Millis }
})
export type Command = typeof Command.Type
