import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Option, Queue, Redacted, Result, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Client } from "@skein/client/Client"
import { Future } from "@skein/client/Future"
import { ConnectError, SubmitError } from "@skein/protocol/Errors"
import { TaskError, TaskOrigin } from "@skein/protocol/Failure"
import type { Graph } from "@skein/protocol/Graph"
import { Task } from "@skein/protocol/Task"
import * as Value from "@skein/protocol/Value"
import { encodeRaised } from "@skein/protocol/Raised"
import { fake } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const add = (a: number, b: number) => a + b
const outside = { k: 2 }
class Money {
  readonly amount = 1
}
const reasonOf = <A, R>(submission: Effect.Effect<A, SubmitError, R>) => Effect.map(Effect.flip(submission), (error) => error.reason)
const argsOf = (graph: Graph, index = 0) => Value.decode(graph.tasks[index]!.args, { fill: (i) => `#${i}` })
const raised = (defect: unknown) => encodeRaised({ _tag: "Defect", defect }, { worker: "w1", attempt: 1, startedAtMs: 0, endedAtMs: 5 })

describe("submit", () => {
  it.effect("sends code, arguments and a key made of both, and the result arrives at the future", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const graph = yield* scheduler.submitted
      assert.isTrue(graph.last)
      assert.deepStrictEqual(graph.codes.map(({ def }) => [def.name, def.kind, def.text, def.module, def.isolation, def.body]), [["inc", "function", "(n) => n + 1", null, "thread", "unknown"]])
      const [task] = graph.tasks
      assert.match(task!.key, /^inc-[0-9a-f]{32}$/)
      assert.strictEqual(task!.key, future.key)
      assert.deepStrictEqual([task!.dependencies, task!.priority, task!.retries, task!.isolation], [[], 0, 0, "thread"])
      assert.deepStrictEqual(argsOf(graph), Result.succeed([1]))
      assert.strictEqual(yield* future.status, "pending")
      yield* scheduler.finish(task!.ref, 2)
      assert.strictEqual(yield* future.result, 2)
      assert.strictEqual(yield* future.status, "finished")
    }))

  it.effect("what one turn submits leaves as one message, code told once", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.submit(inc, 1)
      const b = yield* client.submit(inc, 2)
      const c = yield* client.submit(add, a, b)
      const graph = yield* scheduler.submitted
      assert.deepStrictEqual([graph.tasks.length, graph.codes.length], [3, 2])
      assert.deepStrictEqual(graph.tasks[2]!.dependencies, [graph.tasks[0]!.ref, graph.tasks[1]!.ref])
      yield* client.submit(inc, 3)
      assert.deepStrictEqual((yield* scheduler.submitted).codes, [])
      yield* scheduler.finish(graph.tasks[2]!.ref, 5)
      assert.strictEqual(yield* c.result, 5)
    }))

  it.effect("futures stand anywhere in the arguments, the same one is one dependency", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.submit(inc, 1)
      const b = yield* client.submit(inc, 2)
      yield* client.submit((x: { list: ReadonlyArray<number>; map: ReadonlyMap<string, number> }) => x.list.length, { list: [a, 5, b], map: new Map([["a", a]]) })
      const graph = yield* scheduler.submitted
      assert.strictEqual(graph.tasks[2]!.dependencies.length, 2)
      assert.deepStrictEqual(argsOf(graph, 2), Result.succeed([{ list: ["#0", 5, "#1"], map: new Map([["a", "#0"]]) }]))
    }))

  it.effect("equal calls are one task with two references; impure ones are two tasks", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.submit(inc, 1)
      const b = yield* client.submit(inc, 1)
      const c = yield* client.with({ pure: false }).submit(inc, 1)
      const d = yield* client.with({ pure: false }).submit(inc, 1)
      assert.strictEqual(a.key, b.key)
      assert.strictEqual(new Set([a.key, c.key, d.key]).size, 3)
      const graph = yield* scheduler.submitted
      assert.strictEqual(graph.tasks.length, 3)
      yield* a.release
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
      yield* b.release
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [graph.tasks[0]!.ref] })
    }))

  it.effect("what a call depends on is part of its key", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const [a, b] = [yield* client.submit(inc, 1), yield* client.submit(inc, 2)]
      const [x, y, z] = [yield* client.submit(inc, a), yield* client.submit(inc, b), yield* client.submit(inc, a)]
      assert.notStrictEqual(x.key, y.key)
      assert.strictEqual(x.key, z.key)
    }))

  it.effect("a key of the user's is one computation", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const mine = client.with({ key: "mine" })
      const a = yield* mine.submit(inc, 1)
      assert.strictEqual((yield* mine.submit(inc, 1)).key, a.key)
      const reason = yield* reasonOf(mine.submit(inc, 2))
      assert.deepInclude(reason, { _tag: "KeyConflict", key: "mine" })
    }))

  it.effect("options: the last `with` wins, then the definition, then the defaults", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const defined = Task.fn("defined", (n: number) => n, { retries: 3, priority: 5, isolation: "fiber" })
      yield* client.submit(defined, 1)
      yield* client.with({ retries: 1 }).with({ priority: 7 }).submit(defined, 2)
      yield* client.with({ retries: { times: 2 }, isolation: "thread" }).with({ retries: 0 }).submit(defined, 3)
      const graph = yield* scheduler.submitted
      assert.deepStrictEqual(graph.tasks.map(({ isolation, priority, retries }) => [retries, priority, isolation]), [[3, 5, "fiber"], [1, 7, "fiber"], [0, 5, "thread"]])
    }))

  it.effect("what cannot be is refused before anything is sent, with what to do", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const needs = (n: number) => n * outside.k
      const refused = yield* Effect.flip(client.submit(needs, 1))
      assert.deepInclude(refused.reason, { _tag: "NotShippable", names: ["outside"] })
      assert.match(refused.message, /^SKEIN1001 [^]*outside[^]*fix 1/)
      assert.deepInclude(yield* reasonOf(client.submit(Math.max, 1)), { _tag: "NotShippable", names: [] })
      assert.deepInclude(yield* reasonOf(client.submit(Effect.fnUntraced(function*(n: number) { return yield* Effect.succeed(n) }), 1)), { _tag: "NotShippable", names: [] })
      assert.deepInclude(yield* reasonOf(client.submit((x: { m: Money }) => x.m.amount, { m: new Money() })), { _tag: "PayloadInvalid", path: ["0", "m"] })
      assert.deepInclude(yield* reasonOf(client.submit((b: Uint8Array) => b.length, new Uint8Array(9 << 20))), { _tag: "TooLarge" })
      assert.deepInclude(yield* reasonOf(client.with({ timeout: "soon" as "1 second" }).submit(inc, 1)), { _tag: "BadOption", option: "timeout" })
      assert.deepInclude(yield* reasonOf(client.with({ key: "" }).with({ priority: 1 }).submit(inc, 1)), { _tag: "BadOption", option: "key" })
      assert.deepInclude(yield* reasonOf(client.with({ isolation: "thread" }).submit(Task.make("Contract", {}))), { _tag: "BadOption", option: "isolation" })
      const gone = yield* client.submit(inc, 1)
      yield* gone.release
      assert.deepInclude(yield* reasonOf(client.submit(inc, gone)), { _tag: "FutureReleased", key: gone.key })
      const other = yield* (yield* fake()).client.submit(inc, 1)
      assert.deepInclude(yield* reasonOf(client.submit(inc, other)), { _tag: "ForeignFuture", cluster: "inproc://scheduler" })
      yield* client.inspect.counts
      const said = (yield* Queue.takeAll(scheduler.said)).filter(({ _tag }) => _tag === "Submit")
      assert.strictEqual(said.length, 1)
    }))

  it.effect("of a task made by Task.fn the module is told, and the text only if it says everything", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.submit(Task.fn("whole", (n: number) => n), 1)
      yield* client.submit(Task.fn("partial", (n: number) => n * outside.k), 1)
      yield* client.submit(Task.fn("effect", Effect.fnUntraced(function*(n: number) { return yield* Effect.succeed(n) }), { module: import.meta.url }), 1)
      const { codes } = yield* scheduler.submitted
      const module = { id: "@skein/client/test/Client.test.ts", url: codes[0]!.def.module!.url }
      assert.match(module.url, /^file:\/\/.*\/Client\.test\.ts$/)
      assert.deepStrictEqual(
        codes.map(({ def }) => [def.name, def.text, def.module, def.moduleFirst, def.isolation]),
        [["whole", "(n) => n", module, false, "thread"], ["partial", null, module, false, "thread"], ["effect", null, module, true, "fiber"]]
      )
    }))

  it.effect("a contract's payload is looked at first, and its name and version are its code", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const Resize = Task.make("Resize", { payload: { url: Schema.String, width: Schema.Int }, success: Schema.String, version: 2 })
      assert.deepInclude(yield* reasonOf(client.submit(Resize, { url: "a", width: 1.5 })), { _tag: "PayloadInvalid", path: ["width"] })
      const url = yield* client.submit(() => "u")
      const future = yield* client.submit(Resize, { url, width: 1 })
      const graph = yield* scheduler.submitted
      assert.deepStrictEqual(graph.codes.map(({ def }) => [def.name, def.kind, def.version]), [["anonymous", "function", 1], ["Resize", "contract", 2]])
      yield* scheduler.finish(graph.tasks[1]!.ref, new Value.Named("Resize@2/success", "done"))
      assert.strictEqual(yield* future.result, "done")
    }))
})

