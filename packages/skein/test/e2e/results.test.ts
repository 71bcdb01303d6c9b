/**
 * The right results, end to end, in every setting: real sockets, and where the
 * setting says so real processes.
 */
import { assert, describe, it, layer, type Vitest } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Option, Stream } from "effect"
import { Client, Cluster, Future, type LocalClusterOptions, LocalCluster, TaskOrigin } from "skein"
import * as tasks from "./tasks.ts"
import { settings } from "./settings.ts"

/** All of them on one cluster, which starts once. */
const results = (it: Vitest.MethodsNonLive<Client | Cluster>) => {
  const test = <A, E>(name: string, body: Effect.Effect<A, E, Client | Cluster>) => it.effect(name, () => body, STARTS_WITHIN)

  test("computes a map, a chain and a tree (test_local.py::test_simple)", Effect.gen(function*() {
    const client = yield* Client
    const numbers = Array.from({ length: 200 }, (_, i) => i)
    const mapped = yield* client.map(tasks.inc, numbers)
    assert.deepStrictEqual(yield* client.gather(mapped), numbers.map((n) => n + 1))

    let chain = yield* client.submit(tasks.inc, 0)
    for (let i = 1; i < 50; i++) chain = yield* client.submit(i % 2 === 0 ? tasks.inc : tasks.double, chain)
    let expected = 1
    for (let i = 1; i < 50; i++) expected = i % 2 === 0 ? expected + 1 : expected * 2
    assert.strictEqual(yield* chain.result, expected)

    let level: ReadonlyArray<Future<number>> = mapped.slice(0, 128)
    while (level.length > 1) {
      const next: Array<Future<number>> = []
      for (let i = 0; i < level.length; i += 2) next.push(yield* client.submit(tasks.add, level[i]!, level[i + 1]!))
      level = next
    }
    assert.strictEqual(yield* level[0]!.result, 128 * 129 / 2)
  }))

  test("takes futures at any depth of an argument", Effect.gen(function*() {
    const client = yield* Client
    const squares = yield* client.map(tasks.square, [1, 2, 3])
    assert.strictEqual(yield* (yield* client.submit(tasks.total, squares)).result, 14)
    assert.deepStrictEqual(yield* client.gather({ all: squares, one: squares[0]!, plain: "text" }), { all: [1, 4, 9], one: 1, plain: "text" })
  }))

  test("moves large values between workers and to the client", Effect.gen(function*() {
    const client = yield* Client
    const values = yield* client.map((fill: number) => new Uint8Array(300_000).fill(fill), [1, 2, 3, 4])
    const both = yield* client.submit((all: ReadonlyArray<Uint8Array>) => all.reduce((sum, one) => sum + one[0]! + one.length, 0), values)
    assert.strictEqual(yield* both.result, 1 + 2 + 3 + 4 + 4 * 300_000)
    const fetched = yield* values[2]!.result
    assert.strictEqual(fetched.length, 300_000)
    assert.strictEqual(fetched.every((byte) => byte === 3), true)
  }))

  test("hands over small arrays of bytes and numbers as they are, each in memory of its own", Effect.gen(function*() {
    const client = yield* Client
    const made = yield* client.map((n: number) => ({ bytes: new Uint8Array([n, 8, 9]), numbers: new Float64Array([n / 2]) }), [1, 2])
    const [one, two] = yield* client.gather(made)
    assert.deepStrictEqual([one, two], [
      { bytes: new Uint8Array([1, 8, 9]), numbers: new Float64Array([0.5]) },
      { bytes: new Uint8Array([2, 8, 9]), numbers: new Float64Array([1]) }
    ])
    assert.strictEqual(one!.bytes.buffer.byteLength, 3)
    const back = yield* client.submit((value: { readonly bytes: Uint8Array }) => [...value.bytes], made[0]!)
    assert.deepStrictEqual(yield* back.result, [1, 8, 9])
  }))

  test("uses values of the program's own that were scattered", Effect.gen(function*() {
    const client = yield* Client
    const { all, one } = yield* client.scatterAll({ all: new Uint8Array(300_000).fill(2), one: { n: 3n } })
    const used = yield* client.submit((bytes: Uint8Array, value: { readonly n: bigint }) => BigInt(bytes.length + bytes[299_999]!) + value.n, all, one)
    assert.strictEqual(yield* used.result, 300_005n)
  }))

  test("carries a typed error to every dependent, with where it was raised", Effect.gen(function*() {
    const client = yield* Client
    const text = yield* client.submit(tasks.fetchText, "")
    const length = yield* client.submit(tasks.lengthOf, text)
    const doubled = yield* client.submit(tasks.double, length)
    const exit = yield* Effect.exit(doubled.result)
    assert(Exit.isFailure(exit))
    const origin = Context.getOption(Cause.annotations(exit.cause), TaskOrigin)
    assert(Option.isSome(origin))
    assert.strictEqual(origin.value.task, "fetchText")
    assert.strictEqual(origin.value.key, text.key)
    const handled = yield* doubled.result.pipe(Effect.catchTag("NotFound", (error) => Effect.succeed(`nothing at "${error.url}"`)))
    assert.strictEqual(handled, "nothing at \"\"")
    const defect = yield* Effect.flip((yield* client.submit(tasks.throws, "boom")).result)
    assert.strictEqual(defect.reason._tag, "TaskDefect")
    assert.include(defect.message, "boom")
    // The others are none the worse.
    assert.strictEqual(yield* (yield* client.submit(tasks.lengthOf, "abc")).result, 3)
  }))

  test("runs contracts, whose payload, success and error are schemas", Effect.gen(function*() {
    const client = yield* Client
    const when = new Date(Date.UTC(2020, 1, 2))
    assert.deepStrictEqual(yield* Future.run(client.submit(tasks.Resize, { width: 3, when })), { area: 9, year: 2020 })
    const error = yield* Effect.flip(Future.run(client.submit(tasks.Resize, { width: 0, when })))
    assert(error instanceof tasks.TooSmall)
    assert.strictEqual(error.width, 0)
  }))

  test("hands futures over in the order in which they complete", Effect.gen(function*() {
    const client = yield* Client
    const futures = [yield* client.submit(tasks.later, 1, 300), yield* client.submit(tasks.later, 2, 1)]
    const order = yield* client.results(futures).pipe(Stream.map(({ exit }) => Exit.isSuccess(exit) ? exit.value : NaN), Stream.runCollect)
    assert.deepStrictEqual([...order], [2, 1])
  }))

  test("interrupts a running Effect, and lets its key be tried again", Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.submit(tasks.interruptible, "one")
    yield* awaitProcessing(client, 1)
    assert.strictEqual(yield* future.cancel({ note: "superseded" }), "cancelled")
    const error = yield* Effect.flip(future.result)
    assert.strictEqual(error.reason._tag, "TaskCancelled")
    assert.include(error.message, "superseded")
    assert.strictEqual(yield* future.status, "cancelled")
    assert.strictEqual((yield* client.inspect.counts).processing, 0)
    yield* future.retry
    yield* awaitProcessing(client, 1)
    assert.strictEqual(yield* future.cancel(), "cancelled")
  }))
}

