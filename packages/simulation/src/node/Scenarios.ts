/**
 * Scenarios by name, each under as many seeds as are asked for:
 * `npm run simulate -- --scenario NAME`.
 */
import type { Case, Scenario } from "../Case.ts"
import { runCase } from "../cases/Run.ts"
import { scenarios as ofClusters } from "../cases/Scenarios.ts"
import { scenarios as ofMachines } from "../reducers/Scenarios.ts"
import { run } from "../reducers/Simulation.ts"
import type { Failure } from "./Batch.ts"
import { breathe } from "./Breathing.ts"
import { measured } from "./cpu.ts"

/** Of either level. */
export interface LevelScenario extends Scenario {
  readonly machinesAlone: boolean
}

/** What came of many seeds; one that failed is the last of them. */
export interface Tried {
  readonly seeds: number
  readonly cpuMs: number
  readonly failure: Failure | undefined
}

/** Those with this in their names; `all`: all. */
export const named = (name: string, machinesAlone: boolean): ReadonlyArray<LevelScenario> =>
  (machinesAlone ? ofMachines : ofClusters).filter((scenario) => name === "all" || scenario.name.includes(name)).map((scenario) => ({ ...scenario, machinesAlone }))

/** Stops at the first seed that fails. */
export const tryScenario = async ({ machinesAlone, of }: LevelScenario, from: number, count: number): Promise<Tried> => {
  let cpuMs = 0
  for (let seed = from; seed < from + count; seed++) {
    const [failure, ms] = measured(() => machinesAlone ? failureOfMachines(seed, of(seed)) : failureOfCluster(of(seed)))
    cpuMs += ms
    if (failure !== undefined) return { seeds: seed - from + 1, cpuMs, failure }
    if (!machinesAlone) await breathe()
  }
  return { seeds: count, cpuMs, failure: undefined }
}

const failureOfMachines = (seed: number, of: Case): Failure | undefined => {
  const { broken } = run(of)
  return broken && { level: "reducers", seed, case: of, violation: { id: broken.invariant, saw: broken.detail, atMs: broken.at } }
}

const failureOfCluster = (of: Case): Failure | undefined => {
  const { violation } = runCase(of)
  return violation && { level: "cluster", profile: "light", case: of, violation }
}