describe("map", () => {
  it.effect("gives one future per item, in order", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const futures = yield* client.map(inc, [1, 2, 3])
      assert.deepStrictEqual(yield* client.gather(futures), [2, 3, 4])
    }))

  it.effect("options of an item win; a key is a prefix", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.with({ key: "p" }).map(inc, [1, 2])
      yield* client.with({ priority: 1 }).map(inc, [1, 2], { keys: (n, i) => `k-${n}-${i}`, priority: (n) => -n })
      const { tasks } = yield* scheduler.submitted
      assert.deepStrictEqual(tasks.map(({ key, priority }) => [key, priority]), [["p-0", 0], ["p-1", 0], ["k-1-0", -1], ["k-2-1", -2]])
    }))

  it.effect("long ones leave in messages of at most 5,000 tasks, in order, each of which may start by itself", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const items = Array.from({ length: 6_000 }, (_, i) => i)
      yield* client.map(inc, items, { keys: (n) => `${n}` })
      const keys: Array<string> = []
      while (keys.length < items.length) {
        const { last, tasks } = yield* scheduler.submitted
        assert.isTrue(last)
        assert.isAtMost(tasks.length, 5_000)
        keys.push(...tasks.map(({ key }) => key))
      }
      assert.deepStrictEqual(keys, items.map(String))
    }))

  it.effect("the first items of a long one leave at once, while the others are still being built", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      let asked = 0
      const mapping = yield* Effect.forkChild(client.map(inc, Array.from({ length: 100_000 }, (_, i) => i), {
        keys: (n) => {
          asked++
          return `${n}`
        }
      }))
      const { tasks } = yield* scheduler.submitted
      assert.deepStrictEqual([tasks[0]!.key, tasks.length <= 320, asked < 50_000], ["0", true, true])
      yield* Fiber.interrupt(mapping)
    }))

  it.effect("batches are graphs of their own, of which the last message says so", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.map(inc, Array.from({ length: 6_000 }, (_, i) => i), { batchSize: 6_000 })
      let tasks = 0
      let last = false
      while (tasks < 6_000) {
        assert.isFalse(last)
        const graph = yield* scheduler.submitted
        assert.isAtMost(graph.tasks.length, 5_000)
        tasks += graph.tasks.length
        last = graph.last
      }
      assert.isTrue(last)
      assert.deepInclude(yield* reasonOf(client.map(inc, [1], { batchSize: 0 })), { _tag: "BadOption", option: "batchSize" })
    }))

  it.effect("what others submit while a batch is being built does not end its graph, nor become a part of it", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const now = { startImmediately: true }
      const items = Array.from({ length: 3_000 }, (_, i) => i)
      const mapping = yield* Effect.forkChild(client.with({ key: "m" }).map(inc, items, { batchSize: 3_000 }), now)
      const others = [
        yield* Effect.forkChild(client.with({ key: "one" }).submit(inc, 1), now),
        yield* Effect.forkChild(client.batch((batch) => batch.with({ key: "batch" }).map(inc, [1, 2])), now),
        yield* Effect.forkChild(client.with({ key: "n" }).map(inc, items, { batchSize: 3_000 }), now)
      ]
      yield* Effect.all([mapping, ...others].map((fiber: Fiber.Fiber<unknown, unknown>) => Fiber.join(fiber)))
      const keys: Array<string> = []
      while (keys.length < 6_003) {
        const { last, tasks } = yield* scheduler.submitted
        keys.push(...tasks.map(({ key }) => key as string))
        // A message may end where one of the two maps does, or the other's row stands between them; never inside one.
        const ms = keys.filter((key) => key.startsWith("m-")).length
        const ns = keys.filter((key) => key.startsWith("n-")).length
        if (last) assert.deepStrictEqual([ms % 3_000, ns % 3_000], [0, 0])
      }
      for (const name of ["m", "n"]) {
        const from = keys.indexOf(`${name}-0`)
        assert.deepStrictEqual(keys.slice(from, from + 3_000), items.map((i) => `${name}-${i}`))
      }
    }))

  it.effect("others have their turn between two batches of a long map", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const now = { startImmediately: true }
      const mapping = yield* Effect.forkChild(client.with({ key: "m" }).map(inc, Array.from({ length: 30_000 }, (_, i) => i), { batchSize: 300 }), now)
      const other = yield* Effect.forkChild(client.with({ key: "one" }).submit(inc, 1), now)
      yield* Fiber.join(other)
      assert.isUndefined(mapping.pollUnsafe())
      yield* Fiber.join(mapping)
      const keys: Array<string> = []
      while (!keys.includes("one")) keys.push(...(yield* scheduler.submitted).tasks.map(({ key }) => key as string))
      assert.strictEqual(keys.indexOf("one") % 300, 0)
      assert.isBelow(keys.indexOf("one"), 1_000)
    }))

  it.effect("a batch of a map whose items are tasks of another's open batch takes these along, as a part of its graph", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const found = yield* Deferred.make<Future<number, never>>()
      const items = (inner: Future<number, never>) => [0, inner, ...Array.from({ length: 98 }, (_, i) => i + 2)]
      const mapping = yield* Effect.forkChild(Effect.flatMap(Deferred.await(found), (inner) => client.with({ key: "m" }).map(inc, items(inner), { batchSize: 100 })))
      yield* client.batch((batch) =>
        Effect.gen(function*() {
          yield* Deferred.succeed(found, yield* batch.with({ key: "inner" }).submit(inc, 1))
          yield* Fiber.join(mapping)
        })
      )
      const keys: Array<string> = []
      for (let isWhole = false; !isWhole;) {
        const { last, tasks } = yield* scheduler.submitted
        keys.push(...tasks.map(({ key }) => key as string))
        isWhole = last
      }
      assert.deepStrictEqual([keys.length, ...keys.slice(0, 3)], [101, "m-0", "inner", "m-1"])
    }))

  it.effect("a batch that ends with what is held already is ended all the same", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.submit(inc, 7)
      yield* scheduler.submitted
      yield* client.map(inc, [1, 2, 7], { batchSize: 3 })
      const { last, tasks } = yield* scheduler.submitted
      assert.deepStrictEqual([tasks.length, last], [2, true])
    }))

  it.effect("one that fails in the middle gives up what it began, and ends its graph", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const items: ReadonlyArray<unknown> = [1, 2, Symbol("no")]
      assert.deepInclude(yield* reasonOf(client.map((x: unknown) => x, items)), { _tag: "PayloadInvalid" })
      const graph = yield* scheduler.submitted
      assert.deepStrictEqual([graph.tasks.length, graph.last], [2, true])
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: graph.tasks.map(({ ref }) => ref) })
    }))
})

