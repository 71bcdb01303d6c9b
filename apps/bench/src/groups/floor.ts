/**
 * The floor: what the least that can be called a scheduler takes on this machine
 * at this hour, beside which our own figures are read.
 *
 * Three plain processes do what client, scheduler and zero workers do where all
 * goes well, over the same kind of sockets and in the same binary format: no
 * RPC, no fibers, no futures but a count, nothing checked, nothing survived
 * (`floor/`). The figures to reach were derived from such a program on another
 * machine, where it took 4 to 6 µs a task and 0.12 ms a trip (performance.md,
 * §3e); on a machine where it takes more, they ask for more.
 */
import { Effect } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { connection, FromClient, ToClient } from "../floor/connection.ts"
import { Bench } from "../harness/Bench.ts"
import { withCluster } from "../harness/clusters.ts"
import { percentile } from "../harness/figures.ts"
import { absent, duration, type Figure, type Processes, row, rows } from "../harness/measure.ts"
import { folder, type ProcessFailed, start } from "../harness/processes.ts"
import { figureOf, nameOn } from "../harness/shapes.ts"
import * as Workloads from "../workloads.ts"

const TRIPS = 2_000
/** Rows of one message: the scheduler begins with the first while the next are made. */
const ROWS = 2_000

const figureOn = (graph: Workloads.Graph, workers: number): Figure => figureOf({ name: nameOn(graph, workers) })
const tripFigures: ReadonlyArray<Figure> = [
  { name: "submit → result, back to back, p50", unit: "ms" },
  { name: "submit → result, back to back, p99", unit: "ms" }
]

interface Floor {
  readonly ended: Effect.Effect<never, ProcessFailed>
  readonly processes: () => Processes
  /** Submits a graph and returns once all of it is in memory. */
  readonly run: (graph: Workloads.Graph) => Promise<void>
  /** Lets go of what was submitted last. */
  readonly release: () => void
}

const open = Effect.fnUntraced(function*(workers: number) {
  const at = yield* folder
  const [workersAt, clientAt] = [join(at, "w.sock"), join(at, "c.sock")]
  const program = (name: string) => fileURLToPath(new URL(`../floor/${name}.ts`, import.meta.url))
  const scheduler = yield* start("the floor's scheduler", [], [program("scheduler"), workersAt, clientAt])
  const zeros = yield* start("the floor's workers", [], [program("workers"), workersAt, String(workers)])
  const socket = yield* Effect.acquireRelease(Effect.sync(() => connect(clientAt)), (socket) => Effect.sync(() => socket.destroy()))
  yield* Effect.promise(() => once(socket, "connect"))

  let awaited = 0
  let arrived = () => {}
  const { turn } = connection(socket, ToClient, FromClient, () => ({ submit: [], release: [] }), ({ done }) => {
    awaited -= done.length
    if (awaited === 0) arrived()
  })
  let next = 1
  let last: readonly [first: number, count: number] = [0, 0]
  const call = new Uint8Array(20)
  const made: Floor = {
    ended: Effect.raceFirst(scheduler.ended, zeros.ended),
    processes: () => ({ client: [process.pid], scheduler: [scheduler.pid], workers: [zeros.pid] }),
    run: async ({ deps }) => {
      const first = next
      next += deps.length
      last = [first, deps.length]
      awaited = deps.length
      const all = new Promise<void>((resolve) => {
        arrived = resolve
      })
      for (const [task, needs] of deps.entries()) {
        const id = first + task
        turn().submit.push({ id, key: `nothing-${id.toString(16).padStart(16, "0")}`, needs: needs.map((need) => first + need), call })
        if (task % ROWS === ROWS - 1) await new Promise(setImmediate)
      }
      await all
    },
    release: () => {
      const [first, count] = last
      for (let id = first; id < first + count; id++) turn().release.push(id)
    }
  }
  return made
})

const graphs = (floor: Floor, workers: number, size: number) =>
  Effect.forEach(Workloads.mergeMapTree(size), (graph, index) => {
    const tasks = graph.deps.length
    return row({
      ...figureOn(graph, workers),
      round: Effect.map(duration(Effect.promise(() => floor.run(graph))), (ms) => ms * 1_000 / tasks),
      // What is released is forgotten before anything is heard of the next round.
      tidy: Effect.sync(floor.release),
      warm: index === 0 ? 5 : 2,
      processes: floor.processes,
      work: tasks,
      per: "task"
    })
  }, { discard: true })

const trips = (floor: Floor) =>
  rows({
    figures: tripFigures,
    round: Effect.promise(async () => {
      const taken: Array<number> = []
      const one = Workloads.map(1)
      for (let n = 0; n < TRIPS; n++) {
        const since = performance.now()
        await floor.run(one)
        taken.push(performance.now() - since)
        floor.release()
      }
      return [percentile(taken, 0.5), percentile(taken, 0.99)]
    }),
    warm: 2,
    processes: floor.processes,
    work: TRIPS,
    per: "trip"
  })

/** Rows of three new processes. */
const together = Effect.fnUntraced(function*(workers: number, figures: ReadonlyArray<Figure>, measure: (floor: Floor) => Effect.Effect<void, never, Bench>) {
  const { wants } = yield* Bench
  if (!figures.some(({ name }) => wants(name))) return
  yield* withCluster(open(workers), measure, (why) => Effect.forEach(figures, (figure) => absent(figure, why), { discard: true }))
})

export const floor = Effect.gen(function*() {
  const { options } = yield* Bench
  const sizes = options.extent === "quick" ? [[24, 10_000]] as const : [[24, 10_000], [24, 100_000], [1_000, 10_000], [1_000, 100_000]] as const
  for (const [workers, size] of sizes) yield* together(workers, Workloads.mergeMapTree(size).map((graph) => figureOn(graph, workers)), (floor) => graphs(floor, workers, size))
  yield* together(2, tripFigures, trips)
})
