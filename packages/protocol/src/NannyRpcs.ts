/**
 * What nannies and the scheduler say to each other. One session serves all the nannies of a process.
 *
 * A nanny's exit report is final: it is how a death is noticed at once, and who is to blame for it.
 */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { ProcessId, RunId } from "./Ids.ts"
import { tell } from "./Tell.ts"

/** How a process ended. */
export const ExitReport = Schema.Struct({
  process: ProcessId,
  /** `closed`: it was meant to end, so nobody is to blame. */
  ended: Schema.Literals(["exit", "signal", "memory-limit", "closed"]),
  /** Exit code or signal, in words. */
  detail: Schema.String,
  peakMemoryBytes: Schema.NullOr(Schema.Number),
  /** What it might have had, if there was a limit. */
  memoryLimitBytes: Schema.optionalKey(Schema.Number),
  /** The last lines it wrote. */
  logTail: Schema.Array(Schema.String),
  /** Runs that had noted their start and not their end: all that ran, if a suspect was among them. */
  started: Schema.Array(RunId),
  /** For how long each of these had run. */
  ranMs: Schema.optionalKey(Schema.Array(Schema.Number))
})
export type ExitReport = typeof ExitReport.Type

/** Lines by the name of whoever wrote them, oldest first. */
export const Logs = Schema.Array(Schema.Struct({ name: Schema.String, lines: Schema.Array(Schema.String) }))
export type Logs = typeof Logs.Type

/** What nannies say to the scheduler. */
export class NannyRpcs extends RpcGroup.make(
  /** This process is watched by the nannies of this session. Told before it can register. */
  tell("Watching", { process: ProcessId }),
  tell("Exited", { report: ExitReport })
) {}

/** What the scheduler says to nannies. */
export class NannyCommandRpcs extends RpcGroup.make(
  /** End the process: a cancelled task cannot be stopped in any other way. */
  tell("EndProcess", { process: ProcessId, reason: Schema.String }),
  /** The last lines of each of their processes, also of some that have gone. */
  Rpc.make("Logs", { success: Logs })
) {}
