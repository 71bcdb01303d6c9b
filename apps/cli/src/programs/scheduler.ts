/**
 * What `skein scheduler` does.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Machine from "@skein/cluster/node/Machine"
import { layerAt, Scheduler, SchedulerHere } from "@skein/cluster/Scheduler"
import { readScheduler } from "@skein/cluster/SchedulerOptions"
import type { SchedulerFlags } from "../commands/scheduler.ts"
import { Found } from "../exits.ts"
import { given } from "../flags.ts"
import { wellSaid } from "./shared.ts"

export const serve = Effect.fnUntraced(function*({ json, protocol, tokenFile, unix, ...flags }: SchedulerFlags) {
  const options = given({ ...flags, token: tokenFile, protocol: Option.isSome(unix) ? Option.some("unix" as const) : protocol })
  // The layer reads them too; here what is wrong is told by the names of flags.
  yield* wellSaid(readScheduler(options, Machine.here()))
  yield* Effect.provide(untilEnded(json, options.schedulerFile), layerAt(options, Option.getOrUndefined(unix)))
})

/** Says where it listens, and waits. */
const untilEnded = Effect.fnUntraced(function*(json: boolean, schedulerFile: string | undefined) {
  const { address } = yield* Scheduler
  yield* Console.log(json ? JSON.stringify({ address, schedulerFile: schedulerFile ?? null }) : `the scheduler listens at ${address}`)
  const ended = yield* Effect.exit((yield* SchedulerHere).ended)
  if (Exit.isFailure(ended)) return yield* new Found({ message: `✖ the scheduler at ${address} has ended; its log says why` })
})