describe("failures", () => {
  it.effect("of the task are its own, of the cluster a TaskError, and say where they come from", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.submit(inc, 1)
      const b = yield* client.submit(inc, a)
      const { tasks } = yield* scheduler.submitted
      const failure = { _tag: "Raised" as const, body: raised(new RangeError("no")) }
      for (const { ref } of tasks) yield* scheduler.fail(ref, failure, { key: a.key, task: "inc" })
      for (const future of [a, b]) {
        const exit = yield* Effect.exit(future.result)
        const cause = Exit.isFailure(exit) ? exit.cause : assert.fail("it has a value")
        const error = Option.getOrThrow(Cause.findErrorOption(cause))
        assert.instanceOf(error, TaskError)
        assert.deepStrictEqual([error.key, error.reason._tag], [a.key, "TaskDefect"])
        assert.deepInclude(Option.getOrThrow(Context.getOption(Cause.annotations(cause), TaskOrigin)), { key: a.key, worker: "w1" })
        assert.deepStrictEqual(yield* future.await, Exit.failCause(cause))
        assert.strictEqual(yield* future.status, "error")
      }
    }))

  it.effect("of what was refused long ago are in the name of the task itself, for the scheduler has forgotten its key", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      yield* scheduler.fail((yield* scheduler.submitted).tasks[0]!.ref, { _tag: "Refused", retryMs: 1_000 }, { key: "", task: "" })
      const exit = yield* Effect.exit(future.result)
      const error = Exit.isFailure(exit) ? Option.getOrThrow(Cause.findErrorOption(exit.cause)) : assert.fail("it has a value")
      assert.instanceOf(error, TaskError)
      assert.deepStrictEqual([error.key, error.task, error.reason._tag], [future.key, "inc", "Overloaded"])
      assert.include(error.message, future.key)
    }))

  it.effect("retry has it computed again, and who waits gets the new result", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      yield* scheduler.fail(ref, { _tag: "Raised", body: raised("x") })
      yield* Effect.exit(future.result)
      yield* future.retry
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Retry", refs: [ref] })
      assert.strictEqual(yield* future.status, "pending")
      const waiting = yield* Effect.forkChild(future.result)
      yield* scheduler.finish(ref, 2)
      assert.strictEqual(yield* Fiber.join(waiting), 2)
    }))

  it.effect("a cancellation that is begun after the release asks nobody", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      const cancelling = future.cancel()
      yield* future.release
      assert.strictEqual(yield* cancelling, "already-done")
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [ref] })
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
    }))

  it.effect("cancel tells the note, completes with the answer, and the future ends as cancelled", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake({ name: "me" })
      const future = yield* client.submit(inc, 1)
      const { cancel } = future
      const ref = (yield* scheduler.submitted).tasks[0]!.ref
      scheduler.cancel = (refs) => Effect.as(scheduler.fail(ref, { _tag: "Cancelled", by: "me", note: "superseded" }), refs.map(() => "cancelled" as const))
      assert.strictEqual(yield* cancel({ note: "superseded" }), "cancelled")
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Cancel", refs: [ref], note: "superseded", force: false })
      const error = yield* Effect.flip(future.result)
      assert.match(String((error as TaskError).message), /cancelled by client "me": "superseded"/)
      assert.strictEqual(yield* future.status, "cancelled")
      yield* client.submit(inc, 1)
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Retry", refs: [ref] })
      assert.strictEqual(yield* future.status, "pending")
    }))

  it.effect("cancel of what is shared or done says so, and force is passed on", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const [a, b] = yield* client.map(inc, [1, 2])
      scheduler.cancel = () => Effect.succeed(["shared"])
      assert.strictEqual(yield* a!.cancel(), "shared")
      yield* b!.release
      assert.strictEqual(yield* b!.cancel(), "already-done")
      yield* client.cancel([a!], { force: true })
      const said = yield* Queue.takeAll(scheduler.said)
      assert.deepInclude(said.at(-1), { _tag: "Cancel", force: true })
    }))

  it.effect("a question about a key never overtakes its submission, nor its release the answer", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const cancelling = yield* Effect.forkChild(future.cancel(), { startImmediately: true })
      yield* future.release
      yield* Fiber.join(cancelling)
      yield* client.inspect.counts
      assert.deepStrictEqual((yield* Queue.takeAll(scheduler.said)).map(({ _tag }) => _tag), ["Submit", "Cancel", "Release"])
    }))
})

