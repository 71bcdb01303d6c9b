/**
 * What a task costs where nothing runs: client and scheduler are real, workers
 * answer at once.
 *
 * From the first submission until the client knows that what nobody else needs
 * is in memory. The client keeps a future on every task, as users do who call
 * `map` and `submit`.
 */
import { Effect } from "effect"
import { Bench } from "../harness/Bench.ts"
import { withCluster, zero } from "../harness/clusters.ts"
import { absent } from "../harness/measure.ts"
import { figureOf, nameOn, shape } from "../harness/shapes.ts"
import { byLevels } from "../submitting.ts"
import * as Workloads from "../workloads.ts"

/** Rounds until the compilers are done with five times 10 K tasks; more tasks need fewer, and so do those that come second. */
const warmRounds = (n: number, isFirst: boolean) => n > 100_001 ? 0 : n > 10_001 ? 1 : isFirst ? 5 : 2

/** Rows of one new cluster. */
const together = Effect.fnUntraced(function*(workers: number, wanted: ReadonlyArray<Workloads.Graph>) {
  if (wanted.length === 0) return
  yield* withCluster(
    zero(workers),
    (cluster) =>
      Effect.forEach(wanted, (graph, index) =>
        shape(cluster, {
          name: nameOn(graph, workers),
          graph,
          submit: Effect.suspend(() => byLevels(cluster.client, graph)),
          until: "memory",
          warm: warmRounds(graph.deps.length, index === 0)
        }), { discard: true }),
    (why) => Effect.forEach(wanted, (graph) => absent(figureOf({ name: nameOn(graph, workers) }), why), { discard: true })
  )
})

/** All shapes of one size; many tasks have a cluster for each, so that none meets the heap, or the failure, of another. */
const ofSize = Effect.fnUntraced(function*(workers: number, size: number) {
  const { wants } = yield* Bench
  const wanted = Workloads.mergeMapTree(size).filter((graph) => wants(nameOn(graph, workers)))
  yield* size > 10_000 ? Effect.forEach(wanted, (graph) => together(workers, [graph]), { discard: true }) : together(workers, wanted)
})

export const zeroWorker = Effect.gen(function*() {
  const { options } = yield* Bench
  if (options.extent === "quick") return yield* ofSize(24, 10_000)
  const all = options.extent === "all"
  for (const workers of [24, 2, 168, 1_000]) {
    yield* ofSize(workers, 10_000)
    // 24 and 1,000 are compared.
    if (workers === 24 || workers === 1_000 || all) yield* ofSize(workers, 100_000)
    // A million takes minutes.
    if (workers === 24 || all) yield* ofSize(workers, 1_000_000)
  }
})
