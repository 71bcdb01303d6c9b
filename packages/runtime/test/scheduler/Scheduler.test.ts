import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { Key, TaskId } from "@skein/protocol/Ids"
import type { WorkerCommand } from "@skein/protocol/WorkerRpcs"
import { PATIENCE_MS, PORTION, PORTIONS_APART_MS } from "@skein/runtime/scheduler/Freeing"
import { Journal } from "@skein/runtime/scheduler/Journal"
import { Memory } from "@skein/runtime/scheduler/Memory"
import * as Rig from "./utils/Rig.ts"
import { code, declared, id, key, ref, task } from "./utils/make.ts"

const bytes = (...all: ReadonlyArray<number>) => new Uint8Array(all)
const inc = [declared(code("inc"))]

type Row = Extract<WorkerCommand, { readonly _tag: "Compute" }>["rows"][number]

/** The report that a worker has computed these. */
const finished = (rows: ReadonlyArray<Row | undefined>, value: Uint8Array = bytes(1)) => ({
  segments: [{
    _tag: "Finished" as const,
    rows: rows.filter((row) => row !== undefined).map(({ id, run }) => ({ id, run, nbytes: 8, ms: 1, value }))
  }]
})

/** Everything that has reached the scheduler has been reduced when it answers. */
const settle = (client: Rig.FakeClient) => client.rpc.Counts()

