import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Latch, Layer, Queue, Scope } from "effect"
import { SocketServer } from "effect/socket"
import { TestClock } from "effect/testing"
import * as Memory from "@skein/transport/Memory"
import * as NodeHashing from "@skein/transport/node/Hashing"
import { Journal, JournalFailed } from "@skein/runtime/scheduler/Journal"
import { HIGH_WATER } from "@skein/runtime/scheduler/Mailbox"
import { decode } from "@skein/runtime/scheduler/SchedulerConfig"
import * as Ticking from "@skein/runtime/Ticking"
import * as Tree from "@skein/runtime/scheduler/Tree"
import * as Rig from "./utils/Rig.ts"
import { code, declared, task } from "./utils/make.ts"

const inc = [declared(code("inc"))]

/** A journal that asks for each batch whether it may be written. */
const journalWith = (append: Effect.Effect<void, JournalFailed>) =>
  Layer.mergeAll(NodeHashing.layer, Layer.succeed(Journal, { append: () => append, entries: Effect.succeed([]) }))

const dieWith = (what: string) => Effect.die(new Error(what))

describe("the scheduler's tree", () => {
  it.effect("ends when its journal cannot be written, and says why", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const client = yield* Rig.client(rig)
      const ended = yield* Effect.exit(rig.tree.ended)
      assert(Exit.isFailure(ended))
      assert.include(Cause.pretty(ended.cause), "disk full")
      assert.strictEqual((yield* Rig.endOf(client.session)).kind, "closed")
    }).pipe(Effect.provide(journalWith(Effect.fail(new JournalFailed({ detail: "disk full" }))))))

  it.effect("ends when its loop has a defect: the loop is not started again", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      yield* Rig.client(rig)
      const ended = yield* Effect.exit(rig.tree.ended)
      assert(Exit.isFailure(ended))
      assert.include(Cause.pretty(ended.cause), "a bug")
      assert.include(Cause.pretty(ended.cause), `its child "state"`)
    }).pipe(Effect.provide(journalWith(dieWith("a bug")))))

  it.effect("goes on when what accepts connections fails, and gives up when that fails too often", () =>
    Effect.gen(function*() {
      const network = Memory.makeNetwork()
      const server = yield* network.listen("scheduler")
      const failures = yield* Queue.unbounded<void>()
      const failing = SocketServer.SocketServer.of({
        ...server,
        run: (handler) => Effect.raceFirst(server.run(handler), Effect.andThen(Queue.take(failures), dieWith("no more connections")))
      })
      const tree = yield* Tree.start(yield* Effect.orDie(decode({})), failing)
      const rig: Rig.Rig = { connect: Effect.sync(() => network.connect("scheduler")), tree }
      for (let n = 0; n < 3; n++) {
        const client = yield* Rig.client(rig)
        yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, `k${n}`)], last: true } })
        assert.deepInclude(yield* client.rpc.Counts(), { noWorker: 1 })
        yield* Queue.offer(failures, undefined)
        yield* Rig.endOf(client.session)
      }
      yield* Rig.client(rig)
      yield* Queue.offer(failures, undefined)
      const ended = yield* Effect.exit(tree.ended)
      assert(Exit.isFailure(ended))
      assert.include(Cause.pretty(ended.cause), "no more connections")
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("ends when there has been nothing to do for so long, though clients are connected (test_scheduler.py::test_idle_timeout)", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ idleTimeoutMs: 500 })
      const client = yield* Rig.client(rig)
      const worker = yield* Rig.registered(rig, "a")
      const ended = yield* Effect.forkChild(rig.tree.ended, { startImmediately: true })
      yield* TestClock.adjust(400)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "k")], last: true } })
      const { rows: [first] } = yield* worker.next("Compute")
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(ended.pollUnsafe())
      yield* worker.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id: first!.id, run: first!.run, nbytes: 8, ms: 1, value: new Uint8Array(0) }] }] })
      yield* client.next("InMemory")
      yield* TestClock.adjust(400)
      assert.isUndefined(ended.pollUnsafe())
      yield* TestClock.adjust(400)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(ended)))
      assert.strictEqual((yield* Rig.endOf(client.session)).kind, "closed")
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("waits half a minute for somebody to come, if it may not be idle for as long", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ idleTimeoutMs: 500 })
      const ended = yield* Effect.forkChild(rig.tree.ended, { startImmediately: true })
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(ended.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(ended)))
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("closes its sessions in good order when it is stopped", () =>
    Effect.gen(function*() {
      const theirs = yield* Effect.scope
      const { client, worker } = yield* Effect.scoped(Effect.gen(function*() {
        const rig = yield* Rig.start()
        return {
          client: yield* Scope.provide(Rig.client(rig), theirs),
          worker: yield* Scope.provide(Rig.registered(rig), theirs)
        }
      }))
      assert.strictEqual((yield* Rig.endOf(client.session)).kind, "closed")
      assert.strictEqual((yield* Rig.endOf(worker.session)).kind, "closed")
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a slow journal", () => {
  it.effect("holds back what its batch has led to", () =>
    Effect.gen(function*() {
      const gate = yield* Latch.make(true)
      yield* Effect.gen(function*() {
        const rig = yield* Rig.start()
        const worker = yield* Rig.registered(rig)
        const client = yield* Rig.client(rig)
        yield* client.rpc.AwaitWorkers({ count: 1 })
        yield* gate.close
        yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
        while (rig.tree.state().counts.processing === 0) yield* Effect.yieldNow
        for (let n = 0; n < 1_000; n++) yield* Effect.yieldNow
        assert.strictEqual(Queue.sizeUnsafe(worker.commands), 0)
        yield* gate.open
        assert.strictEqual((yield* worker.next("Compute")).rows[0]!.key, "a")
      }).pipe(Effect.provide(journalWith(Effect.asVoid(gate.await))))
    }))

  it.effect("makes peers wait instead of filling the mailbox", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const rig = yield* Rig.start()
        const client = yield* Rig.client(rig)
        const total = HIGH_WATER + 12_000
        const sending = yield* Effect.forkChild(Effect.forEach(
          Array.from({ length: total }, (_, n) => n),
          () => client.rpc.Release({ refs: [] }),
          { discard: true }
        ))
        // It stops by itself, far from the end: the session's window is full.
        let before = -1
        while (rig.tree.desk.mailbox.size() !== before) {
          before = rig.tree.desk.mailbox.size()
          for (let n = 0; n < 1_000; n++) yield* Effect.yieldNow
        }
        assert.isUndefined(sending.pollUnsafe())
        assert.strictEqual(before, HIGH_WATER)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(sending)
        assert.deepInclude(yield* client.rpc.Counts(), { memory: 0 })
      }).pipe(Effect.provide(journalWith(Deferred.await(gate))))
    }))
})

describe("Ticking", () => {
  it.effect("ticks at the time asked for last, once", () =>
    Effect.gen(function*() {
      const ticks: Array<number> = []
      let now = 0
      const ticking = Ticking.make(() => now, () => ticks.push(now))
      const adjust = (ms: number) => {
        now += ms
        return TestClock.adjust(ms)
      }
      yield* Effect.forkChild(ticking.run, { startImmediately: true })
      ticking.wake(100)
      yield* adjust(50)
      ticking.wake(200)
      yield* adjust(100)
      assert.deepStrictEqual(ticks, [])
      yield* adjust(50)
      assert.deepStrictEqual(ticks, [200])
      yield* adjust(1_000)
      ticking.wake(500)
      yield* adjust(0)
      assert.deepStrictEqual(ticks, [200, 1_200])
      ticking.wake(3_000)
      yield* adjust(100)
      ticking.wake(1_500)
      yield* adjust(200)
      assert.deepStrictEqual(ticks, [200, 1_200, 1_500])
      yield* adjust(5_000)
      assert.strictEqual(ticks.length, 3)
    }))
})
