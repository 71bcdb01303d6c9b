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
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Json } from "@skein/simulation/Case"
import { freshSeed, prepare, runCase, runSeed, runSeeds, type SeedsOptions } from "@skein/simulation/testing/node/Seeds"
import type { SimOptions } from "@skein/simulation/testing/Options"
import type { Program } from "@skein/simulation/testing/Run"
import { story } from "@skein/simulation/testing/Story"
import { explained, within } from "../flags.ts"

/** What a simulation was asked for cannot be begun. */
class SimRefused extends Schema.TaggedError<SimRefused>()("SimRefused", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** A program failed under simulation; the message is its story. */
class SimFound extends Schema.TaggedError<SimFound>()("SimFound", { story: Schema.String }) {
  override get message() {
    return this.story
  }
}

const file = Argument.String("FILE").pipe(Argument.withDescription("Module whose default export is the program"))

const flags = {
  workers: Flag.Int("workers").pipe(within(0, 1_000), Flag.withDescription("Workers of the cluster; otherwise as the file says, else 2"), Flag.optional),
  faults: Flag.Literals("faults", ["none", "default"]).pipe(
    Flag.withDescription("Which faults; otherwise as the file says, else default"),
    Flag.optional
  )
}

interface Loaded {
  readonly program: () => Program
  readonly options: SimOptions<unknown, unknown>
}

/** Imports the file. */
const load = (path: string, chosen: Command.Command.Config.Infer<typeof flags>): Effect.Effect<Loaded, SimRefused> =>
  Effect.tryPromise({
    try: () => import(pathToFileURL(resolve(path)).href) as Promise<{ readonly default?: unknown; readonly sim?: SimOptions<unknown, unknown> }>,
    catch: (thrown) => new SimRefused({ detail: `${path} cannot be imported: ${thrown instanceof Error ? thrown.message : String(thrown)}` })
  }).pipe(Effect.flatMap(({ default: exported, sim = {} }) => {
    if (!Effect.isEffect(exported) && typeof exported !== "function") {
      return Effect.fail(new SimRefused({ detail: `${path} has no program\n  fix  export default an Effect that needs Client, Cluster or Sim, or a function that gives one` }))
    }
    // Whatever else it gives, the first run finds out.
    const program = Effect.isEffect(exported) ? () => exported as Program : exported as () => Program
    const options = {
      faults: "default" as const,
      ...sim,
      ...(Option.isSome(chosen.workers) ? { workers: chosen.workers.value } : {}),
      ...(Option.isSome(chosen.faults) ? { faults: chosen.faults.value } : {})
    }
    return Effect.succeed({ program, options })
  }))

const refused = (thrown: unknown) =>
  thrown instanceof Error && thrown.name === "SimFailed" ? new SimFound({ story: thrown.message }) : new SimRefused({ detail: thrown instanceof Error ? thrown.message : String(thrown) })

const again = (path: string) => (_: number, kept: string) => `skein sim replay ${kept} ${path}`

const runMany = Effect.fnUntraced(function*({ file, seed, seeds, ...chosen }: Command.Command.Config.Infer<typeof runFlags>) {
  const { options, program } = yield* load(file, chosen)
  const first = Option.getOrElse(seed, () => options.seed ?? freshSeed())
  const many: SeedsOptions = { ...options, seed: first, seeds }
  const summary = yield* Effect.tryPromise({ try: () => runSeeds(program, many, again(file)), catch: refused })
  const faults = Object.entries(summary.faults).filter(([, count]) => count > 0)
  yield* Console.log([
    `${summary.runs} runs, seeds ${summary.firstSeed} to ${summary.firstSeed + summary.runs - 1}: nothing failed`,
    `virtual time  ${(summary.virtualMs / 60_000).toFixed(1)} minutes`,
    `faults        ${faults.reduce((sum, [, count]) => sum + count, 0)}${faults.length === 0 ? "" : `: ${faults.map(([kind, count]) => `${kind} ${count}`).join(", ")}`}`
  ].join("\n"))
})

const runFlags = {
  file,
  ...flags,
  seeds: Flag.Int("seeds").pipe(within(1, 10_000_000), Flag.withDefault(100), Flag.withDescription("How many runs")),
  seed: Flag.Int("seed").pipe(within(0, Number.MAX_SAFE_INTEGER), Flag.withDescription("The first seed; otherwise any"), Flag.optional)
}

const run = Command.make("run", runFlags, (options) => explained(runMany(options))).pipe(
  Command.withShortDescription("Run a program under many seeds"),
  Command.withDescription("Runs a program once for each of many seeds, and ends with exit code 1 and the shortest story of the first failure."),
  Command.withExamples([
    { command: "skein sim run report.ts --seeds 1000", description: "1,000 bad days for report.ts" },
    { command: "skein sim run report.ts --workers 4 --faults none", description: "Only the order of things differs" }
  ])
)

const replayOne = Effect.fnUntraced(function*({ file, seed, ...chosen }: Command.Command.Config.Infer<typeof replayFlags>) {
  const { options, program } = yield* load(file, chosen)
  const prepared = yield* Effect.tryPromise({ try: () => prepare(program, options, again(file)), catch: refused })
  const outcome = /^\d+$/.test(seed) ? runSeed(prepared, Number(seed)).outcome : runCase(prepared, yield* readCase(seed), true)
  yield* Console.log(story(outcome.lines, Infinity).join("\n"))
  yield* Console.log(`${outcome.steps} steps, ${outcome.virtualMs.toFixed(3)} ms of virtual time, hash ${outcome.hash}`)
  if (outcome.violation !== undefined) return yield* new SimFound({ story: `${outcome.violation.id} failed\n  saw     ${outcome.violation.saw}` })
  yield* Console.log("nothing failed")
})

const readCase = (path: string) =>
  Effect.try({ try: () => readFileSync(path, "utf8"), catch: (thrown) => new SimRefused({ detail: `${path} is neither a seed nor a file: ${String(thrown)}` }) }).pipe(
    Effect.flatMap(Schema.decodeEffect(Json)),
    Effect.mapError((failed) => failed._tag === "SimRefused" ? failed : new SimRefused({ detail: `${path} is no case: ${failed.message}` }))
  )

const replayFlags = {
  seed: Argument.String("SEED").pipe(Argument.withDescription("A seed, or the file of a case that a failing run has written")),
  file,
  ...flags
}

const replay = Command.make("replay", replayFlags, (options) => explained(replayOne(options))).pipe(
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