describe("Scheduler", () => {
  it.effect("takes a submission to a worker and its small result to the client", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(5, "a", [], { args: bytes(1, 2) })], last: true } })
      const { codes } = yield* worker.next("Codes")
      const { rows: [asked] } = yield* worker.next("Compute")
      assert.deepStrictEqual(codes, [{ code: asked!.code, def: code("inc") }])
      assert.strictEqual(asked!.key, "a")
      assert.deepStrictEqual(asked!.args, bytes(1, 2))
      yield* worker.rpc.Report(finished([asked], bytes(7, 8, 9)))
      const { peers } = yield* client.next("Peers")
      const { rows } = yield* client.next("InMemory")
      assert.deepStrictEqual(peers, [{ worker: worker.worker, address: "inproc://worker" }])
      const { id, run } = asked!
      assert.deepStrictEqual(rows, [{ ref: ref(5), id, run, nbytes: 8, worker: worker.worker, value: bytes(7, 8, 9) }])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("tells of a code and an address before their first use, and once", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const a = yield* Rig.registered(rig, "a", { nfibers: 4, nthreads: 0 })
      const b = yield* Rig.registered(rig, "b", { nfibers: 0, nthreads: 1 })
      const client = yield* Rig.client(rig)
      const onB = { isolation: "thread" as const }
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "x"), task(2, "y", [1], onB)], last: true } })
      const { rows } = yield* a.next("Compute")
      yield* a.rpc.Report(finished(rows))
      const told: Array<WorkerCommand> = []
      while (told.at(-1)?._tag !== "Compute") told.push(yield* Queue.take(b.commands))
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(3, "z", [1], onB)], last: true } })
      told.push(yield* Queue.take(b.commands))
      const [asked, again] = told.flatMap((segment) => segment._tag === "Compute" ? segment.rows : [])
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["Codes", "Peers", "Compute", "Compute"])
      assert.deepStrictEqual(told[0], { _tag: "Codes", codes: [{ code: asked!.code, def: code("inc") }] })
      assert.deepStrictEqual(told[1], { _tag: "Peers", peers: [{ worker: a.worker, address: "inproc://a" }] })
      const { id, run } = rows[0]!
      for (const row of [asked, again]) assert.deepStrictEqual(row!.dependencies, [{ id, run, nbytes: 8, whoHas: [a.worker] }])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("starts nothing of a graph before its last part", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b", [1])], last: false } })
      assert.deepInclude(yield* settle(client), { released: 2, processing: 0 })
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(3, "c", [1, 2])], last: true } })
      const { rows } = yield* worker.next("Compute")
      assert.deepStrictEqual(rows.map(({ key }) => key), [key("a")])
      assert.deepInclude(yield* settle(client), { waiting: 2, processing: 1 })
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("forgets what is released, and gives its ids again", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b")], last: true } })
      const first = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished(first.rows))
      yield* client.next("InMemory")
      yield* client.rpc.Release({ refs: [ref(2), ref(1)] })
      yield* settle(client)
      yield* TestClock.adjust("10 millis")
      const { rows: freed } = yield* worker.next("Free")
      assert.deepStrictEqual(freed.map(({ id }) => id), [id(1), id(0)])
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 0)
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(1, "c"), task(2, "d")], last: true } })
      const { rows } = yield* worker.next("Compute")
      assert.deepStrictEqual(rows.map(({ id, key }) => [key, id]), [[key("c"), id(1)], [key("d"), id(0)]])
      assert.isAbove(rows[0]!.run, first.rows[1]!.run)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("lets what may be dropped leave with the next that its worker is told, or by itself soon", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b")], last: true } })
      yield* worker.rpc.Report(finished((yield* worker.next("Compute")).rows))
      yield* client.next("InMemory")
      const told = Effect.map(Queue.clear(worker.commands), (all) => all.map(({ _tag }) => _tag))
      yield* client.rpc.Release({ refs: [ref(1)] })
      yield* settle(client)
      assert.deepStrictEqual(yield* told, [])
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(3, "c")], last: true } })
      yield* settle(client)
      assert.deepStrictEqual(yield* told, ["Compute", "Free"])
      yield* client.rpc.Release({ refs: [ref(2)] })
      yield* settle(client)
      yield* TestClock.adjust("9 millis")
      assert.deepStrictEqual(yield* told, [])
      yield* TestClock.adjust("1 millis")
      yield* worker.next("Free")
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("tells of very much that may be dropped in portions, and of a new task before what is left", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig, "worker", { nfibers: 3 * PORTION })
      const client = yield* Rig.client(rig)
      const refs = Array.from({ length: 2 * PORTION + 1 }, (_, n) => ref(n + 1))
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: refs.map((own) => task(own, `t${own}`)), last: true } })
      yield* worker.rpc.Report(finished((yield* worker.next("Compute")).rows))
      yield* client.rpc.Release({ refs })
      yield* settle(client)
      const told = Effect.map(Queue.clear(worker.commands), (all) => all.flatMap((one) => "rows" in one ? `${one._tag} ${one.rows.length}` : []))
      assert.deepStrictEqual(yield* told, [])
      yield* TestClock.adjust(PATIENCE_MS)
      yield* settle(client)
      assert.deepStrictEqual(yield* told, [`Free ${PORTION}`])
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(0, "new")], last: true } })
      yield* settle(client)
      assert.deepStrictEqual(yield* told, ["Compute 1", `Free ${PORTION}`])
      yield* TestClock.adjust(PORTIONS_APART_MS)
      yield* settle(client)
      assert.deepStrictEqual(yield* told, ["Free 1"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("does not take what the journal has not got along with what could wait", () => {
    const written = Latch.makeUnsafe(true)
    const slow = Layer.succeed(Journal, { append: () => written.await, entries: Effect.succeed([]) })
    return Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      yield* worker.rpc.Report(finished((yield* worker.next("Compute")).rows))
      yield* client.next("InMemory")
      yield* client.rpc.Release({ refs: [ref(1)] })
      yield* settle(client)
      written.closeUnsafe()
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(2, "b")], last: true } })
      yield* settle(client)
      yield* TestClock.adjust("10 millis")
      yield* settle(client)
      assert.strictEqual(yield* Queue.size(worker.commands), 0)
      yield* written.open
      yield* worker.next("Compute")
      yield* worker.next("Free")
    }).pipe(Effect.provide(Layer.provideMerge(slow, Rig.layerNoJournal)))
  })

  it.effect("keeps the id of a key that is released and submitted again in one turn", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      yield* settle(client)
      yield* Effect.all([
        client.rpc.Release({ refs: [ref(1)] }),
        client.rpc.Submit({ graph: { codes: [], tasks: [task(2, "a")], last: true } })
      ])
      yield* settle(client)
      const { keys, next } = rig.tree.desk.tables.keys.snapshot()
      assert.strictEqual(keys.length, 1)
      assert.isAtMost(next, 2)
      const worker = yield* Rig.registered(rig)
      const { rows: [asked] } = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished([asked]))
      const { rows: [news] } = yield* client.next("InMemory")
      assert.strictEqual(news!.ref, ref(2))
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("shares a key between clients, and reports to each under its own number", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const [alice, bob] = yield* Effect.all([Rig.client(rig, "alice"), Rig.client(rig, "bob")])
      yield* alice.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      const { rows } = yield* worker.next("Compute")
      yield* bob.rpc.Submit({ graph: { codes: inc, tasks: [task(9, "a")], last: true } })
      yield* settle(bob)
      yield* worker.rpc.Report(finished(rows))
      assert.strictEqual((yield* alice.next("InMemory")).rows[0]!.ref, ref(1))
      assert.strictEqual((yield* bob.next("InMemory")).rows[0]!.ref, ref(9))
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("fails a key that stands for another client's computation, and all that builds on it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const [alice, bob] = yield* Effect.all([Rig.client(rig, "alice"), Rig.client(rig, "bob")])
      yield* alice.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      yield* settle(alice)
      yield* bob.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a", [], { args: bytes(6) }), task(2, "b")], last: true } })
      const { rows: [conflict] } = yield* bob.next("Erred")
      assert.deepStrictEqual(conflict, {
        ref: ref(1),
        failure: { _tag: "Conflict", heldBy: "alice" },
        origin: key("a"),
        originTask: "inc"
      })
      yield* bob.rpc.Submit({ graph: { codes: [], tasks: [task(3, "c", [2, 1])], last: true } })
      const { rows: [built] } = yield* bob.next("Erred")
      assert.strictEqual(built!.ref, ref(3))
      assert.strictEqual(built!.origin, "a")
      assert.deepStrictEqual(yield* bob.rpc.Cancel({ refs: [ref(1), ref(2), ref(3)], note: null, force: false }), [
        "already-done", "cancelled", "already-done"
      ])
      yield* bob.rpc.Release({ refs: [ref(1), ref(2), ref(3)] })
      assert.deepInclude(yield* settle(bob), { noWorker: 1, erred: 0 })
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 1)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("refuses what is new while its memory is nearly full, and all that builds on it, and takes it when there is room", () =>
    Effect.gen(function*() {
      const memory = { ratio: 0.5 }
      const rig = yield* Effect.provideService(Rig.start(), Memory, { loadRatio: () => memory.ratio })
      const client = yield* Rig.client(rig)
      const submit = (...tasks: ReadonlyArray<ReturnType<typeof task>>) => client.rpc.Submit({ graph: { codes: [], tasks, last: true } })
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      yield* settle(client)
      memory.ratio = 0.9
      yield* TestClock.adjust("1 second")
      yield* submit(task(2, "b"), task(3, "c", [2]))
      const { rows } = yield* client.next("Erred")
      const failure = { _tag: "Refused" as const, retryMs: 1_000 }
      assert.deepStrictEqual(rows, [
        { ref: ref(2), failure, origin: key("b"), originTask: "inc" },
        { ref: ref(3), failure, origin: key("c"), originTask: "inc" }
      ])
      yield* submit(task(4, "d", [1, 2]))
      const { rows: [built] } = yield* client.next("Erred")
      assert.deepStrictEqual([built!.ref, built!.failure._tag, built!.origin], [4, "Refused", "d"])
      // What it had goes on, and nothing is kept of the rest.
      assert.deepInclude(yield* settle(client), { noWorker: 1, erred: 0 })
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 1)
      memory.ratio = 0.5
      yield* TestClock.adjust("1 second")
      // Under the number that the client has for it.
      yield* submit(task(2, "b"), task(5, "e", [2]))
      assert.deepInclude(yield* settle(client), { noWorker: 2, waiting: 1 })
      yield* client.rpc.Release({ refs: [ref(1), ref(2), ref(3), ref(4), ref(5)] })
      yield* settle(client)
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 0)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("passes a failure on, with the key and task it came from", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b", [1])], last: true } })
      const { rows: [asked] } = yield* worker.next("Compute")
      const { id, run } = asked!
      yield* worker.rpc.Report({ segments: [{ _tag: "Failed", rows: [{ id, run, ms: 1, failure: bytes(4, 2), retryable: true }] }] })
      const { rows } = yield* client.next("Erred")
      const failure = { _tag: "Raised" as const, body: bytes(4, 2) }
      assert.sameDeepMembers([...rows], [
        { ref: ref(1), failure, origin: key("a"), originTask: "inc" },
        { ref: ref(2), failure, origin: key("a"), originTask: "inc" }
      ])
      yield* client.rpc.Retry({ refs: [ref(1), ref(2)] })
      assert.sameMembers([...(yield* client.next("Pending")).refs], [ref(1), ref(2)])
      const { rows: [again] } = yield* worker.next("Compute")
      assert.isAbove(again!.run, run)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("answers a cancellation only when nothing runs any more", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b")], last: true } })
      const { rows } = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished(rows.slice(1)))
      yield* client.next("InMemory")
      const asking = yield* Effect.forkChild(client.rpc.Cancel({ refs: [ref(2), ref(1)], note: "enough", force: false }), { startImmediately: true })
      const { rows: [stop] } = yield* worker.next("Cancel")
      assert.deepStrictEqual(stop, { id: rows[0]!.id, run: rows[0]!.run })
      yield* settle(client)
      assert.isUndefined(asking.pollUnsafe())
      yield* worker.rpc.Report({ segments: [{ _tag: "Stopped", rows: [stop!] }] })
      assert.deepStrictEqual(yield* Fiber.join(asking), ["already-done", "cancelled"])
      const { rows: [news] } = yield* client.next("Erred")
      assert.deepStrictEqual(news!.failure, { _tag: "Cancelled", by: "client", note: "enough", atMs: 0 })
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("answers who waits for workers when there are enough, and forgets who gave up", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const client = yield* Rig.client(rig)
      yield* Rig.registered(rig, "a")
      yield* client.rpc.AwaitWorkers({ count: 1 })
      const patient = yield* Effect.forkChild(client.rpc.AwaitWorkers({ count: 2 }), { startImmediately: true })
      const hasty = yield* Effect.forkChild(client.rpc.AwaitWorkers({ count: 3 }), { startImmediately: true })
      yield* settle(client)
      assert.strictEqual(rig.tree.state().asks.size, 2)
      yield* Fiber.interrupt(hasty)
      yield* settle(client)
      yield* settle(client)
      assert.strictEqual(rig.tree.state().asks.size, 1)
      assert.isUndefined(patient.pollUnsafe())
      yield* Rig.registered(rig, "b")
      yield* Fiber.join(patient)
      assert.strictEqual(rig.tree.desk.asking.size(), 0)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("releases what a client held when it goes", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const [alice, bob] = yield* Effect.all([Rig.client(rig, "alice"), Rig.client(rig, "bob")])
      yield* alice.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b", [1])], last: true } })
      const { rows } = yield* worker.next("Compute")
      yield* alice.leave
      const { rows: [stop] } = yield* worker.next("Cancel")
      yield* worker.rpc.Report({ segments: [{ _tag: "Stopped", rows: [stop!] }] })
      yield* settle(bob)
      assert.strictEqual(stop!.run, rows[0]!.run)
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 0)
      assert.strictEqual(rig.tree.desk.registry.clients.size, 1)
      assert.deepInclude(rig.tree.state().counts, { released: 0, processing: 0, waiting: 0 })
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("drops code that nobody calls, tells the workers, and tells it anew when it is called again", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const client = yield* Rig.client(rig)
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      const first = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished(first.rows))
      yield* client.rpc.Release({ refs: [ref(1)] })
      yield* settle(client)
      const many = Array.from({ length: 1_100 }, (_, n) => declared(code(`f${n}`), n + 1))
      yield* client.rpc.Submit({ graph: { codes: many, tasks: [], last: true } })
      const { codes } = yield* worker.next("ForgetCodes")
      assert.deepStrictEqual(codes, [first.rows[0]!.code])
      yield* client.rpc.Submit({ graph: { codes: [], tasks: [task(1, "b")], last: true } })
      const told = yield* worker.next("Codes")
      const { rows: [asked] } = yield* worker.next("Compute")
      assert.deepStrictEqual(told.codes, [{ code: asked!.code, def: code("inc") }])
      assert.notStrictEqual(asked!.code, first.rows[0]!.code)
    }).pipe(Effect.provide(Rig.layer)))
})

