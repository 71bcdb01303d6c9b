/**
 * What Dask's tests of its client say, said of ours: black boxes on one cluster
 * of two workers, as those are. Named after them, and entered in TABLE.md.
 */
import { assert, layer, type Vitest } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, type Scope, Stream } from "effect"
import { Client, type Cluster, Future, LocalCluster, type SubmitError, TaskOrigin } from "skein"
import * as tasks from "./tasks.ts"

const cluster = LocalCluster.layer({
  workers: 2,
  threadsPerWorker: 1,
  processes: false,
  resources: { GPU: 1 },
  tasks: new URL("./tasks.ts", import.meta.url)
})

/** Milliseconds, on a machine that has other things to do. */
const WITHIN = 30_000

const numbers = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** What was submitted, released with the scope. */
const held = <A, E>(submitted: Effect.Effect<Future<A, E>, SubmitError>) => Effect.acquireRelease(submitted, (future) => future.release)
const allHeld = <A, E>(submitted: Effect.Effect<ReadonlyArray<Future<A, E>>, SubmitError>) =>
  Effect.acquireRelease(submitted, (futures) => Effect.forEach(futures, (future) => future.release, { discard: true }))

/** Until so many tasks have each of these statuses. */
const awaitCounts = (client: Client["Service"], wanted: Readonly<Partial<Record<"processing" | "memory", number>>>) =>
  client.inspect.counts.pipe(
    Effect.repeat({ until: (counts) => counts.processing === (wanted.processing ?? counts.processing) && counts.memory === (wanted.memory ?? counts.memory) }),
    Effect.timeout("20 seconds")
  )
const nothingLeft = Effect.flatMap(Client, (client) =>
  client.inspect.counts.pipe(Effect.repeat({ until: (counts) => Object.values(counts).every((count) => count === 0) }), Effect.timeout("20 seconds")))

/** One more client of the cluster, until the scope ends. */
const another = Effect.flatMap(Layer.build(Client.layerCluster), (context) => Effect.provide(Client, context))

