/**
 * What a child says to its nanny: one line of JSON each, on descriptor 3.
 *
 * The child writes them synchronously, so that a notice given before something
 * fatal arrives even if the process dies in the next instant: that is how a
 * nanny knows which suspect was running. They go one way; the nanny's answer is
 * a signal.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RunId } from "@skein/protocol/Ids"

/** Checked, unlike on the scheduler's wires: a child that is about to die may write anything. */
const Run = RunId.check(Schema.isInt())

/** A wire value, so it is written by what it carries and not by a tag. */
export const Notice = Schema.Union([
  /** The child is up; what it says then is for its owner, such as the address it listens at. */
  Schema.Struct({ ready: Schema.Json }),
  /** This run may end the process from here on: a suspect, or what runs beside one. */
  Schema.Struct({ started: Run }),
  /** That run has ended, however it did, waits, or no suspect is beside it any more. */
  Schema.Struct({ ended: Run }),
  /** It cannot stop what runs in it: the nanny should kill the process. */
  Schema.Struct({ endMe: Schema.String })
])
export type Notice = typeof Notice.Type

const Line = Schema.fromJsonString(Notice)

/** The notice of a line; none if it is not one. */
export const parse: (line: string) => Option.Option<Notice> = Schema.decodeUnknownOption(Line)

/** The line of a notice, with its end. */
export const format = (notice: Notice): string => `${Schema.encodeSync(Line)(notice)}\n`

/** The descriptor that a child writes its notices to. */
export const noticesFd = 3

/** The child's side. */
export class Notices extends Context.Service<Notices, {
  /** Returns once the nanny's pipe has it. With no nanny there, nothing happens. */
  readonly write: (notice: Notice) => Effect.Effect<void>
}>()("@skein/runtime/nanny/Notices") {
  /** For a scheduler or worker that is no process of its own: nobody is there to be told. */
  static readonly layerNoop = Layer.succeed(Notices, { write: () => Effect.void })
}