describe("inspecting", () => {
  it.effect("shows workers, counts, tasks, where a value is and what happened to it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig, "w", { nthreads: 2, pid: 77 })
      const client = yield* Rig.client(rig, "alice")
      yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b", [1])], last: true } })
      const { rows } = yield* worker.next("Compute")
      yield* worker.rpc.Report({ segments: [...finished(rows).segments, { _tag: "Load", memoryBytes: 1234, managedBytes: 8 }] })
      yield* client.next("InMemory")

      const [shown] = yield* client.rpc.Workers()
      assert.deepInclude(shown, { worker: worker.worker, name: "w", pid: 77, nthreads: 2, memoryBytes: 1234, managedBytes: 8, processing: 1 })
      assert.deepInclude(yield* client.rpc.Counts(), { memory: 1, processing: 1 })

      const { next, rows: all } = yield* client.rpc.Tasks({ keys: null, from: 0 })
      assert.isNull(next)
      assert.deepStrictEqual(all, (yield* client.rpc.Tasks({ keys: [key("a"), Key.make("unheard of"), key("b")], from: 0 })).rows)
      assert.deepStrictEqual(all[0], {
        key: key("a"),
        name: "inc",
        status: "memory",
        priority: 0,
        workers: ["w"],
        waitingOn: [],
        dependents: [key("b")],
        nbytes: 8,
        clients: ["alice"]
      })
      assert.deepStrictEqual(yield* client.rpc.Locate({ ref: ref(1) }), {
        id: rows[0]!.id,
        run: rows[0]!.run,
        nbytes: 8,
        addresses: ["inproc://w"]
      })
      assert.isNull(yield* client.rpc.Locate({ ref: ref(2) }))
      const story = (yield* client.rpc.Story({ key: key("a") })).join("\n")
      assert.include(story, "processing → memory on w")
      assert.include(story, `w: w was told of task ${TaskId.make(0)}`)
      assert.deepStrictEqual(yield* client.rpc.Story({ key: key("unheard of") }), [])
    }).pipe(Effect.provide(Rig.layer)))
})