const conformance = (it: Vitest.MethodsNonLive<Client | Cluster>) => {
  /** Leaves nothing on the cluster. */
  const onCluster = <A, E>(body: (client: Client["Service"]) => Effect.Effect<A, E, Client | Cluster | Scope.Scope>) => () =>
    Effect.andThen(Effect.scoped(Effect.flatMap(Client, body)), nothingLeft)

  it.effect("a future is pending, then finished, and stands for its value in later calls (test_client.py::test_submit)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* held(client.submit(tasks.inc, 10))
      assert.deepInclude(x.toJSON(), { status: "pending" })
      assert.strictEqual(yield* x.result, 11)
      assert.strictEqual(yield* x.status, "finished")
      const y = yield* held(client.submit(tasks.inc, 20))
      const z = yield* held(client.submit(tasks.add, x, y))
      assert.strictEqual(yield* z.result, 32)
    })), WITHIN)

  it.effect("maps give one future per item, in order, also over futures (test_client.py::test_map)", onCluster((client) =>
    Effect.gen(function*() {
      const first = yield* allHeld(client.map(tasks.inc, numbers(5)))
      assert.strictEqual(new Set(first.map(({ key }) => key)).size, 5)
      const second = yield* allHeld(client.map(tasks.inc, first))
      const total = yield* held(client.submit(tasks.sum, second))
      assert.strictEqual(yield* first[0]!.result, 1)
      assert.deepStrictEqual(yield* client.gather(second), [2, 3, 4, 5, 6])
      assert.strictEqual(yield* total.result, 20)
    })), WITHIN)

  it.effect("keys of a map are the user's by prefix or item by item, or fresh for what is not pure (test_client.py::test_map_keynames)", onCluster((client) =>
    Effect.gen(function*() {
      const prefixed = yield* allHeld(client.with({ key: "INC" }).map(tasks.inc, numbers(3)))
      assert.deepStrictEqual(prefixed.map(({ key }) => key), ["INC-0", "INC-1", "INC-2"])
      const named = yield* allHeld(client.map(tasks.inc, [7, 8], { keys: (n, index) => `${n}-${index}` }))
      assert.deepStrictEqual(named.map(({ key }) => key), ["7-0", "8-1"])
      const pure = yield* allHeld(client.map(tasks.inc, [1, 1]))
      const impure = yield* allHeld(client.with({ pure: false }).map(tasks.inc, [1, 1]))
      assert.strictEqual(new Set([...pure, ...impure].map(({ key }) => key)).size, 3)
      assert.isTrue([...pure, ...impure].every(({ key }) => key.startsWith("inc-")))
      yield* client.wait([...prefixed, ...named, ...pure, ...impure])
    })), WITHIN)

  it.effect("gathers nested shapes, and fails with the first failure (test_client.py::test_gather, ::test_gather_strict)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* held(client.submit(tasks.inc, 10))
      const y = yield* held(client.submit(tasks.inc, x))
      assert.strictEqual(yield* client.gather(x), 11)
      assert.deepStrictEqual(yield* client.gather({ x, y: [y], both: new Map([["set", new Set([x, y])]]) }), { x: 11, y: [12], both: new Map([["set", new Set([11, 12])]]) })
      const bad = yield* held(client.submit(tasks.divide, 1, 0))
      const error = yield* Effect.flip(client.gather([x, bad, y]))
      assert.strictEqual(error._tag, "DivisionByZero")
    })), WITHIN)

  it.effect("gathers what there is and leaves out what failed (test_client.py::test_gather_skip)", onCluster((client) =>
    Effect.gen(function*() {
      const bad = yield* held(client.submit(tasks.divide, 1, 0))
      const good = yield* held(client.submit(tasks.divide, 1, 1))
      const exits = yield* client.gatherExits([bad, good])
      assert.deepStrictEqual(exits.filter(Exit.isSuccess).map(({ value }) => value), [1])
      assert.isTrue(Exit.isFailure(exits[0]!))
    })), WITHIN)

  it.effect("an exception arrives with its type and message, at dependents too, and none where there was none (test_client.py::test_Future_exception)", onCluster((client) =>
    Effect.gen(function*() {
      const bad = yield* held(client.submit(tasks.divide, 7, 0))
      const dependent = yield* held(client.submit(tasks.inc, bad))
      for (const future of [bad, dependent]) {
        const error = yield* Effect.flip(future.result)
        assert(error._tag === "DivisionByZero")
        assert.strictEqual(error.dividend, 7)
        assert.strictEqual(yield* future.status, "error")
      }
      const defect = yield* Effect.flip((yield* held(client.submit(tasks.throws, "too far"))).result)
      assert(defect._tag === "TaskError" && defect.reason._tag === "TaskDefect")
      assert(defect.reason.cause instanceof Error)
      assert.deepStrictEqual([defect.reason.cause.name, defect.reason.cause.message], ["RangeError", "too far"])
      assert.isTrue(Exit.isSuccess(yield* (yield* held(client.submit(tasks.divide, 1, 1))).await))
    })), WITHIN)

  it.effect("the remote traceback comes along, of a failure and of what was thrown (test_client.py::test_traceback)", onCluster((client) =>
    Effect.gen(function*() {
      const bad = yield* held(client.submit(tasks.divide, 1, 0))
      const dependent = yield* held(client.submit(tasks.inc, bad))
      const exit = yield* Effect.exit(dependent.result)
      assert(Exit.isFailure(exit))
      const origin = Context.getOption(Cause.annotations(exit.cause), TaskOrigin)
      assert(Option.isSome(origin))
      assert.deepStrictEqual([origin.value.key, origin.value.task, origin.value.attempt], [bad.key, "divide", 1])
      assert.match(origin.value.remoteStack, /parity\/tasks\.ts/)
      const defect = yield* Effect.flip((yield* held(client.submit(tasks.throws, "too far"))).result)
      assert(defect._tag === "TaskError" && defect.reason._tag === "TaskDefect")
      assert.match(defect.reason.remoteStack, /RangeError: too far\n.*parity\/tasks\.ts/)
    })), WITHIN)

  it.effect("what is added while iterating comes as well (test_as_completed.py::test_as_completed_add)", onCluster((client) =>
    Effect.gen(function*() {
      const completions = yield* client.completions(yield* allHeld(client.map(tasks.inc, numbers(10))))
      let expected = 55
      let total = 0
      yield* Stream.runForEach(completions.stream, (future) => Effect.gen(function*() {
        const value = yield* future.result
        total += value
        if (value > 5 || total > 200) return
        yield* completions.add(yield* held(client.submit(tasks.add, future, 10)))
        expected += value + 10
      }))
      assert.deepStrictEqual([total, yield* completions.count], [expected, 0])
    })), WITHIN)

  it.effect("several are added at once to what began empty (test_as_completed.py::test_as_completed_update)", onCluster((client) =>
    Effect.gen(function*() {
      const completions = yield* client.completions<Future<number>>()
      const results: Array<number> = []
      for (const part of [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]) {
        yield* completions.add(...yield* allHeld(client.map(tasks.inc, part)))
        results.push(yield* (yield* completions.take).result)
      }
      yield* Stream.runForEach(completions.stream, (future) => Effect.map(future.result, (value) => results.push(value)))
      assert.deepStrictEqual(results.sort((a, b) => a - b), numbers(10).map((n) => n + 1))
    })), WITHIN)

  it.effect("what is cancelled has completed (test_as_completed.py::test_as_completed_cancel)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* held(client.submit(tasks.inc, 1))
      const y = yield* held(client.submit(tasks.forever, 1))
      const completions = yield* client.completions<Future.Any>([x, y])
      assert.strictEqual(yield* completions.take, x)
      yield* y.cancel()
      assert.strictEqual(yield* completions.take, y)
      assert.strictEqual(yield* y.status, "cancelled")
      assert.strictEqual(yield* completions.count, 0)
    })), WITHIN)

  it.effect("what failed has completed, and says so (test_as_completed.py::test_as_completed_error)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* held(client.submit(tasks.divide, 1, 0))
      const y = yield* held(client.submit(tasks.divide, 1, 1))
      const all = yield* Stream.runCollect(client.results([x, y]))
      assert.deepStrictEqual(new Map(all.map(({ exit, future }) => [future, Exit.isSuccess(exit)])), new Map([[x, false], [y, true]]))
    })), WITHIN)

  it.effect("a released key is computed again when it is submitted again (test_client.py::test_recompute_released_key)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* client.submit(tasks.counted, "x")
      const first = yield* x.result
      yield* x.release
      yield* nothingLeft
      const again = yield* held(client.submit(tasks.counted, "x"))
      assert.strictEqual(again.key, x.key)
      assert.strictEqual(yield* again.result, first + 1)
    })), WITHIN)

  it.effect("cancellation clears what was to be done, at the scheduler and its workers (test_client.py::test_cancel_clears_processing)", onCluster((client) =>
    Effect.gen(function*() {
      const futures = yield* allHeld(client.map(tasks.forever, numbers(100)))
      yield* client.inspect.counts.pipe(Effect.repeat({ until: ({ processing, queued }) => processing > 0 && queued > 0 }))
      yield* client.cancel(futures)
      const counts = yield* client.inspect.counts
      assert.deepStrictEqual([counts.processing, counts.queued, counts.waiting], [0, 0, 0])
      assert.deepStrictEqual((yield* client.inspect.workers).map(({ processing }) => processing), [0, 0])
    })), WITHIN)

  it.effect("clients share what is computed (test_client.py::test_two_consecutive_clients_share_results)", onCluster((client) =>
    Effect.gen(function*() {
      const mine = yield* held(client.submit(tasks.counted, "shared"))
      const first = yield* mine.result
      const second = yield* Effect.scoped(Effect.gen(function*() {
        const theirs = yield* (yield* another).submit(tasks.counted, "shared")
        assert.strictEqual(theirs.key, mine.key)
        return yield* theirs.result
      }))
      assert.strictEqual(second, first)
    })), WITHIN)

  it.effect("what is held stays in memory, and what only it was made of does not (test_client.py::test_persist)", onCluster((client) =>
    Effect.gen(function*() {
      const inputs = yield* client.map(tasks.inc, numbers(10))
      const kept = yield* held(client.submit(tasks.sum, inputs))
      yield* Effect.forEach(inputs, (future) => future.release, { discard: true })
      assert.strictEqual(yield* kept.result, 55)
      yield* awaitCounts(client, { memory: 1, processing: 0 })
      const statuses = (yield* client.inspect.tasks()).map(({ key, status }) => key === kept.key ? `kept: ${status}` : status)
      assert.deepStrictEqual(new Set(statuses), new Set(["kept: memory", "released"]))
    })), WITHIN)

  it.effect("priorities reach the task (test_client.py::test_annotations_priorities)", onCluster((client) =>
    Effect.gen(function*() {
      const x = yield* held(client.with({ priority: 15 }).submit(tasks.inc, 1))
      const y = yield* held(client.submit(tasks.inc, 2))
      assert.deepStrictEqual((yield* client.inspect.tasks([x, y])).map(({ priority }) => priority), [15, 0])
      yield* client.wait([x, y])
    })), WITHIN)

  it.effect("workers that a task names reach it, and it runs there (test_client.py::test_annotations_workers)", onCluster((client) =>
    Effect.gen(function*() {
      const futures = yield* allHeld(client.with({ workers: ["worker-1"] }).map(tasks.inc, numbers(10)))
      yield* client.wait(futures)
      const shown = yield* client.inspect.tasks(futures)
      assert.deepStrictEqual(new Set(shown.flatMap(({ workers }) => workers)), new Set(["worker-1"]))
    })), WITHIN)

  it.effect("resources reach the task, and no more run at once than they allow (test_client.py::test_annotations_resources)", onCluster((client) =>
    Effect.gen(function*() {
      const futures = yield* allHeld(client.with({ resources: { GPU: 1 } }).map(tasks.atOnce, numbers(6)))
      assert.isAtMost(Math.max(...yield* client.gather(futures)), 2)
      const impossible = yield* held(client.with({ resources: { GPU: 2 } }).submit(tasks.inc, 1))
      assert.deepStrictEqual((yield* client.inspect.tasks([impossible])).map(({ status }) => status), ["noWorker"])
    })), WITHIN)

  it.effect("workers that are a wish reach the task as a wish (test_client.py::test_annotations_loose_restrictions)", onCluster((client) =>
    Effect.gen(function*() {
      const wished = yield* held(client.with({ workers: ["nobody"], allowOtherWorkers: true }).submit(tasks.inc, 1))
      assert.strictEqual(yield* wished.result, 2)
      const wanted = yield* held(client.with({ workers: ["nobody"], key: "wanted" }).submit(tasks.inc, 1))
      assert.deepStrictEqual((yield* client.inspect.tasks([wanted])).map(({ status }) => status), ["noWorker"])
    })), WITHIN)

  it.effect("retries reach the task (test_client.py::test_annotations_retries)", onCluster((client) =>
    Effect.gen(function*() {
      const enough = yield* held(client.with({ retries: 2 }).submit(tasks.atLast, 3))
      assert.strictEqual(yield* enough.result, 3)
      const tooFew = yield* held(client.with({ retries: 1 }).submit(tasks.atLast, 4))
      const error = yield* Effect.flip(tooFew.result)
      assert(error._tag === "DivisionByZero")
      assert.strictEqual(error.dividend, 2)
    })), WITHIN)

  it.effect("a future that is cancelled says so to who waits, and is done (test_client_executor.py::test_cancellation)", onCluster((client) =>
    Effect.gen(function*() {
      const future = yield* held(client.submit(tasks.forever, 1))
      yield* awaitCounts(client, { processing: 1 })
      const waiting = yield* Effect.forkChild(Effect.flip(future.result), { startImmediately: true })
      assert.strictEqual(yield* future.cancel(), "cancelled")
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error.reason._tag, "TaskCancelled")
      assert.strictEqual(yield* future.status, "cancelled")
      assert.strictEqual(yield* future.cancel(), "already-done")
    })), WITHIN)

  it.effect("who leaves without waiting leaves nothing running (test_client_executor.py::test_shutdown_nowait)", onCluster((client) =>
    Effect.gen(function*() {
      const futures = yield* Effect.scoped(Effect.gen(function*() {
        const own = yield* client.scoped
        const futures = yield* own.map(tasks.forever, numbers(10))
        yield* awaitCounts(client, { processing: 10 })
        return futures
      }))
      for (const future of futures) assert.isTrue(Exit.isFailure(yield* Effect.exit(future.result)))
      yield* nothingLeft
    })), WITHIN)

  it.effect("code reaches the workers that are there, and those that come later (test_client.py::test_upload_file, ::test_upload_file_new_worker)", onCluster((client) =>
    Effect.gen(function*() {
      const everywhere = (workers: ReadonlyArray<string>) =>
        Effect.forEach(workers, (name) => {
          const there = client.with({ workers: [name], pure: false })
          return Effect.all([Future.run(there.submit(tasks.inc, 1)), Future.run(there.submit(async (n: number) => n * 10, 1))])
        })
      assert.deepStrictEqual(yield* everywhere(["worker-0", "worker-1"]), [[2, 10], [2, 10]])
      yield* client.cluster.scale(3)
      assert.deepStrictEqual(yield* everywhere(["worker-2"]), [[2, 10]])
      yield* client.cluster.scale(2)
    })), WITHIN)

  it.effect("work that nobody wants any more is stopped (test_worker.py::test_stop_doing_unnecessary_work)", onCluster((client) =>
    Effect.gen(function*() {
      const futures = yield* client.map(tasks.forever, numbers(100))
      yield* client.inspect.counts.pipe(Effect.repeat({ until: ({ processing, queued }) => processing > 0 && queued > 0 }))
      yield* Effect.forEach(futures, (future) => future.release, { discard: true })
      yield* awaitCounts(client, { processing: 0 })
      assert.strictEqual(yield* Future.run(client.submit(tasks.inc, 5)), 6)
    })), WITHIN)

  it.effect("waiting for workers wants a number of them (test_client.py::test_wait_for_workers_n_workers_value_check)", onCluster((client) =>
    Effect.gen(function*() {
      yield* client.waitForWorkers(2)
      for (const n of [0, -1, 1.5, NaN, "2" as never]) {
        const error = yield* Effect.flip(client.waitForWorkers(n))
        assert(error._tag === "ClusterError")
        assert.deepStrictEqual([error.reason, error.option], ["BadOption", "n"])
      }
    })), WITHIN)
}

layer(cluster, { excludeTestServices: true, timeout: WITHIN })("the client, as Dask's tests have it", conformance)
