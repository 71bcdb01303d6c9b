/**
 * Pools of threads of this machine, which have no scheduler, no futures and no
 * other process: as fast as handing a plain function to a thread gets with them.
 */
import { Effect } from "effect"
import { Piscina } from "piscina"
import { fileURLToPath } from "node:url"
import workerpool from "workerpool"
import { Bench } from "../harness/Bench.ts"
import { percentile } from "../harness/figures.ts"
import { duration, type Figure, row } from "../harness/measure.ts"

const N = 10_000
const TRIPS = 2_000

/** Calls a function in some thread. */
interface Pool {
  readonly call: (n: number) => PromiseLike<unknown>
  readonly close: () => PromiseLike<unknown>
}

const file = (name: string) => fileURLToPath(new URL(`../pools/${name}`, import.meta.url))

const piscina = (): Pool => {
  const pool = new Piscina({ filename: file("piscinaTask.js"), minThreads: 2, maxThreads: 2 })
  return { call: (n) => pool.run(n), close: () => pool.destroy() }
}
const workers = (): Pool => {
  const pool = workerpool.pool(file("workerpoolTask.js"), { minWorkers: 2, maxWorkers: 2, workerType: "thread" })
  return { call: (n) => pool.exec("inc", [n]), close: async () => {
    await pool.terminate()
  } }
}

const measure = (name: string, open: () => Pool) =>
  Effect.scoped(Effect.gen(function*() {
    const { wants } = yield* Bench
    const mapFigure: Figure = { name: `${name}, map 10K, no-op, 2 threads, warm`, unit: "µs a task" }
    const tripFigure: Figure = { name: `${name}, call → result, back to back, p50`, unit: "ms" }
    if (![mapFigure, tripFigure].some(({ name }) => wants(name))) return
    const pool = yield* Effect.acquireRelease(Effect.sync(open), (pool) => Effect.promise(() => Promise.resolve(pool.close())))
    yield* row({
      ...mapFigure,
      warm: 5,
      work: N,
      per: "task",
      round: Effect.map(duration(Effect.promise(() => Promise.all(Array.from({ length: N }, (_, n) => pool.call(n))))), (ms) => ms * 1_000 / N)
    })
    yield* row({
      ...tripFigure,
      warm: 1,
      work: TRIPS,
      per: "trip",
      round: Effect.promise(async () => {
        const taken: Array<number> = []
        for (let n = 0; n < TRIPS; n++) {
          const since = performance.now()
          await pool.call(n)
          taken.push(performance.now() - since)
        }
        return percentile(taken, 0.5)
      })
    })
  }))

export const pools = Effect.andThen(measure("piscina", piscina), measure("workerpool", workers))
