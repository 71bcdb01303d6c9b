import { assert, describe, it } from "@effect/vitest"
import type { Key, WorkerId } from "@skein/protocol/Ids"
import { Effect, Option } from "effect"
import { fake } from "./utils/FakeScheduler.ts"

describe("inspect", () => {
  it.effect("shows workers, tasks, counts and stories as plain data", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit((n: number) => n, 1)
      const key = future.key as Key
      scheduler.workers = [{ worker: 0 as WorkerId, address: "a", name: "w", host: "h", pid: 1, status: "running", nthreads: 2, nfibers: 3, memoryLimitBytes: null, memoryBytes: 4, managedBytes: 5, processing: 6, resources: { GPU: 2 }, nanny: "n", localDirectory: "/d" }]
      scheduler.tasks = [
        { key, name: "f", status: "memory", priority: 1, workers: ["w"], waitingOn: [], dependents: [], nbytes: 8, clients: ["c"] },
        { key: "other" as Key, name: "g", status: "waiting", priority: 0, workers: [], waitingOn: [key], dependents: [], nbytes: null, clients: [] }
      ]
      assert.deepInclude((yield* client.inspect.workers)[0], { name: "w", nthreads: 2, nfibers: 3, resources: { GPU: 2 }, memoryLimitBytes: Option.none(), nanny: Option.some("n") })
      assert.deepStrictEqual((yield* client.inspect.tasks()).map(({ key, nbytes }) => [key, nbytes]), [[key, Option.some(8)], ["other", Option.none()]])
      assert.deepStrictEqual((yield* client.inspect.tasks([future])).map(({ key }) => key), [key])
      assert.strictEqual((yield* client.inspect.counts).processing, 3)
      assert.deepStrictEqual(yield* client.inspect.story(future), [`${key} was born`])
    }))
})
