import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, Queue } from "effect"
import { TestClock } from "effect/testing"
import { TaskError } from "@skein/protocol/Failure"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import { encodeRaised } from "@skein/protocol/Raised"
import * as Bulk from "@skein/transport/Bulk"
import { bulkServer, bytesOf, elsewhere, fake, peer } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const big = "x".repeat(10_000)
const grow = (n: number) => `${n}`
const raised = (defect: unknown) => ({ _tag: "Raised" as const, body: encodeRaised({ _tag: "Defect", defect }, { worker: "w1", attempt: 1, startedAtMs: 0, endedAtMs: 5 }) })

describe("gather", () => {
  it.effect("keeps the shape: objects, arrays, maps and sets, and what holds no future stays itself", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const [a, b] = yield* client.map(inc, [1, 2])
      const date = new Date(0)
      const untouched = { deep: [date] }
      const out = yield* client.gather({ a: a!, list: [b!, 5], map: new Map([["a", a!]]), set: new Set([b!]), untouched, none: Option.none() })
      assert.deepStrictEqual(out, { a: 2, list: [3, 5], map: new Map([["a", 2]]), set: new Set([3]), untouched, none: Option.none() })
      assert.strictEqual(out.untouched, untouched)
      assert.strictEqual(yield* client.gather(5), 5)
      const hostile = yield* client.gather(JSON.parse("{\"__proto__\":1}") as { a?: number })
      assert.isTrue(Object.hasOwn(hostile, "__proto__"))
    }))

  it.effect("fails with the first failure, while others go on", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const [a, b] = yield* client.map(inc, [1, 2])
      const { tasks } = yield* scheduler.submitted
      const gathering = yield* Effect.forkChild(Effect.flip(client.gather([a!, b!])), { startImmediately: true })
      yield* scheduler.fail(tasks[1]!.ref, raised("no"))
      assert.instanceOf(yield* Fiber.join(gathering), TaskError)
      assert.strictEqual(yield* a!.status, "pending")
    }))

  it.effect("refuses the futures of another client", () =>
    Effect.gen(function*() {
      const foreign = yield* (yield* fake()).client.submit(inc, 1)
      const { client } = yield* fake()
      const error = yield* Effect.flip(client.gather([foreign]))
      assert.match(error.message, /belongs to a client of inproc:\/\/scheduler/)
      const [exit] = yield* client.gatherExits([foreign])
      assert.isTrue(Exit.isFailure(exit!))
    }))

  it.effect("gatherExits waits for all, and says what each gave", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const futures = yield* client.map(inc, [1, 2, 3])
      const { tasks } = yield* scheduler.submitted
      const gathering = yield* Effect.forkChild(client.gatherExits(futures), { startImmediately: true })
      yield* scheduler.fail(tasks[0]!.ref, raised("no"))
      yield* scheduler.finish(tasks[1]!.ref, 5)
      assert.isUndefined(gathering.pollUnsafe())
      yield* scheduler.finish(tasks[2]!.ref, 6)
      const exits = yield* Fiber.join(gathering)
      assert.deepStrictEqual(exits.map((exit) => Exit.isSuccess(exit) ? exit.value : "failed"), ["failed", 5, 6])
    }))
})

