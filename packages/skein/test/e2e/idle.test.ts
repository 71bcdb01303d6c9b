/** A cluster that nobody uses any more, with real processes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Client, Cluster, LocalCluster, Task } from "skein"

const inc = Task.fn("inc", (n: number) => n + 1)
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("a cluster with an idleTimeout", () => {
  it.live("ends, workers and all, though a client is connected (test_scheduler.py::test_idle_timeout)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(yield* (yield* client.submit(inc, 1)).result, 2)
      const [worker] = yield* client.inspect.workers
      const lost = yield* Effect.flip(Effect.forever(Effect.delay(client.inspect.counts, 50)))
      assert.strictEqual(lost._tag, "SchedulerLost")
      yield* Effect.repeat(Effect.delay(Effect.sync(() => isAlive(worker!.pid)), 20), { until: (alive) => !alive })
      const logs = yield* (yield* Cluster).logs
      assert.match(logs.get("scheduler")!.at(-1)!, /scheduler local-cluster ends: there was nothing to do for 3 s/)
    }).pipe(Effect.provide(LocalCluster.layer({ workers: 1, threadsPerWorker: 1, scheduler: { idleTimeout: "3 seconds" } }))), { timeout: 120_000 })
})
