/**
 * What happens where neither a process nor a connection ends in good order: a line
 * that is cut again and again, a worker that stands still, a nanny that is killed.
 * On one cluster of processes over TCP, for starting it takes longest.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Client, Worker } from "skein"
import * as Directory from "@skein/cluster/Directory"
import { start } from "@skein/cluster/Processes"
import * as internals from "./internals.ts"
import { settings } from "./settings.ts"
import * as os from "./processes.ts"
import { cuttingProxy } from "./proxy.ts"
import * as tasks from "./tasks.ts"

/** Processes start while other tests have the cores; milliseconds. */
const WITHIN = 60_000
const TASKS = 5_000
const CUTS = 100
/** So many tasks are wanted at once. */
const PART = 500

const command = new URL("../../../../apps/cli/src/main.ts", import.meta.url)
const taskFile = new URL("./tasks.ts", import.meta.url)
/** Nobody waits for the full five seconds for a worker that is away. */
const overTcp = { ...settings.find(({ options }) => options.processes === true && options.protocol === "tcp")!.options, worker: { resumeTimeout: "1 second" }, silenceLogs: "None" } as const
const zero = { released: 0, waiting: 0, noWorker: 0, queued: 0, processing: 0, memory: 0, erred: 0 }

beforeAll(() => Effect.runPromise(internals.image), WITHIN)

/** The tasks' results are what they should be; then they are released. */
const doubles = Effect.fnUntraced(function*(numbers: ReadonlyArray<number>) {
  const client = yield* Client
  const futures = yield* client.map(tasks.double, numbers)
  assert.deepStrictEqual(yield* client.gather(futures), numbers.map((n) => 2 * n))
  yield* Effect.forEach(futures, (future) => future.release, { discard: true })
})

/** Until the scheduler has nothing of anybody's. */
const nothingLeft = Effect.flatMap(Client, (client) =>
  client.inspect.counts.pipe(Effect.repeat({ until: (counts) => Object.values(counts).every((count) => count === 0) }), Effect.timeout("20 seconds")))

/** Of a nanny that is killed, the worker goes at once, and all its tasks are computed elsewhere. */
const killedNanny = Effect.fnUntraced(function*(parts: { readonly address: string; readonly token: Redacted.Redacted<string> }) {
  const client = yield* Client
  const others = (yield* client.inspect.workers).map(({ pid }) => pid)
  const token = yield* os.marker
  writeFileSync(token.file, Redacted.value(parts.token))
  const nanny = yield* os.program(command, ["worker", parts.address, "--token-file", token.file, "--threads", "1", "--resume-timeout", "1s", "--tasks", fileURLToPath(taskFile)])
  yield* nanny.line
  const worker = (yield* client.inspect.workers).find(({ pid }) => !others.includes(pid))!
  const there = yield* client.with({ workers: [worker.name], allowOtherWorkers: true }).map(tasks.double, Array.from({ length: 500 }, (_, n) => n))
  yield* client.wait(there, { until: "first" })
  process.kill(nanny.pid, "SIGKILL")
  assert.deepStrictEqual(yield* client.gather(there), Array.from({ length: 500 }, (_, n) => 2 * n))
  yield* Effect.forEach(there, (future) => future.release, { discard: true })
  yield* Effect.repeat(client.inspect.workers, { until: (workers) => workers.every(({ pid }) => others.includes(pid)) })
  assert.isFalse(os.isAlive(worker.pid))
})

describe("a cluster over TCP", () => {
  it.live("gives every result while a connection is cut 100 times, a worker stands still and a nanny is killed, and leaves nothing", () =>
    Effect.gen(function*() {
      const { Hashing, machine, NodeProcesses, plan, Sockets } = internals
      const before = { processes: os.descendants(), directories: os.clusterDirectories() }
      yield* Effect.scoped(Effect.gen(function*() {
        const parts = yield* start({ ...Result.getOrThrow(plan(overTcp, machine())), layer: undefined })
        const clientAt = (address: string) => Client.layer({ address, token: parts.token })

        const proxy = yield* cuttingProxy(parts.address, { seed: 4, bytes: [200, 5_000] })
        // The client and one of the workers, whose connections are cut.
        const worker = Worker.layer({ address: proxy.address, token: parts.token, threads: 1, tasks: taskFile })
        yield* Effect.gen(function*() {
          for (let from = 0; from < TASKS || proxy.cuts() < CUTS; from += PART) {
            if (from < TASKS) proxy.cutMore(CUTS * PART / TASKS)
            yield* doubles(Array.from({ length: PART }, (_, n) => from + n))
          }
        }).pipe(Effect.provide([clientAt(proxy.address), worker]))
        yield* proxy.quiet

        yield* Effect.gen(function*() {
          const client = yield* Client
          yield* nothingLeft
          const [short, long] = yield* client.inspect.workers
          process.kill(short!.pid, "SIGSTOP")
          const futures = yield* client.map(tasks.double, Array.from({ length: 200 }, (_, n) => n))
          yield* client.wait(futures, { until: "first" })
          process.kill(short!.pid, "SIGCONT")
          assert.deepStrictEqual(yield* client.gather(futures), Array.from({ length: 200 }, (_, n) => 2 * n))
          yield* Effect.forEach(futures, (future) => future.release, { discard: true })
          assert.deepStrictEqual((yield* client.inspect.workers).map(({ pid }) => pid), [short!.pid, long!.pid])

          // For longer than anybody waits for it: its tasks go elsewhere, and it registers anew when it is back.
          process.kill(long!.pid, "SIGSTOP")
          yield* doubles(Array.from({ length: 200 }, (_, n) => n))
          assert.deepStrictEqual((yield* client.inspect.workers).map(({ pid }) => pid), [short!.pid])
          process.kill(long!.pid, "SIGCONT")
          yield* client.waitForWorkers(2)
          assert.deepStrictEqual(new Set((yield* client.inspect.workers).map(({ pid }) => pid)), new Set([short!.pid, long!.pid]))
          yield* doubles(Array.from({ length: 200 }, (_, n) => n))
          yield* killedNanny(parts)
          yield* nothingLeft
          assert.deepStrictEqual(yield* client.inspect.counts, zero)
        }).pipe(Effect.provide(clientAt(parts.address)))
      })).pipe(Effect.provide([internals.Directory, Hashing, NodeProcesses, Sockets]))
      assert.deepStrictEqual(os.descendants().filter((pid) => !before.processes.includes(pid)), [])
      // Who is killed cannot tidy up: the folder of that nanny goes when the next one of anybody's is made.
      yield* Effect.scoped(Effect.flatMap(Directory.Directory, ({ make }) => make)).pipe(Effect.provide(internals.Directory))
      assert.deepStrictEqual(os.clusterDirectories().filter((name) => !before.directories.includes(name)), [])
    }), WITHIN)
})
