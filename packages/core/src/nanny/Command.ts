/**
 * What a nanny asks its shell for, in the imperative. Carried out in order.
 */
import * as Schema from "effect/Schema"
import { Millis, ProcessId } from "@skein/protocol/Ids"
import { ExitReport } from "@skein/protocol/NannyRpcs"

export const Command = Schema.TaggedUnion({
  /** Start the process, and answer with `Spawned` or `SpawnFailed`. Others are told its id first. */
  Spawn: { life: Schema.Int, process: ProcessId },
  /** Send it this signal; a process that is gone is no error. */
  Signal: { life: Schema.Int, signal: Schema.Literals(["SIGTERM", "SIGKILL"]) },
  /** Tell the rest of the cluster how this life ended. */
  Report: { report: ExitReport },
  /** Send `Ticked` at this time, or soon after. A later `Wake` replaces an earlier one. */
  Wake: { at: Millis }
})
export type Command = typeof Command.Type
