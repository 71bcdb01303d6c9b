/**
 * The command `npm run simulate`: seeds until the time is over, scenarios by
 * name, or one case again; and a report. Its options stand in Arguments.ts, and
 * `npm run simulate -- --help` prints them.
 *
 * At the first failure the case is made small, written to `case.json` in the
 * present folder (`--out`), told, and the command exits with 1.
 */
import { readFileSync, writeFileSync } from "node:fs"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { type Case, Json } from "../Case.ts"
import { draw } from "../cases/Draw.ts"
import { runCase } from "../cases/Run.ts"
import { shrink as shrinkReducers } from "../reducers/Shrink.ts"
import { run as runReducers } from "../reducers/Simulation.ts"
import { type Asked, read, type Session, USAGE } from "./Arguments.ts"
import type { Failure, Tally } from "./Batch.ts"
import { type Ended, runFleet } from "./Fleet.ts"
import { unmet } from "./Gate.ts"
import { type Alone, reducersAlone, statesAlone } from "./Levels.ts"
import { LIGHT_PER_FULL } from "./Plan.ts"
import { tellFailure, tellOutcome, tellReducerFailure, tellTally } from "./Reporting.ts"
import { named, type Tried, tryScenario } from "./Scenarios.ts"
import { shrinkFailing } from "./Shrinking.ts"

/** The exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  const asked = read(argv)
  switch (asked._tag) {
    case "Help":
      process.stdout.write(USAGE)
      return 0
    case "Wrong":
      process.stderr.write(`${asked.message}\n\n${USAGE}`)
      return 2
    case "Replay":
      return replay(asked)
    case "Scenarios":
      return scenarios(asked)
    case "Alone":
      return alone(asked)
    case "Session":
      return session(asked)
  }
}

type Asking<Tag extends Asked["_tag"]> = Extract<Asked, { readonly _tag: Tag }>

const session = async (args: Session): Promise<number> => {
  const { forMs, out, processes, profile, runs, seed = Math.floor(Math.random() * 2 ** 40) } = args
  print([`seeds from ${seed}, ${profile === "mixed" ? `${LIGHT_PER_FULL} light runs for each full one` : `${profile} runs`}, ${processes} processes`])
  const began = performance.now()
  let shown = began
  const ended = await runFleet({
    seed, processes, profile, runs, forMs,
    explores: profile !== "full",
    onProgress: (tally) => {
      if (performance.now() - shown < 10_000) return
      shown = performance.now()
      print([`${((shown - began) / 1_000).toFixed(0).padStart(5)} s  ${tally.runs.light} light and ${tally.runs.full} full runs`])
    }
  })
  const wallMs = performance.now() - began
  print(["", ...tellTally(ended.tally, wallMs), ""])
  if (args.json !== undefined) writeFileSync(args.json, JSON.stringify({ seed, wallMs, ended: ended._tag, tally: ended.tally }, null, 2))
  const code = await conclude(ended, ended.tally, out)
  return code === 0 && args.gate ? judgeGate(ended.tally) : code
}

/** One of the levels below whole clusters, which need no processes beside this one. */
const alone = async ({ level, minutes, out, runs, seed }: Asking<"Alone">): Promise<number> => {
  const limits = { forMs: (minutes ?? (runs === undefined ? 0.25 : Infinity)) * 60_000, runs: runs ?? Infinity }
  const { failure, lines }: Alone = level === "reducers" ? reducersAlone(seed, limits) : statesAlone(limits)
  print(lines)
  if (failure !== undefined) return tellOf(failure, out)
  print(["no check failed"])
  return 0
}

