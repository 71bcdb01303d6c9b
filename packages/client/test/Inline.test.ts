import { assert, describe, it } from "@effect/vitest"
import { Client } from "@skein/client/Client"
import { Future } from "@skein/client/Future"
import { current } from "@skein/protocol/CurrentTask"
import { CODES_REMEMBERED } from "@skein/protocol/Graph"
import { Task } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}
const inc = (n: number) => n + 1
const inline = <A, E>(body: Effect.Effect<A, E, Client>) => Effect.provide(body, Client.layerInline)
const ofTask = (error: { readonly _tag: string }) => error._tag === "TaskError" ? (error as unknown as { readonly reason: { readonly _tag: string } }).reason._tag : error._tag

describe("a client without a cluster", () => {
  it.effect("runs bodies of every kind where they are submitted, closures too, and copies their values", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const seen: Array<object> = []
      const value = { n: 1 }
      const keep = (given: object) => {
        seen.push(given)
        return given
      }
      assert.deepStrictEqual(yield* Future.run(client.submit(keep, value)), value)
      assert.notStrictEqual(seen[0], value)
      assert.strictEqual(yield* Future.run(client.submit(async (n: number) => n + seen.length, 1)), 2)
      assert.strictEqual(yield* Future.run(client.submit(Effect.fn(function*(n: number) { return yield* Effect.succeed(n * 2) }), 4)), 8)
      assert.strictEqual(yield* Future.run(client.submit(Math.max, 1, 5)), 5)
      assert.strictEqual(yield* Future.run(client.submit(Task.fn("named", (n: number) => n + seen.length), 1)), 2)
      assert.strictEqual((yield* Effect.flip(client.submit(function*() { yield 1 }))).code, "SKEIN1001")
      assert.strictEqual((yield* Effect.flip(client.submit((o: object) => o, { f: () => 1 }))).code, "SKEIN1003")
    })))

  it.effect("fills futures in, gathers, maps, and computes equal calls once", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      let calls = 0
      const counted = (n: number) => n + 10 * ++calls
      const [a, b] = [yield* client.submit(counted, 1), yield* client.submit(counted, 1)]
      const sum = yield* client.submit((xs: ReadonlyArray<number>) => xs.reduce((x, y) => x + y, 0), [a, b, 5])
      assert.deepStrictEqual([yield* sum.result, calls], [27, 1])
      const squares = yield* client.map((n: number) => n * n, [1, 2, 3])
      assert.deepStrictEqual(yield* client.gather({ squares, sum }), { squares: [1, 4, 9], sum: 27 })
      assert.strictEqual(yield* Future.run(client.submit((n: number) => n * 2, yield* client.scatter(21))), 42)
      assert.deepStrictEqual(yield* client.batch((batch) => Effect.flatMap(batch.submit(inc, 1), (one) => batch.submit(inc, one))).pipe(Effect.flatMap(({ result }) => result)), 3)
    })))

  it.effect("fails as a cluster does: with the task's own error, or with what became of it, and so do dependents", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const missing = yield* client.submit(Effect.fn(function*(id: number) { return yield* new NotFound({ id }) }), 7)
      const dependent = yield* client.submit((x: unknown) => x, missing)
      const error = yield* Effect.flip(dependent.result)
      assert(error instanceof NotFound)
      assert.strictEqual(error.id, 7)
      const threw = yield* Effect.flip(Future.run(client.submit((): number => { throw new TypeError("boom") })))
      assert.match(threw.message, /^SKEIN3000 .* threw on inline: TypeError: boom/)
      assert.strictEqual(ofTask(yield* Effect.flip(Future.run(client.submit(() => ({ f: () => 1 }))))), "ResultInvalid")
      assert.strictEqual(yield* missing.status, "error")
    })))

  it.effect("repeats attempts after their delay, and ends those that take too long, in virtual time", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      let attempts = 0
      const flaky = (n: number) => {
        if (++attempts < 3) throw new Error(`attempt ${attempts}`)
        return n
      }
      const future = yield* client.with({ retries: { times: 2, delay: "1 second", factor: 2 } }).submit(flaky, 5)
      const waiting = yield* Effect.forkChild(future.result, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(waiting), 5)
      const slow = yield* client.with({ timeout: "1 minute" }).submit(() => Effect.never)
      const failing = yield* Effect.forkChild(Effect.flip(slow.result), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(ofTask(yield* Fiber.join(failing)), "TaskTimeout")
    })))

  it.effect("cancels what runs and what waits for it, and computes it again when asked", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const ended = yield* Deferred.make<void>()
      let runs = 0
      const future = yield* client.submit(() => Effect.suspend(() => ++runs === 1 ? Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined)) : Effect.succeed(3)))
      const dependent = yield* client.submit(inc, future)
      assert.strictEqual((yield* client.inspect.counts).processing, 1)
      assert.strictEqual(yield* future.cancel({ note: "superseded" }), "cancelled")
      assert.isTrue(Deferred.isDoneUnsafe(ended))
      assert.include((yield* Effect.flip(dependent.result)).message, "was cancelled by client \"inline\": \"superseded\"")
      assert.strictEqual(yield* future.status, "cancelled")
      yield* dependent.retry
      assert.strictEqual(yield* dependent.result, 4)
      assert.strictEqual(yield* future.cancel(), "already-done")
    })))

  it.effect("fails and retries a chain that is longer than the stack", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      let runs = 0
      const first = yield* client.submit(() => ++runs === 1 ? Effect.die(new Error("boom")) : Effect.succeed(0))
      const last = yield* client.batch(Effect.fn(function*(batch) {
        let last = yield* batch.submit(inc, first)
        for (let i = 1; i < 8_000; i++) last = yield* batch.submit(inc, last)
        return last
      }))
      assert.match((yield* Effect.flip(last.result)).message, /boom/)
      yield* last.retry
      assert.strictEqual(yield* last.result, 8_000)
    })))

  it.effect("goes on when a program makes functions without end", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const add = (n: number) => new Function("x", `return x + ${n}`) as (x: number) => number
      const many = yield* client.batch((batch) => Effect.forEach(Array.from({ length: CODES_REMEMBERED + 2 }, (_, n) => n), (n) => batch.submit(add(n), 1)))
      const again = yield* Effect.forEach([0, 5, CODES_REMEMBERED + 1], (n) => client.submit(add(n), 2))
      assert.deepStrictEqual(yield* client.gather([...again, many[0]!, many.at(-1)!]), [2, 7, CODES_REMEMBERED + 3, 1, CODES_REMEMBERED + 2])
    })), 30_000)

  it.effect("asks an async body to stop by its signal, and waits until it has", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const events: Array<string> = []
      const future = yield* client.submit(async () => {
        const { signal } = current()!
        events.push("started")
        await new Promise((resume) => signal.addEventListener("abort", resume))
        events.push("stopped")
      })
      assert.strictEqual(yield* future.cancel(), "cancelled")
      assert.deepStrictEqual(events, ["started", "stopped"])
    })))

  it.effect("hands futures over in the order in which they complete, and hears how far bodies are", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const [go, late] = [yield* Deferred.make<void>(), yield* Deferred.make<string>()]
      const first = yield* client.submit(() => Effect.as(Deferred.await(go), 1))
      const second = yield* client.submit(Effect.fn(function*() {
        const task = yield* TaskContext
        yield* task.progress(1, 2, "half")
        return yield* Effect.as(Deferred.succeed(go, undefined), 2)
      }))
      const order = yield* client.results([first, second]).pipe(Stream.map(({ exit }) => Exit.isSuccess(exit) ? exit.value : 0), Stream.runCollect)
      assert.deepStrictEqual([...order].sort(), [1, 2])
      const saying = yield* client.submit(Effect.fn(function*() {
        const task = yield* TaskContext
        yield* task.progress(1, 2, yield* Deferred.await(late))
        return yield* Effect.never
      }))
      const heard = yield* Effect.forkChild(Stream.runHead(saying.progress), { startImmediately: true })
      yield* client.inspect.counts
      yield* Deferred.succeed(late, "half")
      assert.deepStrictEqual(yield* Fiber.join(heard), Option.some({ done: 1, total: Option.some(2), note: "half" }))
    })))

  it.effect("is around bodies too, and what those submit is given up when they end", () =>
    inline(Effect.gen(function*() {
      const client = yield* Client
      const interrupted = yield* Deferred.make<void>()
      const outer = Effect.fn(function*(n: number) {
        const inner = yield* Client
        yield* inner.submit(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
        const { key, worker } = (yield* TaskContext)
        assert.deepStrictEqual([key.slice(0, 6), worker], ["outer-", "inline"])
        return yield* Future.run(inner.submit(inc, n))
      })
      assert.strictEqual(yield* Future.run(client.submit(Task.fn("outer", outer), 1)), 2)
      yield* Deferred.await(interrupted)
      assert.deepStrictEqual(yield* client.inspect.tasks(), [])
    })))

  it.effect("finds services of tasks, and layers of contracts around whoever submits", () => {
    class Db extends Context.Service<Db, { readonly offset: number }>()("inline/Db") {}
    const Add = Task.make("InlineAdd", { payload: { n: Schema.Number }, success: Schema.Number, error: NotFound })
    const AddLive = Add.toLayer(({ n }) => n > 0 ? Effect.succeed(n + 1) : Effect.fail(new NotFound({ id: n })))
    const served = Task.fn("served", Effect.fn(function*(n: number) { return n + (yield* Db).offset }), { services: Layer.succeed(Db, { offset: 100 }) })
    return Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(yield* Future.run(client.submit(served, 1)), 101)
      assert.match((yield* Effect.flip(Future.run(client.submit(Add, { n: 1 })))).message, /nothing around here implements "InlineAdd" \(version 1\)/)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* Future.run(client.submit(Add, { n: 2 })), 3)
        assert.instanceOf(yield* Effect.flip(Future.run(client.submit(Add, { n: 0 }))), NotFound)
      }).pipe(Effect.provide(AddLive))
    }).pipe(inline)
  })

  it.effect("answers what is asked of a cluster as the one program that it is, keeps nothing, and ends with its layer", () =>
    Effect.gen(function*() {
      const { client, future } = yield* inline(Effect.gen(function*() {
        const client = yield* Client
        yield* client.waitForWorkers(1)
        assert.deepStrictEqual((yield* client.inspect.workers).map(({ name }) => name), ["inline"])
        const done = yield* client.submit(inc, 1)
        yield* done.result
        assert.strictEqual(yield* client.explain(done), `"${done.key}" is done; its result (1 B) is in this program.`)
        assert.strictEqual((yield* client.inspect.counts).memory, 1)
        yield* done.release
        assert.strictEqual((yield* client.inspect.counts).memory, 0)
        assert.strictEqual((yield* Effect.flip(client.cluster.scale(2))).code, "SKEIN4006")
        return { client, future: yield* client.submit(() => Effect.never) }
      }))
      assert.strictEqual(ofTask(yield* Effect.flip(future.result)), "SchedulerLost")
      assert.strictEqual((yield* Effect.flip(client.submit(inc, 1))).code, "SKEIN1012")
    }))
})
