/**
 * One cold run: starts a cluster, has one graph done, writes what it found as
 * JSON, and ends.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { real } from "./harness/clusters.ts"
import type { Cold } from "./harness/cold.ts"
import { sample, timed } from "./harness/measure.ts"
import { byLevels, type Isolation, sinksOf } from "./submitting.ts"
import { map, merge, notebook, treeOf } from "./workloads.ts"

const [wanted, isolation] = process.argv.slice(2) as [string, Isolation] // cold.ts writes them
const graph = [map(10_000), merge(10_000), treeOf(10_000), notebook(256)].find(({ name }) => name === wanted)

const work = Effect.gen(function*() {
  const [startMs, { client, processes }] = yield* timed(real({ workers: 2, threadsPerWorker: 1, fibersPerWorker: 1 }))
  if (graph === undefined) return { startMs, ms: 0, cpu: {} } satisfies Cold
  const before = sample(processes())
  const [ms] = yield* timed(Effect.flatMap(byLevels(client, graph, isolation), (futures) => client.gather(sinksOf(graph, futures))))
  const after = sample(processes())
  const cpu = Object.fromEntries(Object.entries(after).map(([name, us]) => [name, us - (before[name] ?? us)]))
  return { startMs, ms, cpu } satisfies Cold
})

Effect.scoped(work).pipe(Effect.flatMap((found) => Console.log(JSON.stringify(found))), (program) => NodeRuntime.runMain(program))