describe("the session's end", () => {
  it.effect("fails everybody who waits, and everything that asks", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const [a, b] = yield* client.map(inc, [1, 2])
      yield* scheduler.submitted
      yield* scheduler.finish(0, 7)
      yield* a!.await
      const waiting = yield* Effect.forkChild(Effect.flip(b!.result), { startImmediately: true })
      const taking = yield* Effect.forkChild(Effect.flip(Stream.runCollect(client.asCompleted([b!]))), { startImmediately: true })
      yield* scheduler.vanish
      const error = yield* Fiber.join(waiting)
      assert.instanceOf(error, TaskError)
      assert.strictEqual(error.reason._tag, "SchedulerLost")
      assert.strictEqual((yield* Fiber.join(taking))._tag, "SchedulerLost")
      assert.strictEqual(yield* a!.result, 7)
      assert.strictEqual((yield* Effect.flip(b!.status))._tag, "SchedulerLost")
      assert.strictEqual((yield* Effect.flip(b!.cancel()))._tag, "SchedulerLost")
      assert.strictEqual((yield* Effect.flip(b!.retry))._tag, "SchedulerLost")
      assert.strictEqual((yield* Effect.flip(client.wait([b!])))._tag, "SchedulerLost")
      assert.strictEqual((yield* Effect.flip(client.inspect.workers))._tag, "SchedulerLost")
      assert.strictEqual((yield* reasonOf(client.submit(inc, 9)))._tag, "SchedulerLost")
      const exit = yield* Effect.exit(client.gather([a!, b!]))
      assert.isTrue(Exit.isFailure(exit))
      yield* b!.release
    }))

  it.effect("the client's own: what was told last arrives, and nothing more is taken", () =>
    Effect.gen(function*() {
      const { client, future, scheduler } = yield* Effect.scoped(Effect.gen(function*() {
        const made = yield* fake()
        return { ...made, future: yield* made.client.submit(inc, 1) }
      }))
      assert.strictEqual((yield* scheduler.submitted).tasks.length, 1)
      assert.strictEqual((yield* reasonOf(client.submit(inc, 2)))._tag, "ClientClosed")
      assert.instanceOf(yield* Effect.flip(future.result), TaskError)
    }))
})

