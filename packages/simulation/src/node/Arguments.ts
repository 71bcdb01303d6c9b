/**
 * What `npm run simulate` is asked to do: its arguments, read, or what is wrong
 * with them and how it is put right. Nothing is run here.
 */
import { parseArgs } from "node:util"
import type { Profile } from "../cases/Draw.ts"
import { GATE_FULL } from "./Gate.ts"
import { LIGHT_PER_FULL } from "./Plan.ts"

export const USAGE = `npm run simulate -- [options]

  (none)                          one minute of light and full runs
  --minutes 10 [--seed S]         as long as that, from a seed that is drawn, or this one
  --runs 500 --profile full       so many runs; light, full, or mixed, which is the default
  --processes 2                   side by side
  --gate                          what every change must pass: 5,000 light and 500 full runs, that are to have reached every mark that
                                  is not rare, and met five faults each
  --scenario NAME [--seeds 200]   what has gone wrong elsewhere: each scenario whose name has NAME in it, or "all";
                                  with --level reducers those of the machines alone
  --level reducers                the machines alone, 30 tasks each, and how fast; --runs cases, --minutes of CPU time
  --level states                  all states of small clusters, and how fast; --runs states of each at most
  --replay case.json [--trace]    one run again; with --level reducers of the machines alone
  --out case.json                 where the first failing case is written, made small
  --json FILE                     what was run, as JSON
  --help                          this

Exits with 0 if no check failed, with 1 if one did, and with 2 if it does not understand its arguments.
`

/** One thing to do. */
export type Asked =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Wrong"; readonly message: string }
  | { readonly _tag: "Replay"; readonly file: string; readonly machinesAlone: boolean; readonly trace: boolean }
  | { readonly _tag: "Scenarios"; readonly name: string; readonly seeds: number; readonly from: number; readonly machinesAlone: boolean; readonly out: string }
  | { readonly _tag: "Alone"; readonly level: "reducers" | "states"; readonly seed: number; readonly minutes: number | undefined; readonly runs: number | undefined; readonly out: string }
  | Session

/** Runs, one after another. */
export interface Session {
  readonly _tag: "Session"
  /** Undefined: to be drawn. */
  readonly seed: number | undefined
  readonly processes: number
  readonly profile: Profile | "mixed"
  readonly runs: number | undefined
  readonly forMs: number | undefined
  readonly json: string | undefined
  readonly out: string
  /** Whether it is also judged where the runs have been. */
  readonly gate: boolean
}

/** Says what is wrong, and ends reading. */
class Wrong extends Error {}

export const read = (argv: ReadonlyArray<string>): Asked => {
  try {
    return understood(valuesOf(argv))
  } catch (error) {
    if (error instanceof Wrong) return { _tag: "Wrong", message: error.message }
    throw error
  }
}

const text = { type: "string" } as const
const flag = { type: "boolean" } as const
const options = {
  minutes: text, runs: text, profile: text, seed: text, seeds: text, scenario: text, processes: text, replay: text, trace: flag, level: text, gate: flag,
  json: text, out: text, help: { ...flag, short: "h" }
} as const

/** Node's own reader says what is wrong with an option's form. */
const valuesOf = (argv: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...argv], options }).values
  } catch (error) {
    throw new Wrong(error instanceof Error ? error.message : String(error))
  }
}

const understood = (values: ReturnType<typeof valuesOf>): Asked => {
  if (values.help === true) return { _tag: "Help" }
  const level = oneOf(values.level, "level", ["reducers", "states"])
  const out = values.out ?? "case.json"
  const minutes = above(values.minutes, "minutes", 0)
  const runs = whole(values.runs, "runs", 1)
  const seed = whole(values.seed, "seed", 0)
  if (values.trace === true && values.replay === undefined) throw new Wrong("--trace tells one run: it goes with --replay FILE")
  if (values.seeds !== undefined && values.scenario === undefined) throw new Wrong("--seeds goes with --scenario; other runs are counted by --runs")
  if (values.replay !== undefined || values.scenario !== undefined) {
    if (level === "states") throw new Wrong("--level states goes through all cases, and takes none: leave --replay or --scenario out")
    const machinesAlone = level === "reducers"
    if (values.replay !== undefined) return { _tag: "Replay", file: values.replay, machinesAlone, trace: values.trace === true }
    return { _tag: "Scenarios", name: values.scenario ?? "all", seeds: whole(values.seeds, "seeds", 1) ?? 200, from: seed ?? 0, machinesAlone, out }
  }
  if (level !== undefined) {
    if (values.gate === true) throw new Wrong("--gate runs whole clusters: leave --level out")
    return { _tag: "Alone", level, seed: seed ?? 0, minutes, runs, out }
  }
  const gate = values.gate === true
  const counted = gate ? GATE_FULL * (LIGHT_PER_FULL + 1) : runs
  const lasting = minutes ?? (counted === undefined ? 1 : undefined)
  return {
    _tag: "Session",
    // The gate runs the same seeds every time, so that it fails for what was changed and not for what was drawn.
    seed: seed ?? (gate ? 1 : undefined),
    processes: whole(values.processes, "processes", 1) ?? 2,
    profile: oneOf(values.profile, "profile", ["light", "full", "mixed"]) ?? "mixed",
    runs: counted,
    forMs: lasting === undefined ? undefined : lasting * 60_000,
    json: values.json,
    out,
    gate
  }
}

const oneOf = <A extends string>(said: string | undefined, option: string, all: ReadonlyArray<A>): A | undefined => {
  if (said === undefined) return undefined
  const found = all.find((one) => one === said)
  if (found === undefined) throw new Wrong(`--${option} is ${all.slice(0, -1).join(", ")} or ${all.at(-1)}, not "${said}"`)
  return found
}

const above = (said: string | undefined, option: string, least: number): number | undefined => {
  if (said === undefined) return undefined
  const value = Number(said)
  if (said.trim() === "" || !Number.isFinite(value) || value <= least) throw new Wrong(`--${option} is a number above ${least}, not "${said}"`)
  return value
}

const whole = (said: string | undefined, option: string, least: number): number | undefined => {
  if (said === undefined) return undefined
  const value = Number(said)
  if (said.trim() === "" || !Number.isSafeInteger(value) || value < least) throw new Wrong(`--${option} is a whole number from ${least}, not "${said}"`)
  return value
}
