/**
 * What goes wrong in real clusters: processes that are killed, bodies that end
 * their process, bodies that will not stop. Every remaining result is right, and
 * at the end nothing is left.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted, Result, type Scope } from "effect"
import { Client, Cluster, LocalCluster, type LocalClusterOptions } from "skein"
import { start } from "@skein/cluster/Processes"
import * as internals from "./internals.ts"
import { overUnix, settings, withProcesses } from "./settings.ts"
import * as os from "./processes.ts"
import * as tasks from "./tasks.ts"

/** Processes start while other tests have the cores; milliseconds. */
const WITHIN = 60_000

const zero = { released: 0, waiting: 0, noWorker: 0, queued: 0, processing: 0, memory: 0, erred: 0 }

beforeAll(() => Effect.runPromise(internals.image), WITHIN)

/** Runs the body on a cluster; at the end nothing of it is left: no task, no process, no file. */
const leavesNothing = <A, E>(options: LocalClusterOptions, body: Effect.Effect<A, E, Client | Cluster | Scope.Scope>) =>
  Effect.gen(function*() {
    const before = { processes: os.descendants(), directories: os.clusterDirectories() }
    yield* Effect.gen(function*() {
      const client = yield* Client
      yield* Effect.scoped(body)
      yield* awaitCounts(client, zero)
    }).pipe(Effect.provide(LocalCluster.layer(options)))
    assert.deepStrictEqual(os.descendants().filter((pid) => !before.processes.includes(pid)), [])
    assert.deepStrictEqual(os.clusterDirectories().filter((name) => !before.directories.includes(name)), [])
  })

/** Until the counts are these: news of what is going on elsewhere is asked for, not waited for. */
const awaitCounts = (client: Client["Service"], wanted: Partial<typeof zero>) =>
  client.inspect.counts.pipe(
    Effect.repeat({ until: (counts) => Object.entries(wanted).every(([status, count]) => counts[status as keyof typeof zero] === count) }),
    Effect.timeout("20 seconds")
  )

/** Releases what the body was given, so that the counters can return to zero. */
const releaseAll = (futures: Iterable<{ readonly release: Effect.Effect<void> }>) => Effect.forEach(futures, (future) => future.release, { discard: true })

for (const { name, options } of withProcesses) {
  describe(`a cluster of ${name}`, () => {
    it.live("gives every result when a worker is killed in the middle of 2,000 tasks (test_nanny.py::test_nanny_process_failure, test_spec_cluster.py::test_unexpected_closed_worker)", () =>
      leavesNothing(options, Effect.gen(function*() {
        const client = yield* Client
        const leaves = yield* client.map(tasks.double, Array.from({ length: 1_900 }, (_, n) => n))
        const pairs = []
        for (let n = 0; n < 100; n++) pairs.push(yield* client.submit(tasks.add, leaves[n]!, leaves[n + 100]!))
        yield* client.wait(leaves.slice(0, 500))
        const [victim] = yield* client.inspect.workers
        process.kill(victim!.pid, "SIGKILL")
        assert.deepStrictEqual(yield* client.gather(leaves), Array.from({ length: 1_900 }, (_, n) => 2 * n))
        assert.deepStrictEqual(yield* client.gather(pairs), Array.from({ length: 100 }, (_, n) => 2 * n + 2 * (n + 100)))
        // Its nanny starts it again.
        yield* client.waitForWorkers(2)
        assert.isFalse((yield* client.inspect.workers).some(({ pid }) => pid === victim!.pid))
        yield* releaseAll([...leaves, ...pairs])
      })), WITHIN)

    it.live("forgets what a killed client wanted", () =>
      // The parts of a cluster, for another process needs the token, which a cluster tells nobody.
      Effect.gen(function*() {
        const { Directory, Hashing, machine, NodeProcesses, plan, Sockets } = internals
        yield* Effect.scoped(Effect.gen(function*() {
          const parts = yield* start({ ...Result.getOrThrow(plan(options, machine())), layer: undefined })
          const doomed = yield* os.program(new URL("./client.ts", import.meta.url), [parts.address, Redacted.value(parts.token)])
          assert.strictEqual(yield* doomed.line, "submitted")
          yield* Effect.gen(function*() {
            const client = yield* Client
            assert.strictEqual((yield* client.inspect.counts).memory, 900)
            process.kill(doomed.pid, "SIGKILL")
            yield* awaitCounts(client, zero)
            const workers = yield* client.inspect.workers
            assert.deepStrictEqual(workers.map(({ processing }) => processing), [0, 0])
          }).pipe(Effect.provide(Client.layer({ address: parts.address, token: parts.token })))
        })).pipe(Effect.provide([Directory, Hashing, NodeProcesses, Sockets]))
      }), WITHIN)

    it.live("ends a task that exits with KilledWorker after four deaths, while its neighbours finish", () =>
      leavesNothing(options, Effect.gen(function*() {
        const client = yield* Client
        const cluster = yield* Cluster
        const neighbours = yield* client.map(tasks.double, Array.from({ length: 50 }, (_, n) => n))
        const culprit = yield* client.submit(tasks.exits, 3)
        const more = yield* client.map(tasks.inc, Array.from({ length: 50 }, (_, n) => n))
        const error = yield* Effect.flip(culprit.result)
        assert.strictEqual(error.reason._tag, "KilledWorker")
        const attempts = error.reason._tag === "KilledWorker" ? error.reason.attempts : []
        assert.strictEqual(attempts.length, 4)
        assert.deepStrictEqual(attempts.map(({ ended }) => ended), ["exit", "exit", "exit", "exit"])
        assert.strictEqual(error.code, "SKEIN3002")
        assert.deepStrictEqual(yield* client.gather(neighbours), Array.from({ length: 50 }, (_, n) => 2 * n))
        assert.deepStrictEqual(yield* client.gather(more), Array.from({ length: 50 }, (_, n) => n + 1))
        const deaths = (yield* cluster.logs).get("cluster")!.filter((line) => line.includes("ended: exit"))
        assert.strictEqual(deaths.length, 4)
        yield* releaseAll([...neighbours, culprit, ...more])
      })), WITHIN)

    it.live("stops what neither its fiber nor its thread can stop by the end of its process, and blames nobody", () =>
      leavesNothing({ ...options, workers: 1 }, Effect.gen(function*() {
        const client = yield* Client
        const [before] = yield* client.inspect.workers
        const begun = yield* os.marker
        const blocked = yield* client.submit(tasks.blocks, begun.file)
        const neighbour = yield* client.submit(tasks.later, 7, 3_000)
        yield* begun.made
        const cancelling = yield* Effect.forkChild(blocked.cancel({ note: "enough" }))
        assert.strictEqual(yield* Fiber.join(cancelling), "cancelled")
        assert.strictEqual(yield* neighbour.result, 7)
        assert.isFalse(os.isAlive(before!.pid))
        yield* releaseAll([blocked, neighbour])
      })), WITHIN)
  })
}

