import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import * as Vector from "@skein/core/persistent/Vector"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import { Journal } from "@skein/runtime/scheduler/Journal"
import * as Rig from "./utils/Rig.ts"
import { code, declared, key, process, ref, registration, task } from "./utils/make.ts"

const inc = [declared(code("inc"))]

const died = (name: string, more: Partial<ExitReport> = {}): { readonly report: ExitReport } => ({
  report: { process: process(name), ended: "signal", detail: "SIGKILL", peakMemoryBytes: null, logTail: ["last words"], started: [], ...more }
})

/** A scheduler with a nanny that watches the worker's process, a worker that computes "a", and another one. */
const scene = Effect.fnUntraced(function*(config: object = {}) {
  const rig = yield* Rig.start(config)
  const nanny = yield* Rig.nanny(rig)
  yield* nanny.rpc.Watching({ process: process("a/1") })
  const line = yield* Rig.breakable(rig)
  const a = yield* Rig.registered(line.reach, "a")
  const client = yield* Rig.client(rig)
  yield* client.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "k")], last: true } })
  const { rows: [first] } = yield* a.next("Compute")
  const b = yield* Rig.registered(rig, "b")
  return { rig, nanny, line, a, b, client, first: first! }
})

/** Whether an attempt at the one task ended so. */
const hasDeath = (rig: Rig.Rig, detail: string) =>
  Effect.sync(() => Vector.get(rig.tree.state().tasks, 0)?.trials.deaths.some((death) => death.detail.includes(detail)) === true)

const workers = (rig: Rig.Rig) => [...rig.tree.desk.registry.workers.values()].map(({ registration }) => registration.name)

