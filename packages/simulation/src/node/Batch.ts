/**
 * Seeds, one run after another: what each of the simulation's processes does.
 *
 * Beside running the cases a batch keeps itself honest. A *canary*, a workload with a
 * wrong value in it, must be caught at the start and every so often; and one
 * run in twenty is made twice, whose hashes must agree.
 */
import type { Case } from "../Case.ts"
import type { Violation } from "../cases/Checks.ts"
import { draw, type Profile } from "../cases/Draw.ts"
import { type Outcome, runCase } from "../cases/Run.ts"
import type { FaultKind } from "../Fault.ts"
import { divergence } from "../World.ts"
import { breathe } from "./Breathing.ts"

/** What many runs came to; sums, so that parts add up. */
export interface Tally {
  readonly runs: Record<Profile, number>
  readonly doubled: number
  readonly canaries: number
  /** CPU time in runs of each profile, milliseconds. */
  readonly cpuMs: Record<Profile, number>
  readonly virtualMs: number
  readonly steps: number
  readonly tasks: number
  readonly faults: Partial<Record<FaultKind, number>>
  /** How many full runs had so many faults while something was to be computed. */
  readonly histogram: Readonly<Record<number, number>>
  readonly reached: Readonly<Record<string, number>>
  readonly cells: Readonly<Record<string, number>>
}

export const emptyTally = (): Tally => ({
  runs: { light: 0, full: 0 },
  doubled: 0,
  canaries: 0,
  cpuMs: { light: 0, full: 0 },
  virtualMs: 0,
  steps: 0,
  tasks: 0,
  faults: {},
  histogram: {},
  reached: {},
  cells: {}
})

export const addTallies = (a: Tally, b: Tally): Tally => ({
  runs: { light: a.runs.light + b.runs.light, full: a.runs.full + b.runs.full },
  doubled: a.doubled + b.doubled,
  canaries: a.canaries + b.canaries,
  cpuMs: { light: a.cpuMs.light + b.cpuMs.light, full: a.cpuMs.full + b.cpuMs.full },
  virtualMs: a.virtualMs + b.virtualMs,
  steps: a.steps + b.steps,
  tasks: a.tasks + b.tasks,
  faults: addCounts(a.faults, b.faults),
  histogram: addCounts(a.histogram, b.histogram),
  reached: addCounts(a.reached, b.reached),
  cells: addCounts(a.cells, b.cells)
})

/** One run that failed, or the batch's own honesty that did. */
export interface Failure {
  readonly profile: Profile
  readonly case: Case
  readonly violation: Violation & { readonly atMs: number }
}

/** One seed to run. */
export interface Job {
  readonly seed: number
  readonly profile: Profile
}

/** Runs after which the canary is sent again. */
const CANARY_EVERY = 1_000
/** One run in so many is made twice. */
const DOUBLE_EVERY = 20

/**
 * Runs jobs until there are none, or one fails. `tell` gets what was done since it was last told, about once a second.
 */
export const runBatch = async (jobs: Iterable<Job>, tell: (tally: Tally) => void, run: (of: Case) => Outcome = runCase): Promise<Failure | undefined> => {
  let tally = emptyTally()
  let told = performance.now()
  let count = 0
  for (const { profile, seed } of jobs) {
    if (count % CANARY_EVERY === 0) {
      const silent = canary(seed, run)
      if (silent !== undefined) return silent
      tally = { ...tally, canaries: tally.canaries + 1 }
    }
    const of = draw(seed, profile)
    const before = process.cpuUsage()
    const outcome = run(of)
    const { system, user } = process.cpuUsage(before)
    tally = addTallies(tally, tallyOf(of, profile, outcome, (system + user) / 1_000))
    if (outcome.violation !== undefined) {
      tell(tally)
      return { profile, case: of, violation: outcome.violation }
    }
    await breathe()
    if (count % DOUBLE_EVERY === 0) {
      const different = twice(of, outcome, run)
      tally = { ...tally, doubled: tally.doubled + 1 }
      if (different !== undefined) return { profile, case: of, violation: different }
      await breathe()
    }
    if (performance.now() - told > 1_000) {
      tell(tally)
      tally = emptyTally()
      told = performance.now()
    }
    count++
  }
  tell(tally)
  return undefined
}

/** A case whose oracle one of its tasks does not obey: nothing else is wrong with it. */
export const canaryCase = (seed: number): Case => {
  const drawn = draw(seed, "light")
  const [first, ...rest] = drawn.tasks
  return { ...drawn, faults: [], operations: [], tasks: first === undefined ? [] : [{ ...first, body: { _tag: "Lies" } }, ...rest.filter(({ body }) => body._tag !== "NeverEnds")] }
}

/** The failure of the checks to see the canary. */
const canary = (seed: number, run: (of: Case) => Outcome): Failure | undefined => {
  const of = canaryCase(seed)
  const { violation } = run(of)
  return violation?.id === "C2" ? undefined : {
    profile: "light",
    case: of,
    violation: { id: "canary", saw: `a wrong value was not caught${violation === undefined ? "" : `: ${violation.id} ${violation.saw}`}`, atMs: 0 }
  }
}

const twice = (of: Case, first: Outcome, run: (of: Case) => Outcome): Failure["violation"] | undefined => {
  const second = run(of)
  if (second.hash === first.hash) return undefined
  const found = divergence(({ record }) => {
    const { hash, record: marks, steps, virtualMs } = runCase(of, record === true ? { record } : {})
    return { exit: undefined as never, hash, steps, virtualMs, lines: [], record: marks }
  })
  return {
    id: "D",
    saw: found === undefined
      ? `hashes ${first.hash} and ${second.hash}, which did not happen again when each step was compared`
      : `step ${found.step} differs: ${found.first} / ${found.second}`,
    atMs: 0
  }
}

const tallyOf = (of: Case, profile: Profile, outcome: Outcome, cpuMs: number): Tally => ({
  ...emptyTally(),
  runs: { light: 0, full: 0, [profile]: 1 } as Record<Profile, number>,
  cpuMs: { light: 0, full: 0, [profile]: cpuMs } as Record<Profile, number>,
  virtualMs: outcome.virtualMs,
  steps: outcome.steps,
  tasks: of.tasks.length,
  faults: Object.fromEntries(outcome.injected),
  histogram: profile === "full" ? { [outcome.duringActivity]: 1 } : {},
  reached: Object.fromEntries(outcome.marks.reached),
  cells: Object.fromEntries(outcome.marks.cells)
})

const addCounts = <K extends string | number>(a: Partial<Record<K, number>>, b: Partial<Record<K, number>>): Record<K, number> => {
  const sum = { ...a } as Record<K, number>
  for (const key of Object.keys(b) as Array<K>) sum[key] = (sum[key] ?? 0) + (b[key] ?? 0)
  return sum
}
