/**
 * The command `skein` and what it consists of: one file in commands/ for each
 * subcommand.
 */
import { createRequire } from "node:module"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { local } from "./commands/local.ts"
import { run as runFile } from "./commands/run.ts"
import { scheduler } from "./commands/scheduler.ts"
import { sim } from "./commands/sim.ts"
import { worker } from "./commands/worker.ts"

export const skein = Command.make("skein").pipe(
  Command.withDescription(
    "dask.distributed, done again in TypeScript: clusters, schedulers, workers and simulations from the command line.\n" +
      "  Exit codes: 0 done, 1 what ran has failed, 2 wrong usage, 3 no scheduler, 130 Ctrl-C, 143 SIGTERM."
  ),
  Command.withSubcommands([runFile, local, scheduler, worker, sim])
)

/** As package.json says it, beside src/ and beside dist/. */
const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string }

/** A mistake is told alone: the help that would stand before it is longer than a screen. */
const presenter = CliOutput.Presenter.of({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(`${event.errors.map(({ message }) => `✖ ${message}`).join("\n")}\n  see  ${event.commandPath.join(" ")} --help`)
      : CliOutput.defaultPresenter.present(event)
})

const around = Layer.mergeAll(
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel] })
)

/** Does what these arguments say. */
export const run = (args: ReadonlyArray<string>) => Effect.provide(Command.runWith(skein, { version })(args), around)