describe("Client.layer", () => {
  const build = (options: Parameters<typeof Client.layer>[0]) => Effect.flip(Effect.provide(Client, Client.layer(options)))
  it.effect("refuses what it cannot do, by name", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* build({}), { reason: "BadAddress", code: "SKEIN2008" })
      assert.deepInclude(yield* build({ address: "nowhere" }), { reason: "BadAddress", address: "nowhere" })
      for (const options of [{ tls: { ca: "", cert: "", key: "" } }, { connectionLimit: 0 }]) {
        const error = yield* build({ address: "tcp://127.0.0.1:1", ...options })
        assert.instanceOf(error, ConnectError)
        assert.strictEqual(error.reason, "BadOption")
        assert.include(error.message, Object.keys(options)[0]!)
      }
    }))

  it.live("says that nobody listens, after trying for as long as it was told", () =>
    Effect.gen(function*() {
      const error = yield* build({ address: "tcp://127.0.0.1:1", timeout: "50 millis" })
      assert.deepInclude(error, { reason: "Refused", address: "tcp://127.0.0.1:1", code: "SKEIN2001" })
    }))

  it.effect("says that its token is not accepted", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(fake({ token: Redacted.make("wrong") }))
      assert.deepInclude(error, { _tag: "ConnectError", reason: "Unauthorized" })
    }))
})

