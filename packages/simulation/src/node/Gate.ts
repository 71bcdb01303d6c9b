/**
 * What is asked of the gate's session beside that no check fails.
 *
 * A session that injects little, or never comes to the places where mistakes
 * live, passes as easily as a good one. So what it has done is judged as well.
 */
import { catalogue } from "../cases/Marks.ts"
import type { Tally } from "./Batch.ts"

/** Full runs of the gate, and with each ten light ones. */
export const GATE_FULL = 500

/** Faults that a full run has on average while something is to be computed. */
const LEAST_FAULTS = 5

/** Faults during activity in a full run, on average. */
export const meanFaults = ({ histogram }: Pick<Tally, "histogram">): number => {
  const entries = Object.entries(histogram)
  const runs = entries.reduce((sum, [, count]) => sum + count, 0)
  return runs === 0 ? 0 : entries.reduce((sum, [faults, count]) => sum + Number(faults) * count, 0) / runs
}

/** What the session lacks, in lines. Marks that are rare may be missing; what was reached and is in no catalogue is a place that nobody has thought of. */
export const unmet = (tally: Pick<Tally, "histogram" | "reached">): ReadonlyArray<string> => {
  const known = new Set(catalogue.map(({ name }) => name))
  const mean = meanFaults(tally)
  return [
    ...(mean < LEAST_FAULTS ? [`a full run had ${mean.toFixed(1)} faults during activity on average, and ${LEAST_FAULTS} are asked`] : []),
    ...catalogue.filter(({ name, rare }) => rare === undefined && !(name in tally.reached)).map(({ name }) => `never reached: ${name}`),
    ...Object.keys(tally.reached).filter((name) => !known.has(name)).map((name) => `reached, and not in the catalogue of marks: ${name}`)
  ]
}
