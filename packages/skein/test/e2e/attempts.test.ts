/** Attempts on real processes: a worker that takes too much memory, a body that runs too long, and what bodies say meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { Client, Cluster, LocalCluster, Task, type TaskError } from "skein"
import * as tasks from "./tasks.ts"

const LIMIT = 512 * 2 ** 20
const cluster = LocalCluster.layer({ workers: 1, threadsPerWorker: 2, memoryLimit: LIMIT, tasks: new URL("./tasks.ts", import.meta.url), scheduler: { allowedFailures: 0 } })

const eats = Task.fn("eats", () => {
  console.log("eats begins")
  const eaten = []
  for (;;) eaten.push(new Uint8Array(8 * 2 ** 20).fill(1))
})
const spins = Task.fn("spins", () => {
  for (;;);
})
const inc = Task.fn("inc", (n: number) => n + 1)
const reasonOf = <A>(effect: Effect.Effect<A, unknown>) => Effect.map(Effect.flip(effect), (error) => (error as TaskError).reason)

describe("attempts", () => {
  it.live("at a task that takes more memory than its worker may end with the worker, and say why (test_worker_memory.py::test_nanny_terminate, test_nanny.py::test_restart_memory)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const [worker] = yield* client.inspect.workers
      assert.deepStrictEqual(worker?.memoryLimitBytes, Option.some(LIMIT))
      const reason = yield* reasonOf((yield* client.submit(eats)).result)
      if (reason._tag !== "KilledWorker") return assert.fail(reason._tag)
      const [attempt, ...others] = reason.attempts
      assert.deepStrictEqual(others, [])
      assert.deepInclude(attempt, { worker: "worker-0", ended: "memory-limit", detail: "exceeded 95 % of its memory limit, nanny stop", memoryLimitBytes: LIMIT })
      assert.isAbove(Option.getOrThrow(attempt!.peakMemoryBytes), 0.95 * LIMIT)
      assert.include(attempt!.logTail, "eats begins")
      assert.isAbove(attempt!.endedAtMs, attempt!.startedAtMs)
      assert.match((yield* (yield* Cluster).logs).get("cluster")!.join("\n"), /worker-0 ended: memory-limit exceeded 95 % of its memory limit, nanny stop/)

      // In the worker's next life.
      const timeout = yield* reasonOf((yield* client.with({ timeout: "200 millis", retries: 1 }).submit(spins)).result)
      if (timeout._tag !== "TaskTimeout") return assert.fail(timeout._tag)
      assert.deepStrictEqual(timeout.attempts.map(({ ended }) => ended), ["timeout", "timeout"])
      assert.strictEqual(yield* (yield* client.submit(inc, 1)).result, 2)

      const counting = yield* client.submit(tasks.countsInThread, 25)
      const words = yield* Stream.runCollect(counting.progress)
      assert.strictEqual(yield* counting.result, 25)
      assert.isAtLeast(words.length, 2)
      assert.deepStrictEqual(words.at(-1), { done: 25, total: Option.some(25), note: "step 25" })
    }).pipe(Effect.provide(cluster)), { timeout: 120_000 })
})
