/**
 * How a local cluster fails to start, and what its operator may ask of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client"
import { Cluster, LocalCluster, type LocalClusterOptions } from "@skein/cluster"
import * as Tcp from "@skein/transport/node/Tcp"
import { Effect, Layer, type Scope } from "effect"

/** Processes start while other tests have the cores; milliseconds. */
const WITHIN = 60_000

/** Why the cluster did not start. */
const failure = (options: LocalClusterOptions) => Effect.flip(Effect.scoped(Layer.build(LocalCluster.layer(options))))

/** A port of this machine that somebody listens on. */
const takenPort = Effect.gen(function*() {
  const server = yield* Tcp.listen()
  const address = Tcp.addressOf(server)
  return address._tag === "Tcp" ? address.port : 0
})

describe("LocalCluster.layer", () => {
  it.live("refuses an option that it does not know, before anything starts", () =>
    Effect.gen(function*() {
      const error = yield* failure({ adapt: { maximum: 3 } })
      assert(error._tag === "ClusterError")
      assert.deepStrictEqual([error.reason, error.option], ["BadOption", "adapt"])
    }))

  for (const processes of [true, false]) {
    const kind = processes ? "processes" : "fibers"
    const on = <A, E>(options: LocalClusterOptions, body: Effect.Effect<A, E, Client | Cluster | Scope.Scope>) =>
      Effect.scoped(body).pipe(Effect.provide(LocalCluster.layer({ processes, workers: 1, threadsPerWorker: 1, ...options })))

    it.live(`of ${kind} says that its port is taken`, () =>
      Effect.gen(function*() {
        const port = yield* takenPort
        const error = yield* failure({ processes, workers: 1, schedulerPort: port })
        assert.strictEqual(
          error.message,
          `SKEIN4004 the port is taken by another program\n  127.0.0.1:${port} is in use\n` +
            "  fix  another port (`schedulerPort`, `--port`), or 0 for any that is free"
        )
      }), WITHIN)

    it.live(`of ${kind} may begin without workers, and get some`, () =>
      on({ workers: 0 }, Effect.gen(function*() {
        const client = yield* Client
        const future = yield* client.submit((n: number) => n + 1, 1)
        assert.strictEqual((yield* client.inspect.counts).noWorker, 1)
        yield* (yield* Cluster).scale(1)
        assert.strictEqual(yield* future.result, 2)
      })), WITHIN)

    it.live(`of ${kind} refuses to be scaled to a number that makes no sense`, () =>
      on({}, Effect.gen(function*() {
        const cluster = yield* Cluster
        for (const count of [-1, 1.5, NaN]) {
          const error = yield* Effect.flip(cluster.scale(count))
          assert(error._tag === "ClusterError")
          assert.strictEqual(error.option, "workers")
        }
      })), WITHIN)

    it.live(`of ${kind} begins anew when it is restarted (test_client.py::test_restart)`, () =>
      on({}, Effect.gen(function*() {
        const client = yield* Client
        const [before] = yield* client.inspect.workers
        const done = yield* client.submit((n: number) => n + 1, 1)
        yield* done.result
        const running = yield* client.submit(() => {
          for (;;);
        })
        yield* client.cluster.restart
        assert.deepStrictEqual([yield* done.status, yield* running.status], ["cancelled", "cancelled"])
        const error = yield* Effect.flip(done.result)
        assert.include(error.message, "the cluster was restarted")
        const [after, ...others] = yield* client.inspect.workers
        assert.deepStrictEqual(others, [])
        assert.deepStrictEqual([after?.name, after?.pid === before?.pid], ["worker-0", !processes])
        assert.strictEqual(yield* Effect.flatMap(client.submit((n: number) => n + 2, 1), ({ result }) => result), 3)
      })), WITHIN)

    it.live(`of ${kind} is gone after its shutdown, and says so to who waits`, () =>
      on({}, Effect.gen(function*() {
        const client = yield* Client
        const cluster = yield* Cluster
        yield* cluster.shutdown
        const error = yield* Effect.flip(client.inspect.counts)
        assert.strictEqual(error._tag, "SchedulerLost")
        // Once is enough, and twice does no harm.
        yield* cluster.shutdown
      })), WITHIN)
  }

  it.live("has more clients, in a network of its own too", () =>
    Effect.gen(function*() {
      const first = yield* Client
      const result = yield* Effect.gen(function*() {
        const second = yield* Client
        assert.notStrictEqual(second.id, first.id)
        return yield* Effect.flatMap(second.submit((n: number) => n + 1, 1), ({ result }) => result)
      }).pipe(Effect.provide(Client.layerCluster))
      assert.strictEqual(result, 2)
      assert.lengthOf(yield* first.inspect.workers, 1)
    }).pipe(Effect.provide(LocalCluster.layer({ processes: false, protocol: "inproc", workers: 1, threadsPerWorker: 1 }))), WITHIN)

  it.live("has more clients, each of which ends with its own scope", () =>
    Effect.gen(function*() {
      const first = yield* Client
      const second = yield* Effect.provide(Client, Client.layerCluster)
      assert.notStrictEqual(second.id, first.id)
      const error = yield* Effect.flip(second.submit((n: number) => n, 1))
      assert.strictEqual(error.reason._tag, "ClientClosed")
    }).pipe(Effect.provide(LocalCluster.layer({ processes: false, workers: 0 }))), WITHIN)

  it.live("keeps the lines of its workers, by name", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const cluster = yield* Cluster
      const future = yield* client.submit((text: string) => {
        console.log(text)
        return text.length
      }, "said on a worker")
      yield* future.result
      // A line comes by another way than the result, and may come after it.
      const logs = yield* Effect.repeat(cluster.logs, { until: (logs) => logs.get("worker-0")!.length > 0 })
      assert.deepStrictEqual([...logs.keys()], ["cluster", "scheduler", "worker-0"])
      assert.include(logs.get("worker-0")!.join("\n"), "said on a worker")
    }).pipe(Effect.provide(LocalCluster.layer({ workers: 1, threadsPerWorker: 1 }))), WITHIN)
})