describe("large values", () => {
  it.effect("are fetched from the worker that has them, all of one worker in one question", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      const asked = yield* bulkServer(network, "w0", ({ id }) => Bulk.found(bytesOf(`${id}${big}`)))
      const futures = yield* client.map(grow, [1, 2, 3])
      const { tasks } = yield* scheduler.submitted
      yield* scheduler.report(peer(7, "inproc://w0"), ...tasks.map(({ ref }) => elsewhere(ref, { id: 10 + ref, run: 3, worker: 7, nbytes: 10_002 })))
      assert.deepStrictEqual(yield* client.gather(futures), tasks.map(({ ref }) => `${10 + ref}${big}`))
      assert.deepStrictEqual(asked, [tasks.map(({ ref }) => ({ id: 10 + ref, run: 3 }))])
      assert.strictEqual(yield* futures[0]!.result, `${10 + tasks[0]!.ref}${big}`)
    }))

  it.effect("are looked for elsewhere if their worker has them no longer, or is gone", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      yield* bulkServer(network, "w0", () => Bulk.missing)
      yield* bulkServer(network, "w1", () => Bulk.found(bytesOf(big)))
      scheduler.locate = () => Effect.succeed({ id: 5 as TaskId, run: 4 as RunId, nbytes: 1, addresses: ["inproc://gone", "inproc://w1"] })
      const futures = yield* client.map(grow, [1, 2])
      const { tasks } = yield* scheduler.submitted
      yield* scheduler.report(peer(0, "inproc://w0"), elsewhere(tasks[0]!.ref, { id: 5, run: 4, worker: 0, nbytes: 1 }), elsewhere(tasks[1]!.ref, { id: 6, run: 4, worker: 99, nbytes: 1 }))
      assert.deepStrictEqual(yield* client.gather(futures), [big, big])
    }))

  it.effect("that nobody has any more are waited for", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      yield* bulkServer(network, "w0", () => Bulk.missing)
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      yield* scheduler.report(peer(0, "inproc://w0"), elsewhere(ref, { id: 5, run: 4, worker: 0, nbytes: 1 }))
      const waiting = yield* Effect.forkChild(future.result, { startImmediately: true })
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Locate", ref })
      yield* scheduler.finish(ref, 2)
      assert.strictEqual(yield* Fiber.join(waiting), 2)
    }))

  it.effect("news that comes while the scheduler is asked is not undone by its older answer", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      scheduler.locate = () => Effect.as(scheduler.finish(ref, 3), null)
      yield* scheduler.report(elsewhere(ref, { id: 5, run: 4, worker: 0, nbytes: 1 }))
      assert.strictEqual(yield* future.result, 3)
    }))

  it.effect("of a future that is released while they are looked for are not asked about, and the session goes on", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      // Released after the fetch has begun, and before the scheduler could be asked.
      yield* bulkServer(network, "w0", () => {
        Effect.runSync(future.release)
        return Bulk.missing
      })
      yield* scheduler.report(peer(0, "inproc://w0"), elsewhere(ref, { id: 5, run: 4, worker: 0, nbytes: 1 }))
      const error = yield* Effect.flip(future.result)
      assert.match(error.message, /the future was released/)
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [ref] })
      const after = yield* client.submit(inc, 2)
      yield* scheduler.finish((yield* scheduler.submitted).tasks[0]!.ref, 3)
      assert.strictEqual(yield* after.result, 3)
    }))

  it.effect("of a future that is released while the scheduler is asked for them are not waited for", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      scheduler.locate = () => Effect.as(future.release, null)
      yield* scheduler.report(elsewhere(ref, { id: 5, run: 4, worker: 99, nbytes: 1 }))
      assert.match((yield* Effect.flip(future.result)).message, /the future was released/)
      assert.deepStrictEqual([yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said)], [{ _tag: "Locate", ref }, { _tag: "Release", refs: [ref] }])
    }))

  it.effect("that cannot be fetched for a long time fail, and say why", () =>
    Effect.gen(function*() {
      const { client, network, scheduler } = yield* fake()
      const asked = yield* bulkServer(network, "w0", () => Bulk.busy)
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      scheduler.locate = () => Effect.succeed({ id: 5 as TaskId, run: 4 as RunId, nbytes: 1, addresses: ["inproc://w0"] })
      yield* scheduler.report(peer(0, "inproc://w0"), elsewhere(ref, { id: 5, run: 4, worker: 0, nbytes: 1 }))
      const waiting = yield* Effect.forkChild(Effect.flip(future.result), { startImmediately: true })
      while (waiting.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(waiting)
      assert.match(error.message, /cannot be fetched: inproc:\/\/w0 answered "Busy"/)
      assert.isAbove(asked.length, 10)
    }))

  it.effect("whose bytes make no sense here fail as defects of the task", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      yield* scheduler.report({ _tag: "InMemory", rows: [{ ref, id: 1 as TaskId, run: 1 as RunId, nbytes: 1, worker: 0 as never, value: new Uint8Array([99]) }] })
      const exit = yield* Effect.exit(future.result)
      const error = Exit.isFailure(exit) ? Option.getOrThrow(Cause.findErrorOption(exit.cause)) : assert.fail("it has a value")
      assert.strictEqual(error.reason._tag, "TaskDefect")
    }))
})
