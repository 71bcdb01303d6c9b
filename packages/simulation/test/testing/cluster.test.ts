/**
 * What is done to a whole cluster, on a simulated one.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Client } from "@skein/client/Client"
import { it } from "@skein/simulation/testing/it"
import * as tasks from "./tasks.ts"

describe("a simulated cluster", () => {
  it.sim("begins anew when it is restarted, also while its workers die, and computes what is submitted then", () => Effect.gen(function*() {
    const client = yield* Client
    const before = yield* client.map(tasks.load, [1, 2, 3, 4, 5, 6])
    yield* (before[0]!).await
    yield* client.cluster.restart
    assert.deepStrictEqual(yield* Effect.forEach(before, ({ status }) => status), before.map(() => "cancelled" as const))
    assert.isAtLeast((yield* client.inspect.workers).length, 1)
    const after = yield* client.map(tasks.sum, [[1, 2], [3, 4]])
    assert.deepStrictEqual(yield* client.gather(after), [3, 7])
  }), { workers: 2, faults: { workerCrash: 20, connectionLoss: 20 }, seeds: 3, seed: 1 })

  it.sim("has more clients, which share keys with the first", () => Effect.gen(function*() {
    const first = yield* Client
    const key = (yield* first.submit(tasks.sum, [1, 2])).key
    yield* Effect.gen(function*() {
      const second = yield* Client
      assert.notStrictEqual(second.id, first.id)
      const again = yield* second.submit(tasks.sum, [1, 2])
      assert.deepStrictEqual([again.key, yield* again.result], [key, 3])
    }).pipe(Effect.provide(Client.layerCluster))
  }), { workers: 1, seeds: 2, seed: 1 })

  it.sim("is gone after its shutdown, and says so to who waits", () => Effect.gen(function*() {
    const client = yield* Client
    const logs = yield* client.cluster.logs
    assert.deepStrictEqual([...logs.keys()], ["cluster", "scheduler", "worker-0"])
    yield* client.cluster.shutdown
    assert.strictEqual((yield* Effect.flip(client.inspect.counts))._tag, "SchedulerLost")
  }), { workers: 1, seeds: 2, seed: 1 })
})
