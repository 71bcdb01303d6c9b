/**
 * A program, run under many seeds; the first failure made small, and told.
 *
 * The program is run once without faults first: that tells how long it takes,
 * and answers for the oracle. Where the oracle is asked each seed has such a run
 * of its own, for what a program does may follow from its seed.
 */
import { randomInt } from "node:crypto"
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Case, Json } from "../../Case.ts"
import { type FaultKind, faultKinds } from "../../Fault.ts"
import { breathe } from "../../node/Breathing.ts"
import { shrinkFailing } from "../../node/Shrinking.ts"
import { calm, draw } from "../Draw.ts"
import { plan as planOf, type SimOptions, type SimPlan } from "../Options.ts"
import { type Outcome, type Program, run } from "../Run.ts"
import { tell } from "../Story.ts"

export interface SeedsOptions extends SimOptions<unknown, unknown> {
  /** How many runs. @default 50 */
  readonly seeds?: number
}

/** What came of all seeds. */
export interface Summary {
  readonly runs: number
  /** The first; they follow each other. */
  readonly firstSeed: number
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  readonly virtualMs: number
}

/** A seed under which the program or the cluster failed, and the least that is needed to see it. */
export class SimFailed extends Error {
  override readonly name = "SimFailed"
  readonly seed: number
  readonly smallest: Case
  /** Where `smallest` was written. */
  readonly file: string
  constructor(message: string, seed: number, smallest: Case, file: string, cause: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.seed = seed
    this.smallest = smallest
    this.file = file
  }
}

/** What is remembered between the runs of one program. */
export interface Prepared {
  readonly plan: SimPlan
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** How a user repeats a run: a line. */
  readonly again: (seed: number, file: string) => string
  program: () => Program
  /** Whether the program asks the oracle, as far as is known. */
  asks: boolean
  /** How long it takes without faults, virtual milliseconds; undefined: not known yet. */
  activityMs: number | undefined
}

/** Reads the options and imports the modules. Rejects with a `ClusterError` for an option that is wrong, or with what a module throws. */
export const prepare = async (program: () => Program, options: SimOptions<unknown, unknown>, again: Prepared["again"]): Promise<Prepared> => {
  const plan = Result.getOrThrow(planOf(options, pathToFileURL(`${process.cwd()}/`).href))
  const modules: Record<string, Readonly<Record<string, unknown>>> = {}
  for (const url of plan.cluster.modules) modules[url] = await import(url) as Readonly<Record<string, unknown>>
  return { plan, modules, again, program, asks: false, activityMs: undefined }
}

/** A seed that nobody has chosen. */
export const freshSeed = (): number => randomInt(0, 2 ** 31)

/** Runs a program under as many seeds as it is told. Rejects with `SimFailed` at the first failure, made small within two minutes. */
export const runSeeds = async (program: () => Program, options: SeedsOptions, again: Prepared["again"]): Promise<Summary> => {
  const { seeds = 50, ...rest } = options
  const prepared = await prepare(program, rest, again)
  const firstSeed = prepared.plan.seed ?? freshSeed()
  const seen = new Map<string, boolean>()
  const faults: Partial<Record<FaultKind, number>> = {}
  let virtualMs = 0
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const { of, outcome } = runSeed(prepared, seed)
    if (outcome.violation !== undefined) throw await failed(prepared, of, outcome)
    virtualMs += outcome.virtualMs
    for (const kind of faultKinds) faults[kind] = (faults[kind] ?? 0) + (outcome.injected.get(kind) ?? 0)
    for (const [name, holds] of outcome.seen) seen.set(name, (seen.get(name) ?? false) || holds)
    await breathe()
  }
  const never = [...seen].filter(([, holds]) => !holds).map(([name]) => `"${name}"`)
  if (never.length > 0) {
    throw new Error(`sometimes ${never.join(", ")}: not seen in any of the ${seeds} seeds from ${firstSeed}\n  fix  more seeds, more faults, or the property`)
  }
  return { runs: seeds, firstSeed, faults, virtualMs }
}

/** The run of one seed. */
export const runSeed = (prepared: Prepared, seed: number): { readonly of: Case; readonly outcome: Outcome } => {
  // Where no fault is drawn it matters to nobody. Should that run fail, so will this one, unless it is faults by hand that were missing.
  prepared.activityMs ??= prepared.plan.faults === "none" ? 0 : runCalm(prepared, calm(prepared.plan, seed)).programMs
  const of = draw(prepared.plan, seed, prepared.activityMs)
  return { of, outcome: runCase(prepared, of) }
}

/** One run as its case says; before it one without faults, if the program asks the oracle. `stacks`: of errors. */
export const runCase = (prepared: Prepared, of: Case, stacks = false): Outcome => {
  const options = { ...prepared, stacks }
  if (!prepared.asks) {
    const outcome = run(prepared.program, of, { ...options, oracle: { _tag: "Unasked" } })
    if (!outcome.needsOracle) return outcome
    prepared.asks = true
  }
  const answers = new Map()
  const without = run(prepared.program, calm(prepared.plan, of.seed), { ...options, oracle: { _tag: "Asks", answers } })
  return without.violation === undefined ? run(prepared.program, of, { ...options, oracle: { _tag: "Knows", answers } }) : without
}

const runCalm = (prepared: Prepared, of: Case): Outcome => run(prepared.program, of, { ...prepared, oracle: { _tag: "Asks", answers: new Map() } })

/** Makes a failing run small, writes it to a file, and tells it. */
export const failed = async (prepared: Prepared, of: Case, first: Outcome): Promise<SimFailed> => {
  const { runs, smallest } = await shrinkFailing(of, first, (smaller) => runCase(prepared, smaller))
  // Again with the stacks of errors, which say where in the program it was.
  const last = runCase(prepared, smallest, true)
  const outcome = last.violation === undefined ? first : last
  const file = join(tmpdir(), `skein-sim-${of.seed}.json`)
  writeFileSync(file, `${Schema.encodeSync(Json)(smallest)}\n`)
  const lines = tell({ of, smallest, outcome, runs, again: prepared.again(of.seed, file), file })
  return new SimFailed(lines.join("\n"), of.seed, smallest, file, outcome.cause === undefined ? undefined : Cause.squash(outcome.cause))
}