/** Each scenario of that name under many seeds, until one fails. */
const scenarios = async ({ from, machinesAlone, name, out, seeds }: Asking<"Scenarios">): Promise<number> => {
  const chosen = named(name, machinesAlone)
  if (chosen.length === 0) {
    const known = named("all", machinesAlone).map((scenario) => `  ${scenario.name}`)
    process.stderr.write([`no scenario${machinesAlone ? " of the machines alone" : ""} has "${name}" in its name; there are:`, ...known, ""].join("\n"))
    return 2
  }
  for (const scenario of chosen) {
    const { cpuMs, failure, seeds: ran }: Tried = await tryScenario(scenario, from, seeds)
    print([`${String(ran).padStart(7)} seeds, ${(cpuMs / 1_000).toFixed(1).padStart(7)} s of CPU  ${scenario.name}`])
    if (failure !== undefined) return tellOf(failure, out)
  }
  print([`no check failed in ${chosen.length} scenarios of ${seeds} seeds each, from ${from}`])
  return 0
}

const judgeGate = (tally: Tally): number => {
  const lacks = unmet(tally)
  print(lacks.length === 0 ? ["the gate is passed"] : ["FAILED  the gate asks for more than that no check fails:", ...lacks.map((line) => `  ${line}`)])
  return lacks.length === 0 ? 0 : 1
}

const conclude = async (ended: Ended, tally: Tally, out: string): Promise<number> => {
  switch (ended._tag) {
    case "Done":
      print([`no check failed in ${tally.runs.light + tally.runs.full} runs`])
      return 0
    case "Stuck": {
      const { job, why } = ended
      if (job !== undefined) writeFileSync(out, Schema.encodeSync(Json)(draw(job.seed, job.profile)))
      print([`FAILED  ${job === undefined ? "a process" : `the ${job.profile} run of seed ${job.seed}`} ${why}${job === undefined ? "" : `; its case is in ${out}`}`])
      return 1
    }
    case "Failed":
      return tellOf(ended.failure, out)
  }
}

/** A failure made small, written and told. */
const tellOf = async (failure: Failure, out: string): Promise<number> => {
  const { violation } = failure
  if (failure.level === "states") {
    print([`FAILED  ${violation.id} in a state of a small cluster: ${violation.saw}`, ...failure.trail.map((line) => `    ${line}`)])
    return 1
  }
  print([`${violation.id} fails with seed ${failure.case.seed}${failure.level === "cluster" ? ` (${failure.profile})` : ", the machines alone"}: ${violation.saw}`, "making it small …"])
  if (failure.level === "reducers") {
    const shrunk = shrinkReducers(failure.case, (of) => runReducers(of).broken?.invariant, { brokenAt: failure.violation.atMs })
    const smallest = shrunk?.case ?? failure.case
    writeFileSync(out, `${Schema.encodeSync(Json)(smallest)}\n`)
    print(["", ...tellReducerFailure(failure.case, smallest, violation, shrunk?.runs ?? 0, out)])
    return 1
  }
  const shrunk = await shrinkFailing(failure.case, runCase(failure.case), runCase)
  writeFileSync(out, `${Schema.encodeSync(Json)(shrunk.smallest)}\n`)
  print(["", ...tellFailure(failure.case, shrunk, out)])
  return 1
}

const replay = ({ file, machinesAlone, trace }: Asking<"Replay">): number => {
  const text = textOf(file)
  if (text === undefined) return 2
  const decoded = Schema.decodeUnknownExit(Json)(text)
  if (Exit.isFailure(decoded)) {
    print([`${file} is no case: ${String(decoded.cause)}`])
    return 2
  }
  const of: Case = decoded.value
  if (machinesAlone) {
    const { broken, events } = runReducers(of, trace ? { trace: (line) => print([line]) } : {})
    print([`${events} events`, broken === undefined ? "all checks hold" : `FAILED  ${broken.invariant}: ${broken.detail} (at ${broken.at} ms)`])
    return broken === undefined ? 0 : 1
  }
  const outcome = runCase(of, { trace })
  print([...outcome.lines, ...tellOutcome(of, outcome)])
  return outcome.violation === undefined ? 0 : 1
}

/** Undefined, and said, if it cannot be read. */
const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    process.stderr.write(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}\n`)
    return undefined
  }
}

const print = (lines: ReadonlyArray<string>): void => void process.stdout.write(`${lines.join("\n")}\n`)
