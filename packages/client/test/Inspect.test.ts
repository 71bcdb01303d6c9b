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
      scheduler.workers = [{ worker: 0 as WorkerId, address: "a", name: "w", host: "h", pid: 1, status: "running", nthreads: 2, nfibers: 3, memoryLimitBytes: null, memoryBytes: 4, managedBytes: 5, processing: 6, idle: true, saturated: false, resources: { GPU: 2 }, nanny: "n", localDirectory: "/d" }]
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

  it.effect("puts long answers together from their parts, and asks for very many keys some at a time", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      scheduler.workers = ["v", "w"].map((name, worker) => ({ worker: worker as WorkerId, address: "a", name, host: "h", pid: 1, status: "running" as const, nthreads: 2, nfibers: 3, memoryLimitBytes: null, memoryBytes: 4, managedBytes: 5, processing: 6, idle: worker === 0, saturated: worker === 1, resources: {}, nanny: null, localDirectory: "/d" }))
      scheduler.tasks = ["a", "b", "c", "d", "e"].map((name, n) => ({
        key: name as Key, name, status: n < 3 ? "memory" as const : n === 3 ? "processing" as const : "waiting" as const, priority: 0,
        workers: n < 4 ? ["w"] : [], waitingOn: [], dependents: [], nbytes: n < 3 ? n : null, clients: []
      }))
      const { inspect } = client
      assert.deepStrictEqual((yield* inspect.tasks()).map(({ key }) => key), ["a", "b", "c", "d", "e"])
      const many = Array.from({ length: 1_000 }, (_, n) => `${n}-${"k".repeat(5_000)}`)
      assert.deepStrictEqual((yield* inspect.tasks([...many, "b", ...many, "e"])).map(({ key }) => key), ["b", "e"])
      assert.deepStrictEqual(yield* inspect.whoHas(), new Map([["a", ["w"]], ["b", ["w"]], ["c", ["w"]], ["d", []], ["e", []]]))
      assert.deepStrictEqual(yield* inspect.whoHas(["b"]), new Map([["b", ["w"]]]))
      assert.deepStrictEqual(yield* inspect.hasWhat, new Map([["v", []], ["w", ["a", "b", "c"]]]))
      assert.deepStrictEqual(yield* inspect.processing, new Map([["v", []], ["w", ["d"]]]))
      assert.deepStrictEqual(yield* inspect.nbytes(), new Map([["a", 0], ["b", 1], ["c", 2]]))
      assert.deepStrictEqual([yield* inspect.idle, yield* inspect.saturated], [["v"], ["w"]])
      assert.deepStrictEqual(yield* inspect.clients, [{ id: "ann-1", name: "ann", wants: 3 }])
      assert.deepStrictEqual(yield* inspect.durationsMs, new Map([["inc", 2.5]]))
      assert.deepStrictEqual(yield* inspect.scheduler, { id: "s", address: "inproc://scheduler", startedAtMs: 5, nthreads: 4, memoryLimitBytes: 100, versions: { skein: "0" } })
    }))
})

describe("explain", () => {
  it.effect("says what the scheduler says, and what this side alone knows", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const { explain } = client
      const future = yield* client.with({ key: "k" }).submit((n: number) => n, 1)
      assert.strictEqual(yield* explain(future), "\"k\" is what it is.")
      assert.strictEqual(yield* explain("other"), "\"other\" is what it is.")
      const inside = yield* client.batch((batch) => Effect.flatMap(batch.with({ key: "b" }).submit((n: number) => n, 2), explain))
      assert.strictEqual(inside, "\"b\" is in a batch that has not been sent yet.")
      yield* scheduler.fail(0, { _tag: "Conflict", heldBy: "bob" }, { key: "k", task: "" })
      yield* future.await
      assert.strictEqual(yield* explain(future), "\"k\" was refused: the key \"k\" belongs to another computation, submitted by bob.")
      const unknown = yield* client.future("nobody's")
      yield* client.inspect.counts
      yield* scheduler.fail(2, { _tag: "Unknown" }, { key: "nobody's", task: "" })
      yield* unknown.await
      assert.strictEqual(yield* explain(unknown), "\"nobody's\" is not known to the scheduler: nobody has submitted it, or all who had have released it.")
      yield* scheduler.vanish
      yield* Effect.flip(explain("k2"))
    }))
})
