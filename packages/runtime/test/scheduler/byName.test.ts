/**
 * Keys that clients ask for by name, and tasks that they leave to themselves, at
 * the border and in the shell.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer, Logger } from "effect"
import { encodeRaised } from "@skein/protocol/Raised"
import type { WorkerCommand } from "@skein/protocol/WorkerRpcs"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as Rig from "./utils/Rig.ts"
import { code, declared, key, ref, task } from "./utils/make.ts"

type Row = Extract<WorkerCommand, { readonly _tag: "Compute" }>["rows"][number]

const inc = [declared(code("inc"))]
const finished = (row: Row | undefined) => ({
  segments: [{ _tag: "Finished" as const, rows: row === undefined ? [] : [{ id: row.id, run: row.run, nbytes: 8, ms: 1, value: new Uint8Array([1]) }] }]
})
const settle = (client: Rig.FakeClient) => client.rpc.Counts()

describe("a key that is asked for by its name", () => {
  it.effect("is told to the asker, and kept for it", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const ann = yield* Rig.client(rig, "ann")
      const bob = yield* Rig.client(rig, "bob")
      yield* ann.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      const { rows: [asked] } = yield* worker.next("Compute")
      yield* bob.rpc.Want({ rows: [{ ref: ref(7), key: key("a") }] })
      yield* settle(bob)
      yield* ann.rpc.Release({ refs: [ref(1)] })
      yield* worker.rpc.Report(finished(asked))
      assert.deepStrictEqual((yield* bob.next("InMemory")).rows.map(({ ref }) => ref), [ref(7)])
      assert.deepInclude(yield* settle(bob), { memory: 1 })
      yield* bob.rpc.Release({ refs: [ref(7)] })
      assert.deepInclude(yield* settle(bob), { memory: 0, released: 0 })
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that nobody knows is reported, may be asked for again under its number, and what is built on it fails alike", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const bob = yield* Rig.client(rig, "bob")
      yield* bob.rpc.Want({ rows: [{ ref: ref(1), key: key("a") }] })
      const { rows: [unknown] } = yield* bob.next("Erred")
      assert.deepStrictEqual(unknown, { ref: ref(1), failure: { _tag: "Unknown" }, origin: key("a"), originTask: "" })
      yield* bob.rpc.Submit({ graph: { codes: inc, tasks: [task(2, "b", [1])], last: true } })
      assert.deepInclude((yield* bob.next("Erred")).rows[0], { ref: ref(2), failure: { _tag: "Unknown" }, origin: key("a") })
      const ann = yield* Rig.client(rig, "ann")
      yield* ann.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      const { rows: [asked] } = yield* worker.next("Compute")
      yield* bob.rpc.Want({ rows: [{ ref: ref(1), key: key("a") }] })
      yield* settle(bob)
      yield* worker.rpc.Report(finished(asked))
      assert.deepStrictEqual((yield* bob.next("InMemory")).rows.map(({ ref }) => ref), [ref(1)])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("and that is submitted in the same breath is the submitted one", () => {
    const gate = Latch.makeUnsafe(true)
    const journal = Layer.succeed(Journal, { append: () => gate.await, entries: Effect.succeed([]) })
    return Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const bob = yield* Rig.client(rig, "bob")
      yield* bob.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a")], last: true } })
      const { rows: [first] } = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished(first))
      yield* bob.next("InMemory")
      // While the journal is slow all three come together: by the second the first has made the key unknown, by the third it is known again.
      yield* gate.close
      yield* bob.rpc.Retry({ refs: [ref(1)] })
      yield* settle(bob)
      yield* bob.rpc.Release({ refs: [ref(1)] })
      yield* bob.rpc.Want({ rows: [{ ref: ref(2), key: key("a") }] })
      yield* bob.rpc.Submit({ graph: { codes: [], tasks: [task(2, "a")], last: true } })
      yield* Effect.repeat(Effect.yieldNow, { until: () => rig.tree.desk.mailbox.size() === 3 })
      yield* gate.open
      assert.deepStrictEqual((yield* bob.next("InMemory")).rows.map(({ ref }) => ref), [ref(1)])
      const { rows: [again] } = yield* worker.next("Compute")
      yield* worker.rpc.Report(finished(again))
      assert.deepStrictEqual((yield* bob.next("InMemory")).rows.map(({ ref }) => ref), [ref(2)])
      yield* bob.rpc.Release({ refs: [ref(2)] })
      assert.deepInclude(yield* settle(bob), { memory: 0, released: 0, erred: 0 })
    }).pipe(Effect.provide([Rig.layerNoJournal, journal]))
  })
})

describe("a task that nobody needs to hold", () => {
  it.effect("goes on when its client has left, and the log says that it failed", () => {
    const logged: Array<string> = []
    return Effect.gen(function*() {
      const rig = yield* Rig.start()
      const worker = yield* Rig.registered(rig)
      const ann = yield* Rig.client(rig, "ann")
      const bob = yield* Rig.client(rig, "bob")
      yield* ann.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "a"), task(2, "b", [1])], last: true } })
      const { rows: [asked] } = yield* worker.next("Compute")
      yield* ann.rpc.Detach({ refs: [ref(2)] })
      yield* settle(ann)
      yield* ann.session.close
      yield* Effect.repeat(settle(bob), { until: ({ waiting }) => waiting === 1 })
      assert.deepStrictEqual(yield* bob.rpc.Clients(), [{ id: "client-1", name: "bob", wants: 0 }, { id: "fire-and-forget", name: "fire-and-forget", wants: 1 }])
      const failure = encodeRaised({ _tag: "Defect", defect: new Error("boom") }, { worker: "w", attempt: 1, startedAtMs: 0, endedAtMs: 1 })
      yield* worker.rpc.Report({ segments: [{ _tag: "Failed", rows: [{ id: asked!.id, run: asked!.run, ms: 1, failure, retryable: false }] }] })
      yield* Effect.repeat(settle(bob), { until: ({ erred, processing, waiting }) => erred + processing + waiting === 0 })
      assert.deepStrictEqual(logged.filter((line) => line.startsWith("fire")), ["fire and forget: \"b\" failed because \"a\" threw on w: Error: boom"])
      assert.lengthOf(yield* bob.rpc.Clients(), 1)
    }).pipe(Effect.provide([Rig.layer, Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])]))
  })
})
