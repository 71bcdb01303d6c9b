/**
 * A program's own values on workers, through the whole cluster.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Client, Cluster, Future, LocalCluster } from "skein"

/** Milliseconds: other tests have the cores, too. */
const WITHIN = 60_000

const holders = Effect.fnUntraced(function*(...futures: ReadonlyArray<Future<unknown>>) {
  const client = yield* Client
  const tasks = yield* client.inspect.tasks(futures)
  return futures.map(({ key }) => tasks.find((task) => task.key === key)?.workers.length ?? 0)
})

layer(LocalCluster.layer({ workers: 2, threadsPerWorker: 1, processes: false }), { excludeTestServices: true, timeout: WITHIN })("scatter", (it) => {
  const test = <A, E>(name: string, body: Effect.Effect<A, E, Client | Cluster>) => it.effect(name, () => body, WITHIN)

  test("sends a value to a worker, for tasks that use it (test_client.py::test_scatter)", Effect.gen(function*() {
    const client = yield* Client
    const data = yield* client.scatter({ rows: [1, 2, 3], table: new Float64Array([1.5, 2.5]) })
    assert.strictEqual(yield* data.status, "finished")
    assert.deepStrictEqual(yield* holders(data), [1])
    const sum = yield* client.submit((value: { rows: ReadonlyArray<number>; table: Float64Array }) => value.rows.length + value.table[1]!, data)
    assert.strictEqual(yield* sum.result, 5.5)
    assert.deepStrictEqual(yield* data.result, { rows: [1, 2, 3], table: new Float64Array([1.5, 2.5]) })
    const [task] = yield* client.inspect.tasks([data])
    assert.deepStrictEqual([task?.name, task?.status], ["data", "memory"])
    yield* data.release
    yield* sum.release
    assert.strictEqual((yield* client.inspect.counts).memory, 0)
  }))

  test("keeps the shape of lists, iterables and records (test_client.py::test_scatter_types)", Effect.gen(function*() {
    const client = yield* Client
    const list = yield* client.scatterAll([10, "b"])
    const set = yield* client.scatterAll(new Set([1, 2]))
    const record = yield* client.scatterAll({ left: new Float64Array([1]), right: 2n })
    assert.deepStrictEqual(yield* client.gather([list, set, record]), [[10, "b"], [1, 2], { left: new Float64Array([1]), right: 2n }])
  }))

  test("deals values out to the workers (test_client.py::test_scatter_tokenize_local)", Effect.gen(function*() {
    const client = yield* Client
    const futures = yield* client.scatterAll(Array.from({ length: 10 }, (_, i) => new Uint8Array(50_000).fill(i)), { hash: false })
    const tasks = yield* client.inspect.tasks(futures)
    const first = tasks.filter(({ workers }) => workers[0] === tasks[0]!.workers[0]).length
    assert.strictEqual(first, 5)
    assert.strictEqual(new Set(futures.map(({ key }) => key)).size, 10)
  }))

  test("equal values are one key, and one with hash: false is its own (test_client.py::test_scatter_hash)", Effect.gen(function*() {
    const client = yield* Client
    const [a, b, c, d] = [yield* client.scatter(1), yield* client.scatter(1), yield* client.scatter(1, { hash: false }), yield* client.scatter(1, { hash: false })]
    assert.strictEqual(a.key, b.key)
    assert.strictEqual(new Set([a.key, c.key, d.key]).size, 3)
    assert.notStrictEqual((yield* client.scatter(new Map([["k", 1]]))).key, (yield* client.scatter(new Map([["k", 2]]))).key)
  }))

  test("keys begin with the kind of the value (test_client.py::test_scatter_typename)", Effect.gen(function*() {
    const client = yield* Client
    const kinds = yield* Effect.forEach([1, "a", null, [1], { a: 1 }, new Float64Array(1), new Map()], (value) => client.scatter(value))
    assert.deepStrictEqual(kinds.map(({ key }) => key.slice(0, key.indexOf("-"))), ["number", "string", "null", "Array", "Object", "Float64Array", "Map"])
  }))

  test("broadcast sends it to all workers, what is there already too (test_client.py::test_scatter_direct_broadcast)", Effect.gen(function*() {
    const client = yield* Client
    const one = yield* client.scatter(new Uint8Array(200_000).fill(7))
    const all = yield* client.scatter("to everybody", { broadcast: true })
    assert.deepStrictEqual(yield* holders(one, all), [1, 2])
    yield* client.scatter(new Uint8Array(200_000).fill(7), { broadcast: true })
    assert.deepStrictEqual(yield* holders(one), [2])
  }))

  test("goes to the workers that are named, and waits for one (test_client.py::test_scatter_direct_broadcast_target)", Effect.gen(function*() {
    const client = yield* Client
    const [first, second] = yield* client.inspect.workers
    const there = yield* client.scatterAll(["x", "y", "z"], { workers: [second!.name] })
    const tasks = yield* client.inspect.tasks(there)
    assert.deepStrictEqual(tasks.map(({ workers }) => workers), there.map(() => [second!.name]))
    const nowhere = yield* Effect.forkChild(client.scatter("nowhere", { workers: ["nobody"] }), { startImmediately: true })
    // The scheduler has heard of it when it answers what was asked afterwards.
    assert.strictEqual((yield* client.inspect.counts).released, 1)
    yield* Fiber.interrupt(nowhere)
    assert.strictEqual((yield* client.inspect.counts).released, 0)
    assert.notStrictEqual(first!.name, second!.name)
  }))

  test("large values go in pieces, and arrive whole", Effect.gen(function*() {
    const client = yield* Client
    const value = new Float64Array(1_300_000).map((_, i) => i)
    const data = yield* client.scatter(value)
    const last = yield* client.submit((xs: Float64Array) => [xs.length, xs[1_299_999]!, xs[131_072]!], data)
    assert.deepStrictEqual(yield* last.result, [1_300_000, 1_299_999, 131_072])
    assert.deepStrictEqual(yield* data.result, value)
  }))

  test("what cannot travel is refused, with the path to it, and nothing is left of the others", Effect.gen(function*() {
    const client = yield* Client
    const before = yield* client.inspect.counts
    const error = yield* Effect.flip(client.scatterAll({ good: 1234, bad: { f: () => 1 } }))
    assert.strictEqual(error.reason._tag === "PayloadInvalid" && error.reason.path.join(), "bad,f")
    assert.deepStrictEqual(yield* client.inspect.counts, before)
    const option = yield* Effect.flip(client.scatter(1, { broadcsat: true } as never))
    assert.include(option.message, "did you mean `broadcast`?")
  }))

  test("scattered data whose workers are gone is lost, and what needs it fails so, until it is scattered again (test_client.py::test_lose_scattered_data)", Effect.gen(function*() {
    const client = yield* Client
    const cluster = yield* Cluster
    const data = yield* client.scatter("precious")
    const used = yield* client.submit((text: string) => text.length, data)
    assert.strictEqual(yield* used.result, 8)
    yield* cluster.scale(0)
    yield* client.inspect.workers.pipe(Effect.repeat({ until: (workers) => workers.length === 0 }))
    const exit = yield* Effect.exit(data.result)
    assert.isTrue(Exit.isFailure(exit))
    assert.strictEqual(yield* data.status, "lost")
    const error = yield* Effect.flip(used.result)
    assert.strictEqual(
      error.message,
      `SKEIN3006 ${data.key} was data, not computed by a task, and the last worker that held it is gone\n` +
        "  fix  scatter it again, and what failed for want of it goes on: `client.scatter(value)`"
    )
    yield* cluster.scale(1)
    const again = yield* client.scatter("precious")
    assert.strictEqual(again.key, data.key)
    assert.strictEqual(yield* used.result, 8)
  }))
})
