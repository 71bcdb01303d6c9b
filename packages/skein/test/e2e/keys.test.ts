/**
 * Keys and who holds them, end to end: batches, keys by name, tasks that nobody
 * holds, and what is said about all of them. One cluster of fibers, two clients.
 */
import { assert, layer, type Vitest } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { Client, type Cluster, Future, LocalCluster } from "skein"
import * as tasks from "./tasks.ts"

/** What the scheduler, which shares this process, has logged. */
const logged: Array<string> = []
const logger = Logger.make(({ message }) => void logged.push(String(message)))

const cluster = LocalCluster.layer({ workers: 2, threadsPerWorker: 1, processes: false, tasks: new URL("./tasks.ts", import.meta.url) }).pipe(
  Layer.provide(Logger.layer([logger]))
)
const WITHIN = 30_000

/** Once it is so. */
const until = <A, E, R>(look: Effect.Effect<A, E, R>, is: (value: A) => boolean) => Effect.timeout(Effect.repeat(look, { until: is }), "20 seconds")
const nothingLeft = Effect.flatMap(Client, ({ inspect }) => until(inspect.counts, (counts) => Object.values(counts).every((count) => count === 0)))
/** Another client of the same cluster, for a while. */
const another = <A, E>(use: (client: Client["Service"]) => Effect.Effect<A, E, Client | Cluster>) =>
  Effect.provide(Effect.flatMap(Client, use), Client.layerCluster)

