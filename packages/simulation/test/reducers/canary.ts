/**
 * A case that must fail: one body gives another value than its own (`Lies`), which
 * the reference interpreter does not expect.
 */
import type { Case } from "../../src/Case.ts"
import { draw } from "../../src/reducers/Generate.ts"
import { run } from "../../src/reducers/Simulation.ts"

/** The case of a seed, calm, whose first task lies. */
export const lying = (seed: number): Case => {
  const theCase = draw(seed)
  return {
    ...theCase,
    faults: [],
    operations: [],
    tasks: theCase.tasks.map((task, place) => ({ ...task, body: place === 0 ? { _tag: "Lies" } : { _tag: "Succeeds" } }))
  }
}

/** Whether all of a few lies are found out. */
export const canary = (): boolean => [1, 2, 3].every((seed) => run(lying(seed)).broken !== undefined)
