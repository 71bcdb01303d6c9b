/**
 * One batch of seeds through the reducers, as a program: what `scripts/mutants.ts`
 * runs against each planted bug.
 *
 *     node packages/simulation/test/reducers/batch.ts --seeds 5000 [--from 0] [--size light] [--shrink]
 *
 * Prints one line of JSON. Exits 1 if a seed broke something, and 2 if the canary
 * did not: a batch that cannot fail says nothing.
 */
import { parseArgs } from "node:util"
import { runSeeds } from "../../src/reducers/Batch.ts"
import { shrink } from "../../src/reducers/Shrink.ts"
import { run } from "../../src/reducers/Simulation.ts"
import { canary } from "./canary.ts"

/** So long a case may be shortened. */
const SHRINKING_MS = 120_000

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "0" },
    size: { type: "string", default: "light" },
    shrink: { type: "boolean", default: false }
  }
})

if (!canary()) {
  console.log(JSON.stringify({ canary: "it broke nothing: this batch cannot fail" }))
  process.exit(2)
}
const { broken, events, seeds } = runSeeds({
  from: Number(values.from),
  count: Number(values.seeds),
  size: values.size === "full" ? "full" : "light"
})
const began = performance.now()
const shrunk = broken === undefined || !values.shrink ? undefined : shrink(broken.case, (theCase) => run(theCase).broken?.invariant, {
  brokenAt: broken.at,
  goesOn: () => performance.now() - began < SHRINKING_MS
})
const shrinkingMs = performance.now() - began
console.log(JSON.stringify({
  seeds,
  events,
  ...(broken === undefined ? {} : { seed: broken.seed, invariant: broken.invariant, detail: broken.detail.slice(0, 400) }),
  ...(shrunk === undefined ? {} : {
    shrunk: { tasks: shrunk.case.tasks.length, workers: shrunk.case.cluster.workers, faults: shrunk.case.faults.length, operations: shrunk.case.operations.length, runs: shrunk.runs, seconds: shrinkingMs / 1_000 },
    case: shrunk.case
  })
}))
process.exit(broken === undefined ? 0 : 1)