for (const { name, options } of settings) {
  describe(`a cluster of ${name}`, () => {
    it.live("cancels functions that spin, by the end of their thread, and goes on", () =>
      leavesNothing(options, Effect.gen(function*() {
        const client = yield* Client
        for (const task of [tasks.spins, tasks.spinsInRegex]) {
          const begun = yield* os.marker
          const spinning = yield* client.submit(task, begun.file)
          yield* begun.made
          assert.strictEqual(yield* spinning.cancel({ note: "enough" }), "cancelled")
          assert.strictEqual((yield* Effect.flip(spinning.result)).reason._tag, "TaskCancelled")
          yield* releaseAll([spinning])
        }
        const after = yield* client.submit(tasks.inc, 1)
        assert.strictEqual(yield* after.result, 2)
        yield* releaseAll([after])
      })), WITHIN)

    it.live("ends a task whose thread exits with KilledWorker, and no worker dies of it", () =>
      leavesNothing(options, Effect.gen(function*() {
        const client = yield* Client
        const pids = (yield* client.inspect.workers).map(({ pid }) => pid)
        const culprit = yield* client.submit(tasks.exitsThread, 3)
        const error = yield* Effect.flip(culprit.result)
        assert.strictEqual(error.reason._tag, "KilledWorker")
        assert.deepStrictEqual((yield* client.inspect.workers).map(({ pid }) => pid), pids)
        yield* releaseAll([culprit])
      })), WITHIN)

    it.live("interrupts the work of a program that is interrupted", () =>
      leavesNothing(options, Effect.gen(function*() {
        const client = yield* Client
        const calling = yield* Effect.forkChild(Effect.gen(function*() {
          const future = yield* client.submit(tasks.interruptible, "call")
          return yield* Effect.onInterrupt(future.result, () => Effect.andThen(Effect.ignore(future.cancel()), future.release))
        }))
        yield* awaitCounts(client, { processing: 1 })
        const exit = yield* Effect.andThen(Fiber.interrupt(calling), Fiber.await(calling))
        assert(Exit.isFailure(exit))
      })), WITHIN)
  })
}

describe("scaling", () => {
  it.live("up and down changes the workers, and what they had is computed again (test_local.py::test_scale_up_and_down)", () =>
    leavesNothing(overUnix.options, Effect.gen(function*() {
      const client = yield* Client
      const cluster = yield* Cluster
      const futures = yield* client.map(tasks.double, Array.from({ length: 100 }, (_, n) => n))
      yield* client.wait(futures)
      yield* cluster.scale(3)
      assert.strictEqual((yield* client.inspect.workers).length, 3)
      yield* cluster.scale(1)
      // Their processes have ended by now; that they have, the scheduler may read after it has read the question.
      yield* Effect.repeat(client.inspect.workers, { until: ({ length }) => length === 1 })
      const sum = yield* client.submit(tasks.total, futures)
      assert.strictEqual(yield* sum.result, 9_900)
      yield* releaseAll([...futures, sum])
    })), WITHIN)
})

describe("the end of the scheduler", () => {
  it.live("is told to everybody who waits, at once", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const waiting = yield* client.submit(tasks.later, 1, 60_000)
      const [child] = os.descendants().filter((pid) => os.commandOf(pid).includes("scheduler/main"))
      process.kill(child!, "SIGKILL")
      const error = yield* Effect.flip(waiting.result)
      assert.strictEqual(error.reason._tag, "SchedulerLost")
    }).pipe(Effect.provide(LocalCluster.layer(overUnix.options))), WITHIN)
})
