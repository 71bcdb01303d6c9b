/**
 * How long one waits for one task.
 *
 * Back to back, for after a pause it is the processor's waking up that is
 * measured. From `client.submit` until its value is here.
 */
import { Effect, Fiber } from "effect"
import type { ClientService, Future } from "skein"
import { Bench } from "../harness/Bench.ts"
import { type Real, real, withCluster } from "../harness/clusters.ts"
import { percentile } from "../harness/figures.ts"
import { absent, duration, type Figure, row, rows, timed } from "../harness/measure.ts"
import { shape } from "../harness/shapes.ts"
import { byLevels, oneByOne, release, salts } from "../submitting.ts"
import * as tasks from "../tasks.ts"
import * as Workloads from "../workloads.ts"

const idle = "submit → result, back to back, idle cluster"
const loaded = "submit → result, back to back, 2,000 other tasks queued at any time"
const figures = (name: string): ReadonlyArray<Figure> => [{ name: `${name}, p50`, unit: "ms" }, { name: `${name}, p99`, unit: "ms" }]
const chained = Workloads.chain(1_000)
const chainName = "chain of 1,000, each by submit"
/** Rows of calls between tasks, as Ray's microbenchmarks have them. */
const inTask = [
  { name: "1:1 calls, a task that submits and awaits", callers: 1 },
  { name: "n:n calls, 4 tasks that submit and await", callers: 4 }
]
const CALLS = 1_000

/** One after the other; milliseconds of each. */
const trips = (client: ClientService, count: number) =>
  Effect.gen(function*() {
    const taken: Array<number> = []
    const first = salts(count)
    for (let n = 0; n < count; n++) {
      taken.push(yield* duration(Effect.gen(function*() {
        const future = yield* client.submit(tasks.inc, first + n)
        yield* future.result
        yield* future.release
      })))
    }
    return taken
  })

const roundTrips = ({ client, processes }: Real, name: string, count: number, warm: number) =>
  rows({
    figures: figures(name),
    round: Effect.map(trips(client, count), (taken) => [percentile(taken, 0.5), percentile(taken, 0.99)]),
    warm,
    processes,
    work: count,
    per: "trip"
  })

/** Tasks that do nothing, a thousand more as soon as a thousand are done, until interrupted. */
const background = (client: ClientService) => {
  const thousand = Workloads.map(1_000)
  const pumping = Effect.forever(Effect.gen(function*() {
    // Whole or not at all: a future that nobody knows of is not released before it is collected.
    const futures = yield* Effect.uninterruptible(byLevels(client, thousand))
    yield* Effect.ensuring(client.wait(futures), Effect.forEach(futures, (future) => future.release, { discard: true }))
  }))
  return Effect.all([pumping, pumping], { concurrency: 2 })
}

const underLoad = (cluster: Real, count: number) =>
  Effect.gen(function*() {
    const { wants } = yield* Bench
    if (!figures(loaded).some(({ name }) => wants(name))) return
    const fiber = yield* Effect.forkChild(background(cluster.client))
    yield* roundTrips(cluster, loaded, count, 1)
    yield* Fiber.interrupt(fiber)
    yield* release(cluster.client, [])
  })

/** Callers at the same time, each of which awaits every call before the next. */
const callsFromTasks = ({ client, processes }: Real, { callers, name }: (typeof inTask)[number]) =>
  row({
    name,
    unit: "calls/s",
    better: "more",
    round: Effect.gen(function*() {
      const first = salts(2 * callers * CALLS)
      const [ms, { futures, lasts }] = yield* timed(Effect.gen(function*() {
        const futures: Array<Future<number, unknown>> = []
        for (let n = 0; n < callers; n++) futures.push(yield* client.submit(tasks.calls, CALLS, first + 2 * n * CALLS))
        return { futures, lasts: yield* client.gather(futures) }
      }))
      yield* release(client, futures)
      const wrong = lasts.findIndex((last, n) => last !== first + 2 * n * CALLS + CALLS)
      if (wrong >= 0) return yield* Effect.fail(new Error(`caller ${wrong} has ${lasts[wrong]}`))
      return callers * CALLS / ms * 1_000
    }),
    warm: 1,
    processes,
    work: callers * CALLS,
    per: "call"
  })

const inQuick = (cluster: Real) => roundTrips(cluster, idle, 500, 1)

const whole = Effect.fnUntraced(function*(cluster: Real) {
  yield* roundTrips(cluster, idle, 2_000, 2)
  yield* shape(cluster, {
    name: chainName,
    graph: chained,
    submit: Effect.suspend(() => oneByOne(cluster.client, chained)),
    until: "values",
    warm: 3
  })
  yield* underLoad(cluster, 300)
  yield* Effect.forEach(inTask, (row) => callsFromTasks(cluster, row), { discard: true })
})

const all: ReadonlyArray<Figure> = [
  ...figures(idle),
  ...figures(loaded),
  { name: chainName, unit: "µs a task" },
  ...inTask.map(({ name }): Figure => ({ name, unit: "calls/s", better: "more" }))
]

export const latency = Effect.gen(function*() {
  const { options, wants } = yield* Bench
  if (!all.some(({ name }) => wants(name))) return
  yield* withCluster(
    real({ workers: 2, threadsPerWorker: 1 }),
    options.extent === "quick" ? inQuick : whole,
    (why) => Effect.forEach(all, (figure) => absent(figure, why), { discard: true })
  )
})
