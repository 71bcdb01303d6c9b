/**
 * What can happen to a scheduler, in the past tense.
 *
 * An event carries all that deciding needs: the time, and the ids that the shell
 * has drawn. Rows come as they came off the wire, one event for one message
 * segment, so that a message of five hundred rows is one event.
 */
import * as Schema from "effect/Schema"
import { AskId, ClientId, CodeId, Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { ExitReport } from "@skein/protocol/NannyRpcs"
import { Attempt } from "@skein/protocol/Failure"
import { AttemptRules } from "@skein/protocol/Graph"
import { Resources } from "@skein/protocol/Resources"
import { Terms } from "@skein/protocol/Terms"
import { Held, Run } from "@skein/protocol/WorkerRpcs"

/** A task of a submitted graph, in the scheduler's ids. */
export const NewTask = Schema.Struct({
  id: TaskId,
  code: CodeId,
  /** Opaque. */
  args: Schema.Uint8Array,
  /** In the order of the holes in `args`; known to the scheduler, or earlier in this graph. */
  dependencies: Schema.Array(TaskId),
  /** Higher first. */
  priority: Schema.Number,
  retries: Schema.Number,
  isolation: Isolation,
  rules: Schema.optionalKey(AttemptRules),
  terms: Schema.optionalKey(Terms)
})
export type NewTask = typeof NewTask.Type

/** How a worker came to leave. */
export const Leaving = Schema.TaggedUnion({
  /** It was meant to go, or ended its session in good order. Nobody is to blame. */
  Closed: {},
  /** Its process died: the nanny's report. `ended: "closed"` blames nobody. */
  Died: { report: ExitReport, startedAt: Millis },
  /** It was silent past its grace, and nobody reported its death. */
  Silent: { silentMs: Schema.Number }
})
export type Leaving = typeof Leaving.Type

export const Event = Schema.TaggedUnion({
  /** A client opened a session. */
  ClientJoined: { at: Millis, client: ClientId, name: Schema.String },
  /** Its session is over; all it wanted is released. `silentMs`: because nothing has been heard of it for so long. */
  ClientLeft: { at: Millis, client: ClientId, silentMs: Schema.optionalKey(Millis) },
  /** A client submitted (a part of) a graph and wants all its tasks. Nothing of the graph starts before the part that is `last`. */
  TasksSubmitted: { at: Millis, client: ClientId, tasks: Schema.Array(NewTask), last: Schema.Boolean },
  /** A client wants tasks that somebody has submitted. */
  KeysWanted: { at: Millis, client: ClientId, ids: Schema.Array(TaskId) },
  /** A client wants these tasks to be computed even if nobody holds them any more. */
  KeysDetached: { at: Millis, client: ClientId, ids: Schema.Array(TaskId) },
  KeysReleased: { at: Millis, client: ClientId, ids: Schema.Array(TaskId) },
  CancelAsked: {
    at: Millis,
    client: ClientId,
    ask: AskId,
    ids: Schema.Array(TaskId),
    note: Schema.NullOr(Schema.String),
    /** Cancel what other clients want too. */
    force: Schema.Boolean
  },
  RetryAsked: { at: Millis, client: ClientId, ids: Schema.Array(TaskId) },
  /** A client waits for at least `count` workers. */
  WorkersAwaited: { at: Millis, client: ClientId, ask: AskId, count: Schema.Number },
  /** A client is about to send values to workers itself, and asks to which: those of these names, or any; to one each, or to all. */
  DataAnnounced: {
    at: Millis,
    client: ClientId,
    ask: AskId,
    /** Without a body: their code is only what they are called, their arguments a digest of the value, or nothing. */
    tasks: Schema.Array(NewTask),
    /** Bytes of each. */
    sizes: Schema.Array(Schema.Number),
    workers: Schema.Array(Schema.String),
    broadcast: Schema.Boolean
  },
  /**
   * A client has the whole cluster begin anew: every task is cancelled, every result dropped, every worker ended. `workers`: how many
   * are expected to come back.
   */
  RestartAsked: { at: Millis, client: ClientId, ask: AskId, workers: Schema.Number },
  /** Whoever asked waits no longer. */
  AskAbandoned: { at: Millis, client: ClientId, ask: AskId },

  /** A worker registered, perhaps with results of an earlier incarnation. */
  WorkerJoined: {
    at: Millis,
    worker: WorkerId,
    name: Schema.String,
    nthreads: Schema.Number,
    nfibers: Schema.Number,
    /** By what else clients may call it, and what it offers besides slots. @default nothing */
    address: Schema.optionalKey(Schema.String),
    host: Schema.optionalKey(Schema.String),
    resources: Schema.optionalKey(Resources),
    holds: Schema.Array(Held)
  },
  WorkerLeft: { at: Millis, worker: WorkerId, leaving: Leaving },

  /** `ms`: how long the body ran. */
  TasksFinished: {
    at: Millis,
    worker: WorkerId,
    rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, nbytes: Schema.Number, ms: Schema.Number }))
  },
  TasksFailed: {
    at: Millis,
    worker: WorkerId,
    rows: Schema.Array(
      Schema.Struct({ id: TaskId, run: RunId, ms: Schema.Number, failure: Schema.Uint8Array, retryable: Schema.Boolean })
    )
  },
  /** The body ended its thread: a death with one culprit. */
  TasksKilled: {
    at: Millis,
    worker: WorkerId,
    rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, attempt: Attempt }))
  },
  /** They have run for as long as they may, `ms`, and their worker stops them: `TasksStopped` follows. */
  TasksTimedOut: { at: Millis, worker: WorkerId, rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, ms: Schema.Number })) },
  /** Nothing of these cancelled runs runs any more. */
  TasksStopped: { at: Millis, worker: WorkerId, rows: Schema.Array(Run) },
  /** Answers to `TakeBack`. */
  TakeBacksAnswered: {
    at: Millis,
    worker: WorkerId,
    rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, returned: Schema.Boolean }))
  },
  /** They gave up their slots and run on. */
  TasksSeceded: { at: Millis, worker: WorkerId, rows: Schema.Array(Run) },
  /** The bodies asked to be placed again. */
  TasksRescheduled: { at: Millis, worker: WorkerId, rows: Schema.Array(Run) },
  /** The worker fetched these from a peer. */
  ReplicasAdded: { at: Millis, worker: WorkerId, rows: Schema.Array(Held) },
  /** The worker holds these no longer. */
  ReplicasGone: { at: Millis, worker: WorkerId, rows: Schema.Array(Run) },
  /** `peer` does not have what `worker` was told to fetch from it. */
  ReplicasMissing: {
    at: Millis,
    worker: WorkerId,
    rows: Schema.Array(Schema.Struct({ id: TaskId, run: RunId, peer: WorkerId }))
  },
  /** A worker wants to know who has these now. */
  HoldersAsked: { at: Millis, worker: WorkerId, rows: Schema.Array(Run) },
  /** The shell dropped code that no task calls. */
  CodesForgotten: { at: Millis, codes: Schema.Array(CodeId) },
  /** How much of the memory that the shell may have is in use: 1 is all. */
  MemoryMeasured: { at: Millis, loadRatio: Schema.Number },
  /** Time went by; the answer to `Wake`. */
  Ticked: { at: Millis }
})
export type Event = typeof Event.Type
/** The event of this tag. */
export type Of<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>
