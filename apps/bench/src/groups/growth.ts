/**
 * What the scheduler's process has to keep: heap for each task that a client
 * holds on to, whether that comes back, what happens when there is no more, and
 * what workers cost that do nothing.
 */
import { Cause, Effect } from "effect"
import { Bench } from "../harness/Bench.ts"
import { type Zero, zero, withCluster } from "../harness/clusters.ts"
import { absent, type Figure, limited, row, rows } from "../harness/measure.ts"
import { cpuOf, rssOf } from "../harness/procfs.ts"
import { byLevels, release } from "../submitting.ts"
import { count, map } from "../workloads.ts"

const heapFigures = (tasks: number): ReadonlyArray<Figure> => [
  { name: `scheduler's heap, ${count(tasks)} tasks retained`, unit: "B a task" },
  { name: `scheduler's resident memory, ${count(tasks)} tasks retained`, unit: "MiB" },
  { name: `client's heap, ${count(tasks)} tasks retained`, unit: "B a task" },
  { name: `scheduler's heap after release, ${count(tasks)} tasks`, unit: "× before" }
]

const heapUsed = ({ probe, scheduler }: Zero) => Effect.map(probe(scheduler.pid, "collect"), ({ heapUsed }) => heapUsed)
/** Of this process. Twice, for what the first collection finds unreachable may hold more until its finalizers have run. */
const own = Effect.gen(function*() {
  globalThis.gc?.()
  yield* Effect.sleep(10)
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
})

const retained = (cluster: Zero, tasks: number) =>
  rows({
    figures: heapFigures(tasks),
    // The first round also pays for code that is compiled once, which a million tasks do not notice.
    warm: tasks < 1_000_000 ? 1 : 0,
    processes: cluster.processes,
    work: tasks,
    per: "task",
    round: Effect.gen(function*() {
      const before = yield* heapUsed(cluster)
      const ownBefore = yield* own
      const futures = yield* byLevels(cluster.client, map(tasks))
      yield* cluster.client.wait(futures)
      const after = yield* heapUsed(cluster)
      const rss = rssOf(cluster.scheduler.pid) ?? NaN
      const ownAfter = yield* own
      yield* release(cluster.client, futures)
      const atLast = yield* heapUsed(cluster)
      return [(after - before) / tasks, rss / 2 ** 20, (ownAfter - ownBefore) / tasks, atLast / before]
    })
  })

/** Megabytes of the scheduler whose heap is filled. */
const SMALL_HEAP = 256
const limitFigure: Figure = { name: `tasks retained until the scheduler refuses, heap of ${SMALL_HEAP} MiB`, unit: "tasks", better: "more" }

/** Keeps submitting until somebody says no. Once, for it is not a figure that varies but a behaviour. */
const limit = Effect.gen(function*() {
  const { wants } = yield* Bench
  if (!wants(limitFigure.name)) return
  yield* withCluster(zero(2, SMALL_HEAP), (cluster) => {
    const part = 10_000
    let held = 0
    const filling = Effect.gen(function*() {
      const kept: Array<unknown> = []
      while (held < 2_000_000) {
        const futures = yield* byLevels(cluster.client, map(part))
        yield* cluster.client.wait(futures)
        for (const exit of yield* cluster.client.gatherExits(futures.slice(0, 1))) if (exit._tag === "Failure") return Cause.pretty(exit.cause).split("\n")[0] ?? ""
        kept.push(futures)
        held += part
      }
      return "nothing was refused"
    })
    return Effect.gen(function*() {
      const answered = yield* Effect.exit(limited(filling))
      const died = cluster.scheduler.exited()
      const said = answered._tag === "Success" ? answered.value : Cause.pretty(answered.cause).split("\n")[0] ?? ""
      if (died !== undefined) return yield* absent(limitFigure, `the scheduler's process died (${died}) with ${held} tasks retained, and refused nothing before; the client: ${said.slice(0, 200)}`)
      yield* row({ ...limitFigure, round: Effect.succeed(held), runs: 1, processes: () => ({}), note: `one run; what was said then: ${said.slice(0, 200)}` })
    })
  }, (why) => absent(limitFigure, why))
})

const IDLE_MS = 5_000
const idleFigures = (workers: number): ReadonlyArray<Figure> => [
  { name: `scheduler's processor, ${workers} idle workers`, unit: "ms a second" },
  { name: `scheduler's resident memory, ${workers} idle workers`, unit: "MiB" },
  { name: `zero workers' processor, ${workers} idle workers`, unit: "ms a second" }
]

const idle = Effect.fnUntraced(function*(workers: number) {
  const { wants } = yield* Bench
  const figures = idleFigures(workers)
  if (!figures.some(({ name }) => wants(name))) return
  yield* withCluster(zero(workers), ({ processes, scheduler, workers: zeros }) =>
    rows({
      figures,
      warm: 1,
      processes,
      round: Effect.gen(function*() {
        const at = performance.now()
        const [before, zerosBefore] = [cpuOf(scheduler.pid) ?? NaN, cpuOf(zeros.pid) ?? NaN]
        yield* Effect.sleep(IDLE_MS)
        const seconds = (performance.now() - at) / 1_000
        return [
          ((cpuOf(scheduler.pid) ?? NaN) - before) / 1_000 / seconds,
          (rssOf(scheduler.pid) ?? NaN) / 2 ** 20,
          ((cpuOf(zeros.pid) ?? NaN) - zerosBefore) / 1_000 / seconds
        ]
      })
    }), (why) => Effect.forEach(figures, (figure) => absent(figure, why), { discard: true }))
})

export const growth = Effect.gen(function*() {
  const { wants } = yield* Bench
  for (const tasks of [100_000, 1_000_000]) {
    const figures = heapFigures(tasks)
    if (!figures.some(({ name }) => wants(name))) continue
    yield* withCluster(zero(24), (cluster) => retained(cluster, tasks), (why) => Effect.forEach(figures, (figure) => absent(figure, why), { discard: true }))
  }
  yield* limit
  yield* idle(24)
  yield* idle(1_000)
})
