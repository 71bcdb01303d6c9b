/**
 * Where tasks may run, on a real cluster: what its workers offer, who is meant,
 * and what becomes of what nobody can run.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client"
import { LocalCluster } from "@skein/cluster"
import { Effect } from "effect"

const WITHIN = 60_000

/** How many run at the same time; bodies of a cluster of fibers share this process. */
const onGpu = async () => {
  const seen = ((globalThis as { skeinTestGpus?: { now: number; most: number } }).skeinTestGpus ??= { now: 0, most: 0 })
  seen.most = Math.max(seen.most, ++seen.now)
  await new Promise((resolve) => setTimeout(resolve, 5))
  seen.now--
  return seen.most
}
const inc = async (n: number) => n + 1

describe("placing on a cluster", () => {
  it.live("as fibers: GPUs are shared out, names, addresses and hosts are kept to, and what nobody offers fails (test_resources.py::test_resource_submit, test_client.py::test_restrictions_submit, ::test_annotations_workers, ::test_annotations_resources)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const whereIs = (key: string) => Effect.map(client.inspect.tasks([key]), (tasks) => tasks[0]?.workers)

      const most = yield* client.gather(yield* client.with({ resources: { GPU: 1 }, pure: false }).map(onGpu, Array.from({ length: 10 })))
      assert.strictEqual(Math.max(...most), 2)

      const workers = yield* client.inspect.workers
      assert.deepStrictEqual(workers.map(({ resources }) => resources), [{ GPU: 1 }, { GPU: 1 }])
      const [first, second] = workers
      const named = yield* client.with({ workers: [second!.name] }).map(inc, [1, 2, 3])
      const addressed = yield* client.with({ workers: [first!.address], span: "nightly", annotations: { ticket: 7n } }).submit(inc, 10)
      const hosted = yield* client.with({ workers: [first!.host] }).submit(inc, 20)
      assert.deepStrictEqual(yield* client.gather([...named, addressed, hosted]), [2, 3, 4, 11, 21])
      for (const { key } of named) assert.deepStrictEqual(yield* whereIs(key), [second!.name])
      assert.deepStrictEqual(yield* whereIs(addressed.key), [first!.name])
      const [shown] = yield* client.inspect.tasks([addressed])
      assert.deepInclude(shown, { span: "nightly", annotations: { ticket: 7n } })

      const wish = yield* client.with({ workers: ["nobody"], allowOtherWorkers: true }).submit(inc, 30)
      assert.strictEqual(yield* wish.result, 31)
      const lacking = yield* client.with({ resources: { GPU: 2 } }).submit(inc, 40)
      const after = yield* client.submit(inc, lacking)
      for (const future of [lacking, after]) {
        const error = yield* Effect.flip(future.result)
        assert.deepInclude(error, { _tag: "TaskError", code: "SKEIN3001" })
        assert.deepInclude(error.reason, { _tag: "NoEligibleWorker", wanted: "{ GPU: 2 }", offers: ["worker-0 { GPU: 1 }", "worker-1 { GPU: 1 }"] })
      }
    }).pipe(Effect.provide(LocalCluster.layer({
      processes: false,
      workers: 2,
      threadsPerWorker: 2,
      resources: { GPU: 1 },
      scheduler: { noWorkersTimeout: "100 millis" }
    }))), WITHIN)
})
