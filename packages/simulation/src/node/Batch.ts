/**
 * Seeds, one run after another: what each of the simulation's processes does.
 *
 * Most of the time whole clusters run; a share of it goes to the machines alone,
 * which take thousands of times as many events in the same time, and the first
 * process also goes through all states of a few small clusters.
 *
 * Beside running the cases a batch keeps itself honest. A *canary*, a workload with a
 * wrong value in it, must be caught at the start and every so often; and one
 * run in twenty is made twice, whose hashes must agree.
 */
import type { Case } from "../Case.ts"
import type { Violation } from "../cases/Checks.ts"
import { draw, type Profile } from "../cases/Draw.ts"
import { type Outcome, runCase } from "../cases/Run.ts"
import { small } from "../explore/Configurations.ts"
import { explore } from "../explore/Explore.ts"
import type { FaultKind } from "../Fault.ts"
import { runSeeds } from "../reducers/Batch.ts"
import { divergence } from "../World.ts"
import { breathe } from "./Breathing.ts"
import { measured } from "./cpu.ts"

/** What many runs came to; sums, so that parts add up. */
export interface Tally {
  readonly runs: Record<Profile, number>
  readonly doubled: number
  readonly canaries: number
  /** The machines alone: cases, and events that they took. */
  readonly reducers: { readonly seeds: number; readonly events: number; readonly cpuMs: number }
  /** Small clusters gone through wholly, and their states. */
  readonly explored: { readonly configurations: number; readonly states: number }
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
  reducers: { seeds: 0, events: 0, cpuMs: 0 },
  explored: { configurations: 0, states: 0 },
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
  reducers: {
    seeds: a.reducers.seeds + b.reducers.seeds,
    events: a.reducers.events + b.reducers.events,
    cpuMs: a.reducers.cpuMs + b.reducers.cpuMs
  },
  explored: { configurations: a.explored.configurations + b.explored.configurations, states: a.explored.states + b.explored.states },
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
export type Failure =
  | { readonly level: "cluster"; readonly profile: Profile; readonly case: Case; readonly violation: Violation & { readonly atMs: number } }
  /** The machines alone. */
  | { readonly level: "reducers"; readonly seed: number; readonly case: Case; readonly violation: Violation & { readonly atMs: number } }
  /** A state of a small cluster. `trail`: the actions that lead there. */
  | { readonly level: "states"; readonly violation: Violation; readonly trail: ReadonlyArray<string> }

/** One seed to run. */
export interface Job {
  readonly seed: number
  readonly profile: Profile
}

/** Runs after which the canary is sent again. */
const CANARY_EVERY = 1_000
/** One run in so many is made twice. */
const DOUBLE_EVERY = 20
/** CPU time for the machines alone, as a share of that for whole clusters. */
const REDUCERS_SHARE = 0.15
/** Cases of the machines alone in one go. */
const REDUCERS_AT_ONCE = 20

export interface BatchOptions {
  readonly jobs: Iterable<Job>
  /** Gets what was done since it was last told, about once a second. */
  readonly tell: (tally: Tally) => void
  /** Seeds for the machines alone start here. */
  readonly reducersFrom: number
  /** Goes through the states of small clusters first. */
  readonly explores: boolean
  /** @default runCase */
  readonly run?: (of: Case) => Outcome
}

/** Runs jobs until there are none, or one fails. */
export const runBatch = async ({ explores, jobs, reducersFrom, run = runCase, tell }: BatchOptions): Promise<Failure | undefined> => {
  let tally = emptyTally()
  let told = performance.now()
  let count = 0
  let [clusterMs, reducerMs, reducerSeed] = [0, 0, reducersFrom]
  const add = (more: Partial<Tally>) => {
    tally = addTallies(tally, { ...emptyTally(), ...more })
    if (performance.now() - told < 1_000) return
    tell(tally)
    tally = emptyTally()
    told = performance.now()
  }
  if (explores) {
    for (const configuration of small) {
      const { broken, name, states } = explore(configuration)
      add({ explored: { configurations: 1, states } })
      if (broken !== undefined) return { level: "states", violation: { id: broken.invariant, saw: `${name}: ${broken.detail}` }, trail: broken.trail }
    }
  }
  for (const { profile, seed } of jobs) {
    const failed = (of: Case, violation: Violation & { readonly atMs: number }): Failure => ({ level: "cluster", profile, case: of, violation })
    if (count % CANARY_EVERY === 0) {
      const of = canaryCase(seed)
      const silent = canary(of, run)
      if (silent !== undefined) return failed(of, silent)
      add({ canaries: 1 })
    }
    const of = draw(seed, profile)
    const [outcome, cpuMs] = measured(() => run(of))
    clusterMs += cpuMs
    add(tallyOf(of, profile, outcome, cpuMs))
    if (outcome.violation !== undefined) {
      tell(tally)
      return failed(of, outcome.violation)
    }
    await breathe()
    if (count % DOUBLE_EVERY === 0) {
      const different = twice(of, outcome, run)
      if (different !== undefined) return failed(of, different)
      add({ doubled: 1 })
      await breathe()
    }
    if (reducerMs < clusterMs * REDUCERS_SHARE) {
      const [batch, ms] = measured(() => runSeeds({ from: reducerSeed, count: REDUCERS_AT_ONCE }))
      reducerMs += ms
      reducerSeed += batch.seeds
      add({ reducers: { seeds: batch.seeds, events: batch.events, cpuMs: ms } })
      if (batch.broken !== undefined) {
        const { at, case: broken, detail, invariant, seed } = batch.broken
        return { level: "reducers", seed, case: broken, violation: { id: invariant, saw: detail, atMs: at } }
      }
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
  if (first === undefined) return { ...drawn, faults: [], operations: [] }
  // Nothing is to keep its value from being seen: no limit of time, and no other graph under its key.
  const { timeoutMs: _, under: __, ...plain } = first
  const others = rest.filter(({ body, under }) => body._tag !== "NeverEnds" && under !== first.id)
  return { ...drawn, faults: [], operations: [], tasks: [{ ...plain, body: { _tag: "Lies" } }, ...others] }
}

/** The failure of the checks to see the canary. */
const canary = (of: Case, run: (of: Case) => Outcome): (Violation & { readonly atMs: number }) | undefined => {
  const { violation } = run(of)
  return violation?.id === "C2"
    ? undefined
    : { id: "canary", saw: `a wrong value was not caught${violation === undefined ? "" : `: ${violation.id} ${violation.saw}`}`, atMs: 0 }
}

const twice = (of: Case, first: Outcome, run: (of: Case) => Outcome): (Violation & { readonly atMs: number }) | undefined => {
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