/** All of a cluster's life: what was submitted is gone, and so is the cluster. */
const lifetime = (options: LocalClusterOptions) =>
  it.live("forgets what is released: the counters return to zero", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const futures = yield* client.map(tasks.inc, Array.from({ length: 300 }, (_, i) => i))
      yield* client.wait(futures)
      assert.strictEqual((yield* client.inspect.counts).memory, 300)
      yield* Effect.forEach(futures, (future) => future.release, { discard: true })
      assert.deepStrictEqual(yield* client.inspect.counts, zero)
    }).pipe(Effect.provide(LocalCluster.layer(options))), STARTS_WITHIN)

const zero = { released: 0, waiting: 0, noWorker: 0, queued: 0, processing: 0, memory: 0, erred: 0 }

/** Until so many tasks are on workers. What is asked is answered after what was told, so the loop is short. */
const awaitProcessing = (client: Client["Service"], count: number) =>
  client.inspect.counts.pipe(Effect.repeat({ until: ({ processing }) => processing >= count }))

/** Processes start while other tests have the cores; milliseconds. */
const STARTS_WITHIN = 30_000

for (const { name, options } of settings) {
  layer(LocalCluster.layer(options), { excludeTestServices: true, timeout: STARTS_WITHIN })(`a local cluster of ${name}`, results)
  describe(`the life of a local cluster of ${name}`, () => lifetime(options))
}
