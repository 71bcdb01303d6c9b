/**
 * `skein sim`: a program of the user's, under many bad days in virtual time.
 *
 * The file's default export is the program: an Effect that finds `Client`,
 * `Cluster` and `Sim` in its surroundings, or a function that gives one. An
 * export `sim` may hold `SimOptions`; flags count before it.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { within } from "../flags.ts"
import { lazily } from "../lazily.ts"

const file = Argument.String("FILE").pipe(Argument.withDescription("Module whose default export is the program"))

const flags = {
  workers: Flag.Int("workers").pipe(within(0, 1_000), Flag.withDescription("Workers of the cluster; otherwise as the file says, else 2"), Flag.optional),
  faults: Flag.Literals("faults", ["none", "default"]).pipe(
    Flag.withDescription("Which faults; otherwise as the file says, else default"),
    Flag.optional
  )
}

const runFlags = {
  file,
  ...flags,
  seeds: Flag.Int("seeds").pipe(within(1, 10_000_000), Flag.withDefault(100), Flag.withDescription("How many runs [default: 100]")),
  seed: Flag.Int("seed").pipe(within(0, Number.MAX_SAFE_INTEGER), Flag.withDescription("The first seed; otherwise any"), Flag.optional)
}

export type SimRunFlags = Command.Command.Config.Infer<typeof runFlags>

const run = Command.make("run", runFlags, (options) => lazily(() => import("../programs/sim.ts"), ({ runMany }) => runMany(options))).pipe(
  Command.withShortDescription("Run a program under many seeds"),
  Command.withDescription("Runs a program once for each of many seeds, and ends with exit code 1 and the shortest story of the first failure."),
  Command.withExamples([
    { command: "skein sim run report.ts --seeds 1000", description: "1,000 bad days for report.ts" },
    { command: "skein sim run report.ts --workers 4 --faults none", description: "Only the order of things differs" }
  ])
)

const replayFlags = {
  seed: Argument.String("SEED").pipe(Argument.withDescription("A seed, or the file of a case that a failing run has written")),
  file,
  ...flags
}

export type SimReplayFlags = Command.Command.Config.Infer<typeof replayFlags>

const replay = Command.make("replay", replayFlags, (options) => lazily(() => import("../programs/sim.ts"), ({ replayOne }) => replayOne(options))).pipe(
  Command.withShortDescription("Run a program once, and tell all that happens"),
  Command.withDescription("Runs a program under one seed, or as a case says, and prints what every process did. Exits with 1 if it fails."),
  Command.withExamples([
    { command: "skein sim replay 1845 report.ts", description: "The run of seed 1845" },
    { command: "skein sim replay /tmp/skein-sim-1845.json report.ts", description: "What was left of it when it had been made small" }
  ])
)

export const sim = Command.make("sim").pipe(
  Command.withDescription("Simulated clusters in virtual time, under faults drawn from a seed"),
  Command.withSubcommands([run, replay])
)