describe("waiting for workers", () => {
  it.effect("is a question with an optional limit", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.waitForWorkers(2)
      scheduler.awaitWorkers = () => Effect.never
      const waiting = yield* Effect.forkChild(Effect.flip(client.waitForWorkers(2, { timeout: "3 seconds" })), { startImmediately: true })
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "ClusterError", reason: "Timeout" })
      assert.deepInclude(yield* Effect.flip(client.waitForWorkers(0)), { reason: "BadOption", option: "n" })
    }))
})

describe("Future", () => {
  it.effect("prints as its key, task and status, and pipes", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const future = yield* client.with({ key: "k" }).submit(inc, 1)
      assert.deepStrictEqual(future.toJSON(), { _id: "Future", key: "k", task: "inc", status: "pending" })
      assert.include(String(future), "pending")
      assert.strictEqual(future.pipe((f) => f.key), "k")
      assert.isTrue(Future.isFuture(future))
      assert.isFalse(Future.isFuture({ key: "k" }))
    }))

  it.effect("its changes are its status now and every later one, until it is released", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const { tasks: [task] } = yield* scheduler.submitted
      const seen = yield* Queue.unbounded<string>()
      const watching = yield* Effect.forkChild(Stream.runForEach(future.changes, (status) => Queue.offer(seen, status)), { startImmediately: true })
      assert.strictEqual(yield* Queue.take(seen), "pending")
      yield* scheduler.finish(task!.ref, 1)
      assert.strictEqual(yield* Queue.take(seen), "finished")
      yield* scheduler.pending(task!.ref)
      assert.strictEqual(yield* Queue.take(seen), "pending")
      yield* future.release
      yield* Fiber.join(watching)
    }))

  it.effect("released while somebody waits for it, it says so to them", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const waiting = yield* Effect.forkChild(Effect.flip(future.result), { startImmediately: true })
      yield* future.release
      yield* future.release
      assert.match((yield* Fiber.join(waiting)).message, /the future was released/)
      assert.instanceOf(yield* Effect.flip(future.result), TaskError)
      assert.isTrue(Exit.isFailure(yield* future.await))
    }))

  it.effect("Future.run gives the result and keeps nothing", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      assert.strictEqual(yield* Future.run(client.submit(inc, 1)), 2)
      const { tasks } = yield* scheduler.submitted
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [tasks[0]!.ref] })
    }))

  it.effect("Future.run that is interrupted cancels the work", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const running = yield* Effect.forkChild(Future.run(client.submit(inc, 1)), { startImmediately: true })
      yield* scheduler.submitted
      yield* Fiber.interrupt(running)
      assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Cancel")
      assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Release")
    }))
})
