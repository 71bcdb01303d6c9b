/**
 * The command `npm run simulate`: seeds until the time is over, and a report.
 *
 *     npm run simulate                                   one minute of light and full runs
 *     npm run simulate -- --minutes 10 [--seed S]
 *     npm run simulate -- --runs 500 --profile full
 *     npm run simulate -- --gate                         what every change must pass: 5,000 light and 500 full runs, that are to have
 *                                                        reached every mark that is not rare, and met five faults each
 *     npm run simulate -- --replay case.json [--trace]   one run again (--level reducers: of the machines alone)
 *     npm run simulate -- --level reducers               the machines alone, 30 tasks each, and how fast; --runs cases, --minutes of CPU time
 *     npm run simulate -- --level states                 all states of small clusters, and how fast; --runs states of each at most
 *
 * At the first failure the case is made small, written to `case.json` in the
 * present folder (`--out`), told, and the command exits with 1.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { type Case, Json } from "../Case.ts"
import { draw, type Profile } from "../cases/Draw.ts"
import { runCase } from "../cases/Run.ts"
import { shrink as shrinkReducers } from "../reducers/Shrink.ts"
import { run as runReducers } from "../reducers/Simulation.ts"
import { emptyTally, type Tally } from "./Batch.ts"
import { type Ended, runFleet } from "./Fleet.ts"
import { GATE_FULL, unmet } from "./Gate.ts"
import { reducersAlone, statesAlone } from "./Levels.ts"
import { LIGHT_PER_FULL } from "./Plan.ts"
import { tellFailure, tellOutcome, tellReducerFailure, tellTally } from "./Reporting.ts"
import { shrinkFailing } from "./Shrinking.ts"

interface Arguments {
  readonly seed: number
  readonly processes: number
  readonly profile: Profile | "mixed"
  readonly runs: number | undefined
  readonly forMs: number | undefined
  readonly json: string | undefined
  readonly out: string
  /** Whether it is also judged where the runs have been. */
  readonly gate: boolean
}

/** The exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      minutes: { type: "string" },
      runs: { type: "string" },
      profile: { type: "string" },
      seed: { type: "string" },
      processes: { type: "string" },
      replay: { type: "string" },
      trace: { type: "boolean" },
      level: { type: "string" },
      gate: { type: "boolean" },
      json: { type: "string" },
      out: { type: "string" }
    }
  })
  if (values.replay !== undefined) return replay(values.replay, values.level === "reducers", values.trace === true)
  const level = levelOf(values.level)
  if (level !== undefined) return alone(level, number(values.seed, "seed") ?? 0, number(values.minutes, "minutes"), number(values.runs, "runs"), values.out ?? "case.json")
  const runs = values.gate === true ? GATE_FULL * (LIGHT_PER_FULL + 1) : number(values.runs, "runs")
  const minutes = number(values.minutes, "minutes") ?? (runs === undefined ? 1 : undefined)
  return session({
    // The gate runs the same seeds every time, so that it fails for what was changed and not for what was drawn.
    seed: number(values.seed, "seed") ?? (values.gate === true ? 1 : Math.floor(Math.random() * 2 ** 40)),
    processes: number(values.processes, "processes") ?? 2,
    profile: profileOf(values.profile),
    runs,
    forMs: minutes === undefined ? undefined : minutes * 60_000,
    json: values.json,
    out: values.out ?? "case.json",
    gate: values.gate === true
  })
}

const session = async (args: Arguments): Promise<number> => {
  const { forMs, out, processes, profile, runs, seed } = args
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
const alone = async (level: "reducers" | "states", seed: number, minutes: number | undefined, runs: number | undefined, out: string): Promise<number> => {
  const limits = { forMs: (minutes ?? (runs === undefined ? 0.25 : Infinity)) * 60_000, runs: runs ?? Infinity }
  const { failure, lines } = level === "reducers" ? reducersAlone(seed, limits) : statesAlone(limits)
  print(lines)
  if (failure !== undefined) return conclude({ _tag: "Failed", tally: emptyTally(), failure }, emptyTally(), out)
  print(["no check failed"])
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
    case "Failed": {
      const { failure } = ended
      const { violation } = failure
      if (failure.level === "states") {
        print([`FAILED  ${violation.id} in a state of a small cluster: ${violation.saw}`, ...failure.trail.map((line) => `    ${line}`)])
        return 1
      }
      print([`${violation.id} fails with seed ${failure.case.seed}${failure.level === "cluster" ? ` (${failure.profile})` : ", the machines alone"}: ${violation.saw}`, "making it small …"])
      if (failure.level === "reducers") {
        const shrunk = shrinkReducers(failure.case, (of) => runReducers(of).broken?.invariant)
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
  }
}

const replay = (file: string, reducersAlone: boolean, trace: boolean): number => {
  const read = Schema.decodeUnknownExit(Json)(readFileSync(file, "utf8"))
  if (Exit.isFailure(read)) {
    print([`${file} is no case: ${String(read.cause)}`])
    return 2
  }
  const of: Case = read.value
  if (reducersAlone) {
    const { broken, events } = runReducers(of, trace ? { trace: (line) => print([line]) } : {})
    print([`${events} events`, broken === undefined ? "all checks hold" : `FAILED  ${broken.invariant}: ${broken.detail} (at ${broken.at} ms)`])
    return broken === undefined ? 0 : 1
  }
  const outcome = runCase(of, { trace })
  print([...outcome.lines, ...tellOutcome(of, outcome)])
  return outcome.violation === undefined ? 0 : 1
}

const profileOf = (said: string | undefined): Profile | "mixed" => {
  if (said === undefined || said === "mixed") return "mixed"
  if (said === "light" || said === "full") return said
  throw new Error(`--profile is light, full or mixed, not "${said}"`)
}

const levelOf = (said: string | undefined): "reducers" | "states" | undefined => {
  if (said === undefined || said === "reducers" || said === "states") return said
  throw new Error(`--level is reducers or states, not "${said}"`)
}

const number = (said: string | undefined, option: string): number | undefined => {
  if (said === undefined) return undefined
  const value = Number(said)
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${option} is a number, not "${said}"`)
  return value
}

const print = (lines: ReadonlyArray<string>): void => void process.stdout.write(`${lines.join("\n")}\n`)
