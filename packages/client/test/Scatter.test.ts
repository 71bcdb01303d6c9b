/**
 * Scattering, against a scheduler and workers under the test's control. What a whole cluster makes of it is in the end-to-end tests.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import { Task } from "@skein/protocol/Task"
import * as Value from "@skein/protocol/Value"
import * as Bulk from "@skein/transport/Bulk"
import * as BulkServer from "@skein/transport/BulkServer"
import * as Handshake from "@skein/transport/Handshake"
import type * as Memory from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { elsewhere, fake, token } from "./utils/FakeScheduler.ts"

/** A worker in memory, and what it was sent. */
const worker = Effect.fnUntraced(function*(network: Memory.Network["Service"], name: string) {
  const sent: Array<readonly [id: number, run: number, value: unknown]> = []
  yield* BulkServer.serve(yield* network.listen(name), {
    authorize: Handshake.byToken(token),
    read: (wanted) => Effect.succeed(wanted.map(() => Bulk.missing)),
    store: ({ id, run }, bytes) => Effect.sync(() => void sent.push([id, run, Result.getOrThrow(Value.decode(bytes))]))
  }).pipe(Effect.provide(NodeHashing.layer), Effect.forkScoped)
  return sent
})
const to = (address: string, id: number, run: number) => ({ id: id as TaskId, run: run as RunId, addresses: [address] })

describe("scatter", () => {
  it.effect("sends a value where the scheduler says, under its numbers, and is done when a worker has it", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      const sent = yield* worker(network, "w0")
      scheduler.scatter = (rows) => Effect.as(scheduler.report(elsewhere(rows[0]!.ref, { id: 7, run: 3, nbytes: 9, worker: 0 })), [to("w0", 7, 3)])
      const future = yield* client.scatter({ a: [1] })
      assert.deepStrictEqual(sent, [[7, 3, { a: [1] }]])
      assert.match(future.key, /^Object-[0-9a-f]{32}$/)
      const asked = [...(yield* Queue.takeAll(scheduler.said))].filter(({ _tag }) => _tag === "Scatter")
      assert.deepStrictEqual(asked.map((said) => said._tag === "Scatter" && [said.rows.map(({ key }) => key), said.workers, said.broadcast]), [[[future.key], [], false]])
      // An equal value is there already.
      assert.strictEqual((yield* client.scatter({ a: [1] })).key, future.key)
      assert.strictEqual(sent.length, 1)
    }))

  it.effect("sends anew what has not arrived: to another worker, or after it was lost on the way", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      const sent = yield* worker(network, "w1")
      const answers = ["gone", "w1", "w1"]
      let asked = 0
      scheduler.scatter = ([row]) => {
        const run = asked++
        const news = run === 1
          ? scheduler.fail(row!.ref, { _tag: "Lost" })
          : run === 2
          ? scheduler.report(elsewhere(row!.ref, { id: 7, run, nbytes: 9, worker: 1 }))
          : Effect.void
        return Effect.as(run === 1 ? Effect.andThen(scheduler.pending(row!.ref), Effect.forkDetach(Effect.andThen(Effect.sleep("1 second"), news))) : news, [to(answers[run]!, 7, run)])
      }
      const scattering = yield* Effect.forkChild(client.scatter("x"), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* (yield* Fiber.join(scattering)).status, "finished")
      assert.deepStrictEqual(sent, [[7, 1, "x"], [7, 2, "x"]])
    }))

  it.effect("gives up when no worker can be reached, and nothing of it is kept", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      scheduler.scatter = (rows) => Effect.succeed(rows.map((_, at) => to("gone", at, 1)))
      const scattering = yield* Effect.forkChild(Effect.flip(client.scatterAll(["a", "b"])), { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      const error = yield* Fiber.join(scattering)
      assert.strictEqual(
        error.message,
        "SKEIN1016 2 scattered values have reached no worker\n  Could not exchange values with gone (Connect): nobody listens at inproc://gone\n" +
          "  Scattered values go to workers directly, not through the scheduler.\n" +
          "  fix 1  let this machine connect to the addresses that `client.inspect.workers` shows\n" +
          "  fix 2  have a task make or load the data, and pass its future"
      )
      yield* client.inspect.counts
      const released = [...(yield* Queue.takeAll(scheduler.said))].flatMap((said) => said._tag === "Release" ? said.refs : [])
      assert.strictEqual(released.length, 2)
    }))
})

describe("values of classes", () => {
  it.effect("that this program has not met are looked for in the module of the task, once", () =>
    Effect.gen(function*() {
      class Found extends Schema.Class<Found>("Scatter.test/Found")({ n: Schema.Number }) {}
      const looked: Array<string> = []
      const { client, scheduler } = yield* fake({
        exports: (url) => {
          looked.push(url)
          return { Found }
        }
      })
      const make = Task.fn("make", (n: number) => n as unknown as Found, { module: "file:///home/ann/tasks.ts" })
      const futures = yield* client.map(make, [1, 2])
      const { tasks } = yield* scheduler.submitted
      for (const [n, { ref }] of tasks.entries()) yield* scheduler.finish(ref, new Value.Named("Scatter.test/Found/class", { n }))
      const found = yield* client.gather(futures)
      assert.deepStrictEqual(found.map((value) => value instanceof Found && value.n), [0, 1])
      assert.deepStrictEqual(looked, ["file:///home/ann/tasks.ts"])
    }))
})
