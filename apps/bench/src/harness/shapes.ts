/**
 * A row for a graph whose tasks do nothing or sleep: submitted, waited for,
 * released.
 */
import { Effect } from "effect"
import type { ClientService } from "skein"
import { release, sinksOf, type Submitted } from "../submitting.ts"
import { type Graph, idealMs, levels, sinks } from "../workloads.ts"
import { type Figure, type Processes, row, timed } from "./measure.ts"

export interface Shape<E, R> {
  readonly name: string
  readonly graph: Graph
  readonly submit: Effect.Effect<Submitted, E, R>
  /** What is waited for: that what nothing else needs is in some worker's memory, or its values, here. */
  readonly until: "memory" | "values"
  readonly warm: number
  readonly runs?: number
  /** Slots of the cluster: the figure is then how many times as long as the ideal it took, instead of microseconds a task. */
  readonly slots?: number
  readonly note?: string
}

interface On {
  readonly client: ClientService
  readonly processes: () => Processes
}

/** Names the row of a graph on so many workers, here and where the same is run beside it. */
export const nameOn = (graph: Graph, workers: number): string => `${graph.name}, ${workers} workers`

/** The figure of such a row. */
export const figureOf = ({ name, slots }: Pick<Shape<never, never>, "name" | "slots">): Figure => ({ name, unit: slots === undefined ? "µs a task" : "× ideal" })

export const shape = <E, R>({ client, processes }: On, { graph, name, note, runs, slots, submit, until, warm }: Shape<E, R>) => {
  let submitted: Submitted = []
  const tasks = graph.deps.length
  // Before the clock runs: a program has its own order, and knows what it wants.
  levels(graph)
  sinks(graph)
  const round = Effect.gen(function*() {
    submitted = yield* submit
    const wanted = sinksOf(graph, submitted)
    yield* until === "memory" ? client.wait(wanted) : client.gather(wanted)
  })
  return row({
    ...figureOf({ name, ...(slots === undefined ? {} : { slots }) }),
    round: Effect.map(timed(round), ([ms]) => slots === undefined ? ms * 1_000 / tasks : ms / idealMs(graph, slots)),
    tidy: Effect.suspend(() => {
      const futures = submitted
      submitted = []
      return release(client, futures)
    }),
    warm,
    ...(runs === undefined ? {} : { runs }),
    processes,
    work: tasks,
    per: "task",
    ...(note === undefined ? {} : { note })
  })
}
