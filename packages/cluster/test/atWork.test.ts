/**
 * What options of a local cluster do, seen from outside.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client, type ClientService } from "@skein/client"
import { Cluster, LocalCluster, type LocalClusterOptions } from "@skein/cluster"
import * as SchedulerFile from "@skein/protocol/SchedulerFile"
import { Console, Effect, Layer, Option, Redacted } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const WITHIN = 60_000
const GIB = 2 ** 30

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-options-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const resultOf = <A, E, E2>(submitted: Effect.Effect<{ readonly result: Effect.Effect<A, E> }, E2>) => Effect.flatMap(submitted, ({ result }) => result)
const level = (client: ClientService) => resultOf(client.submit(() => process.env["SKEIN_TEST_LEVEL"] ?? "none"))

/** Console lines on standard error, while the effect runs. */
const printed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const console = { ...globalThis.console, error: (line: string) => void lines.push(line) }
    yield* Effect.provideService(effect, Console.Console, console)
    return lines
  })

describe("options of a local cluster at work", () => {
  it.live("as fibers: its file, token, names, environment and limits (test_local.py::test_simple)", () =>
    Effect.scoped(Effect.gen(function*() {
      const here = yield* folder
      const schedulerFile = join(here, "scheduler.json")
      const localDirectory = join(here, "deep", "files")
      const token = Redacted.make("a token of my own")
      yield* Effect.gen(function*() {
        const client = yield* Client
        const [worker] = yield* client.inspect.workers
        assert.deepInclude(worker, { name: "worker-0", localDirectory, resources: { GPU: 2 }, memoryLimitBytes: Option.some(GIB), nthreads: 1, nfibers: 3 })
        assert.isTrue(existsSync(localDirectory))
        assert.match(worker!.address, /^tcp:\/\/127\.0\.0\.2:\d+$/)
        assert.match(client.cluster.schedulerAddress, /^tcp:\/\/127\.0\.0\.1:\d+$/)
        assert.strictEqual(yield* level(client), "7")
        // Whoever may read the file is let in.
        assert.strictEqual(statSync(schedulerFile).mode & 0o777, 0o600)
        assert.deepStrictEqual(Option.getOrThrow(SchedulerFile.parse(readFileSync(schedulerFile, "utf8"))), {
          type: "skein-scheduler",
          address: client.cluster.schedulerAddress,
          token: "a token of my own"
        })
        const other = Effect.flatMap(Client, (client) => level(client)).pipe(Effect.provide(Layer.fresh(Client.layer({ schedulerFile }))))
        assert.strictEqual(yield* other, "7")
        const [line] = (yield* client.cluster.logs).get("cluster")!.slice(-1)
        assert.include(line, "night: 1 workers and the scheduler are up")
      }).pipe(Effect.provide(LocalCluster.layer({
        processes: false,
        name: "night",
        workers: 1,
        threadsPerWorker: 1,
        fibersPerWorker: 3,
        interface: "lo",
        memoryLimit: "1GiB",
        resources: { GPU: 2 },
        worker: { host: "127.0.0.2", localDirectory, environment: { SKEIN_TEST_LEVEL: "7" } },
        scheduler: { schedulerFile, token, validate: true }
      })))
      assert.isFalse(existsSync(schedulerFile))
      assert.isUndefined(process.env["SKEIN_TEST_LEVEL"])
    })), WITHIN)

  it.live("as processes: its name, its workers' environment, what is printed of their lines, and what is kept (test_nanny.py::test_environment_variable_overlay)", () =>
    Effect.gen(function*() {
      const lines = yield* printed(Effect.gen(function*() {
        const client = yield* Client
        const [worker] = yield* client.inspect.workers
        assert.deepStrictEqual(worker?.nanny, Option.some("night"))
        assert.strictEqual(yield* level(client), "7")
        yield* resultOf(client.submit(() => {
          console.log("said by a body")
          console.error("level=WARN message=warned")
        }))
        yield* Effect.repeat(client.cluster.logs, { until: (logs) => logs.get("worker-0")!.filter((line) => /said by|warned/.test(line)).length === 2 })
      }).pipe(Effect.provide(LocalCluster.layer({ name: "night", workers: 1, threadsPerWorker: 1, worker: { environment: { SKEIN_TEST_LEVEL: "7" } } }))))
      assert.deepStrictEqual(lines, ["[worker-0] level=WARN message=warned"])
    }), WITHIN)

  it.live("at every address of the machine it tells the one that others can dial, and so do its workers (test_local.py::test_remote_access)", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const [worker] = yield* client.inspect.workers
      for (const address of [client.cluster.schedulerAddress, worker?.address]) {
        assert.match(address ?? "", /^tcp:\/\/[\d.]+:\d+$/)
        assert.notInclude(address, "0.0.0.0")
      }
      assert.strictEqual(yield* resultOf(client.submit((n: number) => n + 1, 1)), 2)
    }).pipe(Effect.provide(LocalCluster.layer({ processes: false, host: "0.0.0.0", workers: 1, threadsPerWorker: 1 }))), WITHIN)

  it.live("two clusters inside one program do not meet (test_local.py::test_transports_inproc, ::test_no_workers)", () =>
    Effect.gen(function*() {
      const options: LocalClusterOptions = { processes: false, protocol: "inproc", workers: 0 }
      const address = Effect.map(Cluster, ({ schedulerAddress }) => schedulerAddress).pipe(Effect.provide(LocalCluster.layer(options)))
      const both = Effect.flatMap(Client, (client) => Effect.zip(Effect.all([client.inspect.workers, address]), client.inspect.workers)).pipe(
        Effect.provide(LocalCluster.layer(options))
      )
      assert.deepStrictEqual(yield* both, [[[], "inproc://scheduler"], []])
    }), WITHIN)
})