const keys = (it: Vitest.MethodsNonLive<Client | Cluster>) => {
  const test = <A, E>(name: string, body: (client: Client["Service"]) => Effect.Effect<A, E, Client | Cluster>) =>
    it.effect(name, () => Effect.andThen(Effect.scoped(Effect.flatMap(Client, ({ scoped }) => Effect.flatMap(scoped, body))), nothingLeft), WITHIN)

  test("a batch is one graph, though it takes several messages", (client) => Effect.gen(function*() {
    // 48 KiB each: three messages.
    const sum = yield* client.batch((batch) => Effect.gen(function*() {
      let level: ReadonlyArray<Future<number>> = yield* batch.map(tasks.lengthOf, Array.from({ length: 64 }, (_, n) => `${n}`.padEnd(48 << 10)))
      while (level.length > 1) level = yield* batch.mapArgs(tasks.add, Array.from({ length: level.length / 2 }, (_, n) => [level[2 * n]!, level[2 * n + 1]!]))
      return level[0]!
    }))
    assert.strictEqual(yield* sum.result, 64 * (48 << 10))
  }))

  test("a key that another client holds outlives that client (test_client.py::test_two_consecutive_clients_share_results)", (client) => Effect.gen(function*() {
    const theirs = yield* another((other) => Effect.gen(function*() {
      const future = yield* other.with({ key: "shared" }).submit(tasks.point, 1, 2)
      yield* future.await
      const theirs = yield* client.future("shared", tasks.Point)
      yield* theirs.await
      return theirs
    }))
    const point = yield* theirs.result
    assert(point instanceof tasks.Point)
    assert.strictEqual(point.x + point.y, 3)
    const [info] = yield* client.inspect.tasks([theirs])
    assert.lengthOf(info!.clients, 1)
  }))

  test("a key is computed once for two clients, and kept until the last lets go (test_client.py::test_multi_client)", (client) => Effect.gen(function*() {
    const own = yield* client.submit(tasks.inc, 41)
    yield* own.await
    yield* another((other) => Effect.gen(function*() {
      const same = yield* other.submit(tasks.inc, 41)
      assert.strictEqual(same.key, own.key)
      assert.strictEqual(yield* same.result, 42)
      assert.lengthOf((yield* client.inspect.tasks([own]))[0]!.clients, 2)
      yield* own.release
      assert.strictEqual(yield* same.status, "finished")
      assert.lengthOf(yield* until(client.inspect.tasks([same]), ([info]) => info?.clients.length === 1), 1)
    }))
  }))

  test("of a key that nobody knows the future is lost", (client) => Effect.gen(function*() {
    const future = yield* client.future("nobody's", Schema.Number)
    const error = yield* Effect.flip(future.result)
    assert.strictEqual(error.reason._tag, "DataLost")
    assert.strictEqual(yield* future.status, "lost")
    const own = yield* client.with({ key: "nobody's" }).submit(tasks.inc, 1)
    assert.strictEqual(yield* own.result, 2)
    assert.strictEqual(yield* future.result, 2)
  }))

  test("another computation under a key that a client holds is refused, to others at the future", (client) => Effect.gen(function*() {
    const own = yield* client.with({ key: "mine" }).submit(tasks.inc, 1)
    assert.strictEqual((yield* Effect.flip(client.with({ key: "mine" }).submit(tasks.inc, 2))).reason._tag, "KeyConflict")
    yield* another((other) => Effect.gen(function*() {
      const theirs = yield* other.with({ key: "mine" }).submit(tasks.inc, 2)
      const error = yield* Effect.flip(theirs.result)
      assert.strictEqual(error.reason._tag, "KeyConflict")
      assert.include(yield* other.explain(theirs), "\"mine\" was refused: the key \"mine\" belongs to another computation, submitted by ")
    }))
    assert.strictEqual(yield* own.result, 2)
  }))

  test("a task is done though nobody holds it, and nothing is left of it (test_client.py::test_fire_and_forget)", (client) => Effect.gen(function*() {
    const before = (yield* client.inspect.durationsMs).get("once")
    assert.isUndefined(before)
    const future = yield* client.submit(tasks.once, 1)
    yield* client.fireAndForget(future)
    yield* future.release
    // Somebody has finished one.
    yield* until(client.inspect.durationsMs, (durations) => durations.has("once"))
  }))

  test("one that fails is told of in the log (test_client.py::test_fire_and_forget_err)", (client) => Effect.gen(function*() {
    const future = yield* client.with({ key: "doomed" }).submit(tasks.throws, "boom")
    const dependent = yield* client.with({ key: "after" }).submit(tasks.inc, future as unknown as Future<number>)
    yield* client.fireAndForget(dependent)
    yield* Effect.all([future.release, dependent.release])
    const line = yield* until(Effect.sync(() => logged.find((line) => line.startsWith("fire and forget: "))), (line) => line !== undefined)
    assert.match(line!, /^fire and forget: "after" failed because "doomed" threw on worker-\d: TypeError: boom$/)
  }))

  test("a released key that is submitted again is computed again (test_client.py::test_recompute_released_key)", (client) => Effect.gen(function*() {
    const first = yield* client.submit(tasks.inc, 100)
    assert.strictEqual(yield* first.result, 101)
    yield* first.release
    yield* until(client.inspect.tasks([first.key]), (known) => known.length === 0)
    const again = yield* client.submit(tasks.inc, 100)
    assert.strictEqual(again.key, first.key)
    assert.strictEqual(yield* again.result, 101)
  }))

  test("what was needed on the way is gone when the result is had (test_client.py::test_get_releases_data)", (client) => Effect.gen(function*() {
    const sum = yield* client.batch((batch) => Effect.gen(function*() {
      const parts = yield* batch.map(tasks.inc, [1, 2, 3])
      const sum = yield* batch.submit(tasks.total, parts)
      yield* Effect.forEach(parts, ({ release }) => release)
      return sum
    }))
    assert.strictEqual(yield* sum.result, 9)
    yield* until(client.inspect.nbytes(), (nbytes) => nbytes.size === 1 && nbytes.has(sum.key))
  }))

  test("everything that the scheduler knows can be seen", (client) => Effect.gen(function*() {
    const { inspect } = client
    const x = yield* client.with({ key: "x" }).submit(tasks.inc, 1)
    yield* x.await
    const about = yield* inspect.scheduler
    assert.deepInclude(about, { address: client.address, nthreads: 2 })
    assert.isNumber(about.startedAtMs)
    assert.containsAllKeys(about.versions, ["skein", "protocol", "node"])
    const [worker] = (yield* inspect.whoHas([x])).get("x")!
    assert.deepStrictEqual((yield* inspect.hasWhat).get(worker!), ["x"])
    assert.isAbove((yield* inspect.nbytes(["x"])).get("x")!, 0)
    assert.isTrue([...(yield* inspect.processing).values()].every((processing) => processing.length === 0))
    assert.deepStrictEqual([...(yield* inspect.idle)].sort(), ["worker-0", "worker-1"])
    assert.deepStrictEqual(yield* inspect.saturated, [])
    assert.isAbove((yield* inspect.durationsMs).get("inc")!, 0)
    const mine = (yield* inspect.clients).find(({ id }) => id === client.id)
    assert.strictEqual(mine?.wants, 1)
  }))

  test("what a task does is explained, whatever it does", (client) => Effect.gen(function*() {
    const x = yield* client.with({ key: "x" }).submit(tasks.inc, 1)
    yield* x.await
    assert.match(yield* client.explain(x), /^"x" is done: its result of \d+ bytes is in memory on worker-\d\.$/)
    const bad = yield* client.with({ key: "bad" }).submit(tasks.fetchText, "")
    const worse = yield* client.with({ key: "worse" }).submit(tasks.lengthOf, bad)
    yield* worse.await
    assert.strictEqual(yield* client.explain(worse), "\"worse\" failed because \"bad\" failed with NotFound.")
    const slow = yield* client.with({ key: "slow" }).submit(tasks.later, 1, 60_000)
    const waiting = yield* client.with({ key: "waiting" }).submit(tasks.inc, slow)
    yield* until(client.inspect.tasks([slow]), ([info]) => info?.status === "processing")
    assert.match(yield* client.explain("slow"), /^"slow" has been running on worker-\d for [\d.]+ m?s\.$/)
    assert.match(yield* client.explain(waiting), /^"waiting" waits for 1 of its 1 input: "slow" \(with worker-\d for [\d.]+ m?s\)\.$/)
    assert.strictEqual(yield* slow.cancel({ note: "too slow" }), "cancelled")
    assert.match(yield* client.explain(slow), /^"slow" was cancelled by ".+", who said: too slow\.$/)
    assert.strictEqual(yield* client.explain("nothing"), "\"nothing\" is not known: nobody has submitted it, or all who had have released it.")
  }))

  test("cancelling says what became of it: what others want goes on, and what is done is done", (client) => Effect.gen(function*() {
    const slow = yield* client.submit(tasks.later, 2, 60_000)
    const done = yield* client.submit(tasks.inc, 5)
    yield* done.await
    assert.strictEqual(yield* done.cancel(), "already-done")
    yield* another((other) => Effect.gen(function*() {
      const same = yield* other.submit(tasks.later, 2, 60_000)
      yield* until(client.inspect.tasks([slow]), ([info]) => info?.clients.length === 2)
      assert.strictEqual(yield* slow.cancel(), "shared")
      assert.strictEqual(yield* slow.cancel({ force: true }), "cancelled")
      assert.strictEqual((yield* Effect.flip(same.result)).reason._tag, "TaskCancelled")
      const statuses = yield* Effect.forkChild(Stream.runCollect(Stream.take(same.changes, 2)), { startImmediately: true })
      yield* same.retry
      assert.deepStrictEqual(yield* Fiber.join(statuses), ["cancelled", "pending"])
    }))
  }))

  test("a stream is mapped in its order, a bounded number at a time", (client) => Effect.gen(function*() {
    const results = yield* Stream.runCollect(client.mapStream(tasks.inc, Stream.range(1, 200), { window: 8 }))
    assert.deepStrictEqual(results, Array.from({ length: 200 }, (_, n) => n + 2))
    const failed = yield* Effect.flip(Stream.runDrain(client.mapStream(tasks.fetchText, Stream.make("a", "", "b"))))
    assert.strictEqual(failed._tag, "NotFound")
  }))
}

layer(cluster, { timeout: WITHIN })("keys", keys)
