/**
 * The functions of the job, as workers import them: Dask's custom-workloads
 * notebook, whose functions all sleep a random time up to a limit.
 *
 * One of each kind that a body can be: an Effect, an async function, and a
 * plain function, which a worker runs in a thread, for it blocks.
 */
import { Effect, Random } from "effect"
import { Task } from "skein"

/** n + 1, after up to `limitMs` of sleep. */
export const inc = Task.fn("inc", Effect.fnUntraced(function*(n: number, limitMs: number) {
  yield* Effect.sleep((yield* Random.next) * limitMs)
  return n + 1
}))

/** 2 n, after up to `limitMs` of sleep. */
export const double = Task.fn("double", async (n: number, limitMs: number) => {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * limitMs))
  return 2 * n
})

/** a + b, after up to `limitMs` of blocking. */
export const add = Task.fn("add", (a: number, b: number, limitMs: number) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * limitMs)
  return a + b
})
