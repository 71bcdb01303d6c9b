/**
 * The command `skein` and what it consists of: one file in commands/ for each
 * subcommand.
 */
import * as Command from "effect/cli/Command"
import { scheduler } from "./commands/scheduler.ts"
import { sim } from "./commands/sim.ts"
import { worker } from "./commands/worker.ts"

export const skein = Command.make("skein").pipe(
  Command.withDescription("dask.distributed, done again in TypeScript: schedulers and workers from the command line"),
  Command.withSubcommands([scheduler, worker, sim])
)

/** Reads this process's arguments and does what they say. */
export const run = Command.run(skein, { version: "0.1.0" })
