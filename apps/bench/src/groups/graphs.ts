/**
 * Graphs that people have published figures for, with the times and sizes that
 * they give: the tasks sleep and return so many bytes. On 24 workers with one
 * slot each.
 *
 * The tasks are submitted one by one in the order of the graph, and all but
 * those that nothing else needs are released at once, as if a collection had
 * built the graph. The figure is how many times as long as the ideal it took.
 */
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"
import type { ClientService } from "skein"
import { Bench } from "../harness/Bench.ts"
import { real, withCluster } from "../harness/clusters.ts"
import { absent } from "../harness/measure.ts"
import { figureOf, shape } from "../harness/shapes.ts"
import { inOrder, sinksOf } from "../submitting.ts"
import * as Workloads from "../workloads.ts"

const SLOTS = 24
/** Results in one round beyond which it takes `--all`: the machine may have other things to do with its memory. */
const LARGE = 4 * 2 ** 30
/** Seconds of one round beyond which it does. */
const LONG = 10

const KiB = 1024

/** A graph in `workloads/`, with the mean milliseconds and bytes of performance.md's table. */
interface Exported {
  readonly file: string
  readonly ms: number
  readonly bytes: number
}
const exported: ReadonlyArray<Exported> = [
  { file: "join-1-1S-1H", ms: 33, bytes: 15.3 * KiB },
  { file: "groupby-90-1S-8H", ms: 7.7, bytes: 501 * KiB },
  { file: "groupby-360-1S-8H", ms: 8, bytes: 503 * KiB },
  { file: "numpy-50K-10", ms: 169, bytes: 70_108 * KiB },
  { file: "numpy-50K-100", ms: 2.6, bytes: 760 * KiB }
]

const formulas: ReadonlyArray<Workloads.Graph> = [
  Workloads.bag("bag-25K-10", 10, 1_233, 292 * KiB),
  Workloads.bag("bag-25K-50", 50, 54.9, 12.6 * KiB),
  Workloads.bag("bag-25K-100", 100, 13.9, 3.2 * KiB),
  Workloads.bag("bag-25K-200", 200, 3.6, 0.8 * KiB),
  Workloads.bag("bag-50K-50", 50, 214, 25.2 * KiB),
  Workloads.wordbag(),
  Workloads.vectorizer()
]

/** Where the exported graphs are: beside the repository. */
const folder = new URL("../../../../../shared/workloads/", import.meta.url)
const Exported = Schema.fromJsonString(Schema.Struct({ name: Schema.String, deps: Schema.Array(Schema.Array(Schema.Number)) }))

const load = ({ bytes, file, ms }: Exported) =>
  Effect.try({ try: () => readFileSync(new URL(`${file}.json`, folder), "utf8"), catch: String }).pipe(
    Effect.flatMap(Schema.decodeEffect(Exported)),
    Effect.map((graph) => Workloads.fromExport(graph, ms, Math.round(bytes)))
  )

/** As `inOrder`, and what other tasks need is let go of at once. */
const submit = Effect.fnUntraced(function*(client: ClientService, graph: Workloads.Graph) {
  const futures = yield* inOrder(client, graph)
  const kept = new Set(sinksOf(graph, futures))
  yield* Effect.forEach(futures, (future) => kept.has(future) ? Effect.void : future.release, { discard: true })
  return futures
})

const figure = (name: string) => figureOf({ name: `${name}, ${SLOTS} × 1`, slots: SLOTS })

export const graphs = Effect.gen(function*() {
  const { options, wants } = yield* Bench
  const found: Array<Workloads.Graph> = [...formulas]
  for (const one of exported) {
    const graph = yield* Effect.result(load(one))
    if (graph._tag === "Success") found.push(graph.success)
    else yield* absent(figure(one.file), `${new URL(`${one.file}.json`, folder).pathname} cannot be read`)
  }
  const wanted: Array<Workloads.Graph> = []
  for (const graph of found.filter(({ name }) => wants(figure(name).name))) {
    const gibibytes = graph.deps.reduce((all, _, task) => all + graph.bytes(task), 0) / 2 ** 30
    const seconds = Workloads.idealMs(graph, SLOTS) / 1_000
    if (options.extent === "all" || (gibibytes * 2 ** 30 <= LARGE && seconds <= LONG)) wanted.push(graph)
    else yield* absent(figure(graph.name), `only with --all: ${gibibytes.toFixed(1)} GiB of results and ${seconds.toFixed(0)} s a run`)
  }
  if (wanted.length === 0) return
  yield* withCluster(
    real({ workers: SLOTS, threadsPerWorker: 1, fibersPerWorker: 1 }),
    (cluster) =>
      Effect.forEach(wanted, (graph) =>
        shape(cluster, {
          name: figure(graph.name).name,
          graph,
          submit: Effect.suspend(() => submit(cluster.client, graph)),
          until: "memory",
          warm: 0,
          slots: SLOTS,
          note: `${graph.deps.length} tasks, ideal ${(Workloads.idealMs(graph, SLOTS) / 1_000).toFixed(2)} s`
        }), { discard: true }),
    (why) => Effect.forEach(wanted, (graph) => absent(figure(graph.name), why), { discard: true })
  )
})
