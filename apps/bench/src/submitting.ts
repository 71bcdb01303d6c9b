/**
 * A graph on its way through the public client.
 *
 * Two calls with equal arguments are one task, so every submission has a salt of
 * its own among its arguments.
 */
import { Effect } from "effect"
import type { ClientService, Future } from "skein"
import * as tasks from "./tasks.ts"
import { type Graph, levels, sinks } from "./workloads.ts"

/** Futures of all tasks, at the places of their tasks. */
export type Submitted = ReadonlyArray<Future<unknown, unknown>>

/** How to have tasks done that nobody needs: in the worker's event loop, or in a thread. */
export type Isolation = "fiber" | "thread"

let salt = 0
/** Whole numbers that nobody else gets: the first of so many. */
export const salts = (count: number): number => {
  const first = salt
  salt += count
  return first
}

type Inputs = ReadonlyArray<number | Future<number, unknown>>

/** Tasks that do nothing, one `client.map` for each level of the graph: the fastest way there is to say it. */
export const byLevels = Effect.fnUntraced(function*(client: ClientService, graph: Graph, isolation: Isolation = "fiber") {
  const first = salts(graph.deps.length)
  const futures: Array<Future<number, unknown>> = new Array(graph.deps.length)
  for (const level of levels(graph)) {
    const items = level.map((at): Inputs => [first + at, ...graph.deps[at]!.map((need) => futures[need]!)])
    const made: ReadonlyArray<Future<number, unknown>> = yield* isolation === "fiber" ? client.map(tasks.nothing, items) : client.map(tasks.nothingInThread, items)
    for (const [index, at] of level.entries()) futures[at] = made[index]!
  }
  return futures as Submitted
})

/** The same tasks, each with a `client.submit` of its own, as in a loop of a user's program. */
export const oneByOne = Effect.fnUntraced(function*(client: ClientService, graph: Graph) {
  const first = salts(graph.deps.length)
  const futures: Array<Future<number, unknown>> = []
  for (const [at, needs] of graph.deps.entries()) {
    const inputs: Inputs = [first + at, ...needs.map((need) => futures[need]!)]
    futures.push(yield* client.submit(tasks.nothing, inputs))
  }
  return futures as Submitted
})

/** Tasks without results that sleep for as long as the graph says; each needs those before it for nothing but the order. */
export const sleeping = Effect.fnUntraced(function*(client: ClientService, graph: Graph, isolation: Isolation = "fiber") {
  const first = salts(graph.deps.length)
  const futures: Array<Future<number, unknown>> = new Array(graph.deps.length)
  for (const level of levels(graph)) {
    const items = level.map((at): Inputs => [graph.ms(at), first + at, ...graph.deps[at]!.map((need) => futures[need]!)])
    const made: ReadonlyArray<Future<number, unknown>> = yield* isolation === "fiber" ? client.map(tasks.sleep, items) : client.map(tasks.sleepInThread, items)
    for (const [index, at] of level.entries()) futures[at] = made[index]!
  }
  return futures as Submitted
})

/** Tasks that take their time and return their bytes, one after the other in the order of the graph, which is the order they should run in. */
export const inOrder = Effect.fnUntraced(function*(client: ClientService, graph: Graph) {
  const first = salts(graph.deps.length)
  const futures: Array<Future<Uint8Array, unknown>> = []
  for (const [at, needs] of graph.deps.entries()) {
    const inputs = [first + at, graph.ms(at), graph.bytes(at), ...needs.map((need) => futures[need]!)] as const
    futures.push(yield* client.submit(tasks.node, inputs))
  }
  return futures as Submitted
})

/** Those that nothing else needs. */
export const sinksOf = (graph: Graph, futures: Submitted): Submitted => sinks(graph).map((at) => futures[at]!)

/** Releases all, and returns once the scheduler knows of no task any more. */
export const release = (client: ClientService, futures: Submitted) =>
  Effect.forEach(futures, (future) => future.release, { discard: true }).pipe(
    Effect.andThen(Effect.repeat(client.inspect.counts, { until: (counts) => Object.values(counts).every((count) => count === 0) }))
  )