describe("a worker's loss", () => {
  it.effect("is what its nanny says, at once", () =>
    Effect.gen(function*() {
      const { a, b, first, nanny, rig } = yield* scene()
      yield* nanny.rpc.Exited(died("a/1"))
      const { rows: [again] } = yield* b.next("Compute")
      assert.strictEqual(again!.key, first.key)
      assert.strictEqual(again!.alone, true)
      const why = yield* Rig.endOf(a.session)
      assert.include(why.reason, "its process has ended")
      assert.deepStrictEqual(workers(rig), ["b"])
      assert.isTrue(yield* hasDeath(rig, "SIGKILL"))
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("is what its nanny says, though its session is broken already", () =>
    Effect.gen(function*() {
      const { b, first, line, nanny, rig } = yield* scene()
      yield* line.breakNow
      yield* nanny.rpc.Exited(died("a/1", { detail: "exit code 3", ended: "exit" }))
      const { rows: [again] } = yield* b.next("Compute")
      assert.strictEqual(again!.key, first.key)
      assert.isTrue(yield* hasDeath(rig, "exit code 3"))
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("that was in good order stays so, whatever its nanny says later", () =>
    Effect.gen(function*() {
      const { a, b, client, nanny, rig } = yield* scene()
      yield* a.session.close
      const { rows: [again] } = yield* b.next("Compute")
      yield* nanny.rpc.Exited(died("a/1"))
      yield* client.rpc.Counts()
      assert.strictEqual(again!.alone, false)
      assert.isFalse(yield* hasDeath(rig, "SIGKILL"))
      assert.deepStrictEqual(workers(rig), ["b"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("cannot be said of a process that never registered; nor can that register afterwards", () =>
    Effect.gen(function*() {
      const { client, nanny, rig } = yield* scene()
      yield* nanny.rpc.Watching({ process: process("c/1") })
      yield* nanny.rpc.Exited(died("c/1"))
      const c = yield* Rig.worker(rig, "c")
      const late = yield* Effect.exit(c.rpc.Register({ registration: registration("c") }))
      assert.strictEqual(late._tag, "Failure")
      assert.include((yield* Rig.endOf(c.session)).reason, "its process has ended")
      yield* client.rpc.Counts()
      assert.deepStrictEqual(workers(rig), ["a", "b"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("without a word from a nanny is noticed when its grace is over, and not before", () =>
    Effect.gen(function*() {
      const { b, client, line, rig } = yield* scene()
      const again = yield* Effect.forkChild(b.next("Compute"), { startImmediately: true })
      yield* line.breakNow
      yield* client.rpc.Counts()
      yield* TestClock.adjust(4_900)
      yield* client.rpc.Counts()
      assert.deepStrictEqual(workers(rig), ["a", "b"])
      assert.isUndefined(again.pollUnsafe())
      yield* TestClock.adjust(200)
      const { rows: [row] } = yield* Fiber.join(again)
      assert.strictEqual(row!.key, "k")
      // It may have been what ended the worker.
      assert.strictEqual(row!.alone, true)
      assert.deepStrictEqual(workers(rig), ["b"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("of its connection alone is invisible if it is back within its grace", () =>
    Effect.gen(function*() {
      const { a, b, client, first, line, rig } = yield* scene()
      yield* line.breakNow
      yield* TestClock.adjust(3_000)
      yield* a.rpc.Report({
        segments: [{ _tag: "Finished", rows: [{ id: first.id, run: first.run, nbytes: 1, ms: 1, value: new Uint8Array([3]) }] }]
      })
      yield* line.mend
      yield* TestClock.adjust(3_000)
      const { rows: [news] } = yield* client.next("InMemory")
      assert.deepStrictEqual(news!.value, new Uint8Array([3]))
      yield* TestClock.adjust(10_000)
      assert.deepStrictEqual(workers(rig), ["a", "b"])
      assert.strictEqual(Queue.sizeUnsafe(b.commands), 0)
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("makes way for its process's next incarnation, which brings what it holds", () =>
    Effect.gen(function*() {
      const { a, client, first, rig } = yield* scene()
      const { id, run } = first
      yield* a.rpc.Report({ segments: [{ _tag: "Finished", rows: [{ id, run, nbytes: 8, ms: 1, value: new Uint8Array(0) }] }] })
      yield* client.next("InMemory")
      const holds = [{ key: key("k"), run, nbytes: 8 }, { key: key("gone"), run, nbytes: 8 }]
      const next = yield* Rig.registered(rig, "a", { holds })
      assert.notStrictEqual(next.worker, a.worker)
      assert.deepStrictEqual(next.ids, [id, -1 as typeof id])
      assert.include((yield* Rig.endOf(a.session)).reason, "registered anew")
      assert.deepStrictEqual(workers(rig), ["b", "a"])
      yield* client.rpc.Counts()
      const events = (yield* (yield* Journal).entries).flatMap(({ events }) => events)
      const comings = events.flatMap((event) => event._tag === "WorkerJoined" || event._tag === "WorkerLeft" ? [[event._tag, event.worker]] : [])
      assert.deepStrictEqual(comings.slice(-2), [["WorkerLeft", a.worker], ["WorkerJoined", next.worker]])
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a client's loss", () => {
  it.effect("is noticed when its grace is over", () =>
    Effect.gen(function*() {
      const rig = yield* Rig.start({ clientGraceMs: 60_000 })
      const line = yield* Rig.breakable(rig)
      const lost = yield* Rig.client(line.reach, "lost")
      const other = yield* Rig.client(rig, "other")
      yield* lost.rpc.Submit({ graph: { codes: inc, tasks: [task(1, "k")], last: true } })
      yield* lost.rpc.Counts()
      yield* line.breakNow
      yield* TestClock.adjust(59_000)
      assert.deepInclude(yield* other.rpc.Counts(), { noWorker: 1 })
      yield* TestClock.adjust(2_000)
      assert.deepInclude(yield* other.rpc.Counts(), { noWorker: 0 })
      assert.strictEqual(rig.tree.desk.tables.keys.size(), 0)
    }).pipe(Effect.provide(Rig.layer)))
})

describe("a cancelled task that does not stop", () => {
  const cancel = Effect.fnUntraced(function*({ a, client }: Effect.Success<ReturnType<typeof scene>>) {
    const asking = yield* Effect.forkChild(client.rpc.Cancel({ refs: [ref(1)], note: null, force: false }), { startImmediately: true })
    yield* a.next("Cancel")
    yield* TestClock.adjust(2_100)
    return asking
  })

  it.effect("costs its worker its process, by the nanny that watches it", () =>
    Effect.gen(function*() {
      const all = yield* scene()
      const asking = yield* cancel(all)
      const wanted = yield* Queue.take(all.nanny.wanted)
      assert.strictEqual(wanted.process, "a/1")
      const [shown] = yield* all.client.rpc.Workers()
      assert.deepInclude(shown, { name: "a", status: "closing" })
      yield* all.nanny.rpc.Exited(died("a/1", { ended: "closed" }))
      assert.deepStrictEqual(yield* Fiber.join(asking), ["cancelled"])
    }).pipe(Effect.provide(Rig.layer)))

  it.effect("costs its worker its session, where no nanny watches", () =>
    Effect.gen(function*() {
      const all = yield* scene()
      yield* all.nanny.session.close
      yield* all.client.rpc.Counts()
      const asking = yield* cancel(all)
      assert.isString(yield* Queue.take(all.a.closes))
      assert.strictEqual((yield* Rig.endOf(all.a.session)).kind, "closed")
      assert.deepStrictEqual(yield* Fiber.join(asking), ["cancelled"])
      assert.deepStrictEqual(workers(all.rig), ["b"])
    }).pipe(Effect.provide(Rig.layer)))
})
