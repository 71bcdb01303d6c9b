/**
 * Many seeds, one after the other, until one breaks something.
 */
import type { Case } from "../Case.ts"
import { draw, type Size } from "./Generate.ts"
import { run, type Verdict } from "./Simulation.ts"

export interface Batch extends Omit<Verdict, "broken"> {
  /** The first seed that broke something. */
  readonly broken: { readonly seed: number; readonly case: Case; readonly invariant: string; readonly detail: string; readonly at: number } | undefined
  /** Seeds that were run, the broken one included. */
  readonly seeds: number
}

export interface Options {
  readonly from: number
  readonly count: number
  readonly size?: Size | undefined
  /** Tasks of each case; undefined: as many as are drawn. */
  readonly tasks?: number | undefined
  readonly recountEvery?: number | undefined
  /** Changes each case before it is run: for scenarios and canaries. */
  readonly change?: ((theCase: Case) => Case) | undefined
  /** Asked before each seed whether there is time for it. @default always */
  readonly goesOn?: (() => boolean) | undefined
}

/** Runs the cases of seeds in order, and stops at the first that breaks something. */
export const runSeeds = ({ change = (theCase) => theCase, count, from, goesOn = () => true, recountEvery, size = "light", tasks }: Options): Batch => {
  const faults: Record<string, number> = {}
  const marks: Record<string, number> = {}
  let [events, rows, steps, ms, seeds] = [0, 0, 0, 0, 0]
  let broken: Batch["broken"]
  while (seeds < count && broken === undefined && goesOn()) {
    const seed = from + seeds++
    const theCase = change(draw(seed, size, tasks))
    const verdict: Verdict = run(theCase, { recountEvery })
    events += verdict.events
    rows += verdict.rows
    steps += verdict.steps
    ms += verdict.ms
    add(faults, verdict.faults)
    add(marks, verdict.marks)
    if (verdict.broken !== undefined) broken = { seed, case: theCase, ...verdict.broken }
  }
  return { broken, seeds, events, rows, steps, ms, faults, marks }
}

const add = (sums: Record<string, number>, more: Readonly<Record<string, number>>): void => {
  for (const [name, count] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + count
}
