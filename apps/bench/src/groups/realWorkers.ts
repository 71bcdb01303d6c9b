/**
 * The whole path, with workers that run things, as `LocalCluster` starts them.
 *
 * *cold*: the first 10 K tasks of a new cluster, from a client that is new as
 * well: what a script's user meets. *warm*: after five rounds of that. From the
 * first submission until the values are here.
 */
import { Effect } from "effect"
import { cold } from "../harness/cold.ts"
import { Bench } from "../harness/Bench.ts"
import { type Real, real, withCluster } from "../harness/clusters.ts"
import { absent } from "../harness/measure.ts"
import { figureOf, shape, type Shape } from "../harness/shapes.ts"
import { byLevels, inOrder, type Isolation, oneByOne, sleeping } from "../submitting.ts"
import * as Workloads from "../workloads.ts"

type Row = Shape<unknown, never>
type Make = (cluster: Real) => Row

const isolations = ["fiber", "thread"] as const

/** Rows of one cluster, if any of them is wanted. */
const on = Effect.fnUntraced(function*(options: Parameters<typeof real>[0], makes: ReadonlyArray<{ readonly name: string; readonly slots?: number; readonly make: Make }>) {
  const { wants } = yield* Bench
  const wanted = makes.filter(({ name }) => wants(name))
  if (wanted.length === 0) return
  yield* withCluster(
    real(options),
    (cluster) => Effect.forEach(wanted, ({ make }) => shape(cluster, make(cluster)), { discard: true }),
    (why) => Effect.forEach(wanted, (row) => absent(figureOf(row), why), { discard: true })
  )
})

const warm = (graph: Workloads.Graph, isolation: Isolation, rounds = 5) => {
  const name = `${graph.name}, no-op in a ${isolation}, 2 × 1, warm`
  const make: Make = ({ client }) => ({
    name,
    graph,
    submit: Effect.suspend(() => byLevels(client, graph, isolation)),
    until: "values",
    warm: rounds
  })
  return { name, make }
}

const submitted = (graph: Workloads.Graph) => {
  const name = `${graph.name}, no-op in a fiber, each by submit, 2 × 1, warm`
  const make: Make = ({ client }) => ({ name, graph, submit: Effect.suspend(() => oneByOne(client, graph)), until: "values", warm: 3 })
  return { name, make }
}

const notebook = () => {
  const graph = Workloads.notebook(256)
  const name = `${graph.name}, 2 × 1, warm`
  const make: Make = ({ client }) => ({ name, graph, submit: Effect.suspend(() => inOrder(client, graph)), until: "values", warm: 5 })
  return { name, make }
}

/** n tasks that sleep, on so many slots. */
const sleepers = (n: number, ms: number, isolation: Isolation, slots: number) => {
  const graph: Workloads.Graph = { ...Workloads.map(n), name: `${Workloads.count(n)} × ${ms} ms`, ms: () => ms }
  return sleepersOf(graph, isolation, slots)
}
const sleepersOf = (graph: Workloads.Graph, isolation: Isolation, slots: number, rounds = 1) => {
  const name = `${graph.name}, sleeping in a ${isolation}, ${slots} × 1`
  const make: Make = ({ client }) => ({
    name,
    graph,
    submit: Effect.suspend(() => sleeping(client, graph, isolation)),
    until: "values",
    warm: rounds,
    slots
  })
  return { name, slots, make }
}

const small = { workers: 2, threadsPerWorker: 1, fibersPerWorker: 1 }
const shapes = [Workloads.map(10_000), Workloads.merge(10_000), Workloads.treeOf(10_000)]

export const realWorkers = Effect.gen(function*() {
  const { options } = yield* Bench
  if (options.extent === "quick") {
    return yield* on(small, [warm(shapes[0]!, "fiber"), warm(shapes[2]!, "fiber", 2), warm(shapes[0]!, "thread", 2)])
  }
  for (const isolation of isolations) {
    for (const graph of shapes) yield* cold(graph, isolation)
  }
  yield* cold(Workloads.notebook(256), "fiber")
  yield* on(small, [
    ...isolations.flatMap((isolation) => shapes.map((graph) => warm(graph, isolation))),
    submitted(shapes[0]!),
    notebook()
  ])
  yield* on(small, isolations.flatMap((isolation) => [sleepers(2_000, 1, isolation, 2), sleepers(400, 10, isolation, 2), sleepers(40, 100, isolation, 2)]))
  yield* on({ ...small, workers: 24 }, [
    ...isolations.flatMap((isolation) => [sleepers(24_000, 1, isolation, 24), sleepers(2_400, 10, isolation, 24), sleepers(240, 100, isolation, 24)]),
    sleepersOf(Workloads.mergeSlow(20_000, 10), "fiber", 24),
    // A round of 21 seconds in which next to nothing is computed does not warm up what those before it have left cold.
    sleepersOf(Workloads.mergeSlow(5_000, 100), "fiber", 24, 0)
  ])
})
