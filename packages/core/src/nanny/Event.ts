/**
 * What can happen to a nanny, in the past tense.
 *
 * `life` says which life of the child is spoken of: words of an earlier one
 * arrive late and change nothing.
 */
import * as Schema from "effect/Schema"
import { Millis, RunId } from "@skein/protocol/Ids"

const ofLife = { at: Millis, life: Schema.Int }

export const Event = Schema.TaggedUnion({
  /** Somebody wants the child to run. */
  StartRequested: { at: Millis },
  /** Somebody wants it to end, in order, and to stay away. */
  StopRequested: { at: Millis },
  /** Somebody wants it to end at once; by its policy it is started again. `ended` is for the exit report. */
  EndRequested: { at: Millis, ended: Schema.Literals(["closed", "memory-limit"]), detail: Schema.String },

  Spawned: { ...ofLife, pid: Schema.Int },
  /** It could not be started at all. `draw`: a random number from 0 to 1, for the jitter. */
  SpawnFailed: { ...ofLife, detail: Schema.String, draw: Schema.Number },
  /** The child says that it is up. */
  ReadyNoticed: ofLife,
  /** Something runs in the child from here on that is a suspect, or runs beside one. */
  RunStartNoticed: { ...ofLife, run: RunId },
  RunEndNoticed: { ...ofLife, run: RunId },
  /** The child asks to be ended, for it cannot do so itself: its other threads would not let it. */
  EndMeNoticed: { ...ofLife, reason: Schema.String },
  /** So much memory is the process's own at present. */
  MemoryMeasured: { ...ofLife, bytes: Schema.Number },
  /** The process is gone, and all that it wrote has been read. Exactly one of `code` and `signal` is there. */
  Exited: {
    ...ofLife,
    code: Schema.NullOr(Schema.Int),
    signal: Schema.NullOr(Schema.String),
    peakMemoryBytes: Schema.NullOr(Schema.Number),
    logTail: Schema.Array(Schema.String),
    draw: Schema.Number
  },
  /** Time went by; the answer to `Wake`. */
  Ticked: { at: Millis }
})
export type Event = typeof Event.Type
/** The event of this tag. */
export type Of<Tag extends Event["_tag"]> = Extract<Event, { readonly _tag: Tag }>
