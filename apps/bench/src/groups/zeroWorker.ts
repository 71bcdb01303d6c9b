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
import { withCluster, type Zero, zero } from "../harness/clusters.ts"
import { absent, duration, row } from "../harness/measure.ts"
import { byLevels, finished, release, type Submitted } from "../submitting.ts"
import * as Workloads from "../workloads.ts"

const unit = "µs a task"

const nameOf = (shape: Workloads.Graph, workers: number) => `${shape.name}, ${workers} workers`

/** Merge, map and tree of about n tasks. */
const shapes = (n: number) => [Workloads.merge(n), Workloads.map(n), Workloads.treeOf(n)]

/** Rounds until the compilers are done with five times 10 K tasks; more tasks need fewer. */
const warmRounds = (n: number) => n <= 10_000 ? 5 : n <= 100_000 ? 1 : 0

const measure = ({ client, processes }: Zero, graph: Workloads.Graph, workers: number) => {
  let submitted: Submitted = []
  const tasks = graph.deps.length
  return row({
    name: nameOf(graph, workers),
    unit,
    warm: warmRounds(tasks),
    processes,
    work: tasks,
    per: "task",
    round: Effect.map(
      duration(Effect.gen(function*() {
        submitted = yield* byLevels(client, graph)
        yield* finished(client, graph, submitted)
      })),
      (ms) => ms * 1_000 / tasks
    ),
    tidy: Effect.suspend(() => {
      const futures = submitted
      submitted = []
      return release(client, futures)
    })
  })
}

/** All shapes of one size, in a new cluster. */
const ofSize = Effect.fnUntraced(function*(workers: number, size: number) {
  const { wants } = yield* Bench
  const wanted = shapes(size).filter((graph) => wants(nameOf(graph, workers)))
  if (wanted.length === 0) return
  yield* withCluster(
    zero(workers),
    (cluster) => Effect.forEach(wanted, (graph) => measure(cluster, graph, workers), { discard: true }),
    (why) => Effect.forEach(wanted, (graph) => absent({ name: nameOf(graph, workers), unit }, why), { discard: true })
  )
})

export const zeroWorker = Effect.gen(function*() {
  const { options } = yield* Bench
  if (options.extent === "quick") return yield* ofSize(24, 10_000)
  for (const workers of [24, 2, 168, 1_000]) {
    yield* ofSize(workers, 10_000)
    yield* ofSize(workers, 100_000)
    // A million takes minutes; once, unless all is asked for.
    if (workers === 24 || options.extent === "all") yield* ofSize(workers, 1_000_000)
  }
})
