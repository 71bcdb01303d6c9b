/**
 * Tasks that submit tasks, and what tasks do about their own place, in every
 * setting. Workers have one slot of each kind, so that whoever held on to it
 * while waiting would wait for ever.
 *
 * Names are those of Dask's tests: test_worker_client.py, test_worker.py
 * (`get_client`), test_threadpoolexecutor.py and test_reschedule.py.
 */
import { assert, describe, it, layer, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { Client, Cluster, Future, LocalCluster, type LocalClusterOptions } from "skein"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { overUnix, settings, withProcesses } from "./settings.ts"
import * as tasks from "./tasks.ts"

/** Processes start while other tests have the cores; milliseconds. */
const WITHIN = 60_000

const one = (options: LocalClusterOptions): LocalClusterOptions => ({ ...options, workers: 1, threadsPerWorker: 1, fibersPerWorker: 1 })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-in-task-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
const exists = (file: string) =>
  Effect.sync(() => existsSync(file)).pipe(Effect.repeat({ until: (there) => there }), Effect.timeout("20 seconds"))
/** The tests of one setting share a cluster, and look at what is left in it. */
const release = (futures: Iterable<{ readonly release: Effect.Effect<void> }>) => Effect.forEach(futures, (future) => future.release, { discard: true })
/** Until nothing is computed and nothing is kept. */
const nothingLeft = Effect.flatMap(Client, (client) =>
  client.inspect.counts.pipe(
    Effect.repeat({ until: (counts) => Object.values(counts).every((count) => count === 0) }),
    // What the bodies of a dead worker held is kept for 15 seconds.
    Effect.timeout("40 seconds")
  ))

const inTask = (it: Vitest.MethodsNonLive<Client | Cluster>) => {
  it.effect("test_local_client_recursive: a recursive task on one slot", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const future = yield* client.submit(tasks.fib, 9)
      assert.strictEqual(yield* future.result, 34)
      yield* future.release
      yield* nothingLeft
    }), WITHIN)

  it.effect("test_submit_from_worker, test_scatter_from_worker's as_completed: results as they come", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const future = yield* client.submit(tasks.sumOfSquares, Array.from({ length: 20 }, (_, n) => n))
      assert.strictEqual(yield* future.result, 2_470)
      yield* future.release
    }), WITHIN)

  it.effect("test_dont_override_default_get, test_get_client: one client for all bodies of a worker, and not the program's", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const futures = yield* client.map(tasks.clientId, [1, 2, 3])
      const ids = yield* client.gather(futures)
      yield* release(futures)
      assert.strictEqual(new Set(ids).size, 1)
      assert.notInclude(ids, client.id)
      assert.match(ids[0]!, /^tasks of worker-0/)
    }), WITHIN)

  it.effect("futures of a body are given up when it ends: what it does not wait for is stopped", () =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* Client
      const future = yield* client.submit(tasks.leavesBehind, "left behind")
      assert.match(yield* future.result, /^interruptible-/)
      yield* future.release
      yield* nothingLeft
    })), WITHIN)

  it.effect("test_worker_client_cancel: cancelling the outer task interrupts it and stops what it waits for", () =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* Client
      const file = join(yield* folder, "waits")
      const future = yield* client.submit(tasks.waitsForEver, file)
      yield* exists(file)
      assert.strictEqual(yield* future.cancel(), "cancelled")
      yield* future.release
      yield* nothingLeft
      assert.strictEqual(yield* Future.run(client.submit(tasks.double, 4)), 8)
    })), WITHIN)

  it.effect("test_secede_rejoin_busy: another task has the slot of one that seceded", () =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* Client
      const file = join(yield* folder, "made")
      const waits = yield* client.submit(tasks.seceded, file)
      const makes = yield* client.submit(tasks.makes, file)
      assert.strictEqual(yield* makes.result, file)
      assert.strictEqual(yield* waits.result, "rejoined")
      yield* release([waits, makes])
    })), WITHIN)

  it.effect("test_reschedule: a task that asks for it is placed again, and that is no attempt", () =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(yield* Future.run(client.submit(tasks.reschedules, join(yield* folder, "once"))), 1)
    })), WITHIN)

  it.effect("test_get_current_task: plain and async functions see their own, also after they have waited", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const futures = [...yield* client.map(tasks.currentAsync, [1, 2, 3]), ...yield* client.map(tasks.currentPlain, [1, 2, 3])]
      for (const future of futures) assert.deepStrictEqual(yield* future.result, [future.key, future.key])
      yield* release(futures)
    }), WITHIN)

  it.effect("an async function hears of its cancellation by its signal", () =>
    Effect.scoped(Effect.gen(function*() {
      const client = yield* Client
      const directory = yield* folder
      const [started, aborted] = [join(directory, "started"), join(directory, "aborted")]
      const future = yield* client.submit(tasks.obeysSignal, started, aborted)
      yield* exists(started)
      yield* future.cancel()
      assert.isTrue(existsSync(aborted))
      yield* future.release
    })), WITHIN)
}

for (const { name, options } of settings) {
  layer(LocalCluster.layer(one(options)), { excludeTestServices: true, timeout: WITHIN })(`tasks that submit tasks on a cluster of ${name}`, inTask)
}

describe("when a worker dies under tasks that submit tasks", () => {
  for (const { name, options } of withProcesses) {
    it.live(`a task that waited on it runs again, and what it had submitted is given up: ${name}`, () =>
      Effect.gen(function*() {
        const client = yield* Client
        const file = join(yield* folder, "waits")
        const future = yield* client.submit(tasks.waitsForEver, file)
        yield* exists(file)
        rmSync(file)
        const [worker] = yield* client.inspect.workers
        process.kill(worker!.pid, "SIGKILL")
        // The second run makes it again.
        yield* exists(file)
        yield* future.cancel()
        yield* future.release
        yield* nothingLeft
      }).pipe(Effect.scoped, Effect.provide(LocalCluster.layer(one(options)))), WITHIN)
  }

  it.live("a suspect runs alone on the worker where its parent waits for it, until it is KilledWorker", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const future = yield* client.submit(tasks.waitsForExit, 3)
      assert.strictEqual(yield* future.result, "KilledWorker")
    }).pipe(Effect.provide(LocalCluster.layer(one(overUnix.options)))), WITHIN)
})
