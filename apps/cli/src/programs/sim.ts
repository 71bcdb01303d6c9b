/**
 * What `skein sim run` and `skein sim replay` do.
 */
import { readFileSync } from "node:fs"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Json } from "@skein/simulation/Case"
import { freshSeed, prepare, runCase, runSeed, runSeeds, type SeedsOptions } from "@skein/simulation/testing/node/Seeds"
import type { SimOptions } from "@skein/simulation/testing/Options"
import type { Program } from "@skein/simulation/testing/Run"
import { story } from "@skein/simulation/testing/Story"
import type { SimReplayFlags, SimRunFlags } from "../commands/sim.ts"
import { Found, Refused } from "../exits.ts"
import { load } from "./loading.ts"

/** The program, and the options that its file has, those of the command line before them. */
const loaded = Effect.fnUntraced(function*(path: string, chosen: Pick<SimRunFlags, "faults" | "workers">) {
  const { exports, program } = yield* load(path, "Client, Cluster or Sim")
  const options: SimOptions<unknown, unknown> = {
    faults: "default" as const,
    // What its fields are is seen when the simulation is prepared.
    ...exports["sim"] as SimOptions<unknown, unknown> | undefined,
    ...(Option.isSome(chosen.workers) ? { workers: chosen.workers.value } : {}),
    ...(Option.isSome(chosen.faults) ? { faults: chosen.faults.value } : {})
  }
  // What it needs beside these, the first run finds out.
  return { program: program as () => Program, options }
})

const refused = (thrown: unknown) =>
  thrown instanceof Error && thrown.name === "SimFailed" ? new Found({ message: thrown.message }) : new Refused({ message: thrown instanceof Error ? thrown.message : String(thrown) })

const again = (path: string) => (_: number, kept: string) => `skein sim replay ${kept} ${path}`

export const runMany = Effect.fnUntraced(function*({ file, seed, seeds, ...chosen }: SimRunFlags) {
  const { options, program } = yield* loaded(file, chosen)
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

export const replayOne = Effect.fnUntraced(function*({ file, seed, ...chosen }: SimReplayFlags) {
  const { options, program } = yield* loaded(file, chosen)
  const prepared = yield* Effect.tryPromise({ try: () => prepare(program, options, again(file)), catch: refused })
  const outcome = /^\d+$/.test(seed) ? runSeed(prepared, Number(seed)).outcome : runCase(prepared, yield* readCase(seed), true)
  yield* Console.log(story(outcome.lines, Infinity).join("\n"))
  yield* Console.log(`${outcome.steps} steps, ${outcome.virtualMs.toFixed(3)} ms of virtual time, hash ${outcome.hash}`)
  if (outcome.violation !== undefined) return yield* new Found({ message: `${outcome.violation.id} failed\n  saw     ${outcome.violation.saw}` })
  yield* Console.log("nothing failed")
})

const readCase = (path: string) =>
  Effect.try({ try: () => readFileSync(path, "utf8"), catch: (thrown) => new Refused({ message: `${path} is neither a seed nor a file: ${String(thrown)}` }) }).pipe(
    Effect.flatMap(Schema.decodeEffect(Json)),
    Effect.mapError((failed) => failed._tag === "Refused" ? failed : new Refused({ message: `${path} is no case: ${failed.message}` }))
  )
