/**
 * A graph on its way through the public client.
 *
 * Two calls with equal arguments are one task, so every submission has a salt of
 * its own among its arguments.
 */
import { Effect } from "effect"
import type { ClientService, Future } from "skein"
import { nothing } from "./tasks.ts"
import * as tasks from "./tasks.ts"
import { type Graph, levels, sinks } from "./workloads.ts"

/** Futures of all tasks, at the places of their tasks. */
export type Submitted = ReadonlyArray<Future<unknown, unknown>>

let salt = 0
/** Whole numbers that nobody else gets: the first of so many. */
export const salts = (count: number): number => {
  const first = salt
  salt += count
  return first
}

/** Tasks that do nothing, one `client.map` for each level of the graph: the fastest way there is to say it. */
export const byLevels = Effect.fnUntraced(function*(client: ClientService, graph: Graph, task: typeof nothing = nothing) {
  const first = salts(graph.deps.length)
  const futures: Array<Future<number, unknown>> = new Array(graph.deps.length)
  for (const level of levels(graph)) {
    const made = yield* client.map(task, level.map((at): ReadonlyArray<number | Future<number, unknown>> => [first + at, ...graph.deps[at]!.map((need) => futures[need]!)]))
    for (const [index, at] of level.entries()) futures[at] = made[index]!
  }
  return futures as Submitted
})

/** Tasks that take their time and return their bytes, one after the other in the order of the graph, which is the order they should run in. */
export const inOrder = Effect.fnUntraced(function*(client: ClientService, graph: Graph) {
  const first = salts(graph.deps.length)
  const futures: Array<Future<Uint8Array, unknown>> = []
  for (const [at, needs] of graph.deps.entries()) {
    futures.push(yield* client.submit(tasks.node, [first + at, graph.ms(at), graph.bytes(at), ...needs.map((need) => futures[need]!)] as const))
  }
  return futures as Submitted
})

/** Waits until what nothing else needs is in memory. */
export const finished = (client: ClientService, graph: Graph, futures: Submitted) => client.wait(sinks(graph).map((at) => futures[at]!))

/** Releases all, and returns once the scheduler knows of no task any more. */
export const release = (client: ClientService, futures: Submitted) =>
  Effect.forEach(futures, (future) => future.release, { discard: true }).pipe(
    Effect.andThen(Effect.repeat(client.inspect.counts, { until: (counts) => Object.values(counts).every((count) => count === 0) }))
  )
