/**
 * How soon something happens when there is very much to do: the first task of
 * 100 K runs, 100 K queued tasks are cancelled.
 *
 * The items of one `client.map` start as they come; with `batchSize` each batch
 * starts when it is complete. So the first task's time is given from the call,
 * in both ways, and from the moment in which the call has returned, when all is
 * submitted.
 *
 * The scheduler has forgotten a round's tasks long before the workers have dropped
 * their results. A round begins when they have; what the dropping costs the next
 * tasks, if they are submitted at once, has a row of its own.
 */
import { Effect } from "effect"
import { type Future } from "skein"
import { Bench } from "../harness/Bench.ts"
import { type Real, real, withCluster } from "../harness/clusters.ts"
import { absent, duration, type Figure, row, rows, untilIdle } from "../harness/measure.ts"
import { release, salts } from "../submitting.ts"
import * as tasks from "../tasks.ts"

const N = 100_000
const BATCH = 1_000

const firstFigures: ReadonlyArray<Figure> = [
  { name: "first of 100K tasks runs, after the call of map has returned", unit: "ms" },
  { name: "first of 100K tasks runs, after the call of map", unit: "ms" },
  { name: "submission of 100K tasks: map returns after", unit: "ms" }
]
const hurriedFigure: Figure = { name: "first of 100K tasks runs, after the call of map, while 100K results are dropped", unit: "ms" }
const batchedFigure: Figure = { name: `first of 100K tasks runs, map in batches of ${BATCH}, after the call`, unit: "ms" }
const cancelFigure: Figure = { name: "100K queued tasks cancelled", unit: "ms" }

const since1970 = () => performance.timeOrigin + performance.now()

const firstTask = ({ client, processes }: Real) => {
  let futures: ReadonlyArray<Future<number, unknown>> = []
  const submitted = Effect.fnUntraced(function*(options: { readonly batchSize?: number }) {
    const first = salts(N)
    // Before the clock runs: a program has its items.
    const items = Array.from({ length: N }, (_, n) => first + n)
    const called = since1970()
    futures = yield* client.map(tasks.stamp, items, options)
    const returned = since1970()
    const stamps = yield* client.gather(futures)
    const ran = stamps.reduce((least, stamp) => Math.min(least, stamp), Infinity)
    return { called, returned, ran }
  })
  const tidyAtOnce = Effect.suspend(() => release(client, futures))
  const tidy = Effect.andThen(tidyAtOnce, untilIdle(processes))
  const fromCall = (options: { readonly batchSize?: number }) => Effect.map(submitted(options), ({ called, ran }) => ran - called)
  return Effect.all([
    rows({
      figures: firstFigures,
      warm: 1,
      processes,
      work: N,
      per: "task",
      round: Effect.map(submitted({}), ({ called, ran, returned }) => [Math.max(0, ran - returned), ran - called, returned - called]),
      tidy
    }),
    row({ ...batchedFigure, processes, work: N, per: "task", round: fromCall({ batchSize: BATCH }), tidy }),
    row({ ...hurriedFigure, warm: 1, processes, work: N, per: "task", round: fromCall({}), tidy: tidyAtOnce })
  ], { discard: true })
}

const cancelled = ({ client, processes }: Real) => {
  let futures: ReadonlyArray<Future<number, unknown>> = []
  return row({
    ...cancelFigure,
    warm: 1,
    processes,
    work: N,
    per: "task",
    round: Effect.gen(function*() {
      const first = salts(N)
      futures = yield* client.map(tasks.sleep, Array.from({ length: N }, (_, n): ReadonlyArray<number> => [60_000, first + n]))
      // Once the scheduler has answered, it knows of all of them.
      yield* Effect.repeat(client.inspect.counts, { until: ({ processing, queued }) => processing + queued === N })
      return yield* duration(client.cancel(futures))
    }),
    tidy: Effect.suspend(() => release(client, futures)),
    note: "from the call until nothing of them runs any more and the client knows"
  })
}

const all = [...firstFigures, batchedFigure, hurriedFigure, cancelFigure]

export const responsiveness = Effect.gen(function*() {
  const { wants } = yield* Bench
  if (!all.some(({ name }) => wants(name))) return
  yield* withCluster(
    real({ workers: 2, threadsPerWorker: 1, fibersPerWorker: 1 }),
    (cluster) => Effect.andThen(firstTask(cluster), cancelled(cluster)),
    (why) => Effect.forEach(all, (figure) => absent(figure, why), { discard: true })
  )
})
