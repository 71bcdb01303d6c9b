/**
 * Keys that somebody else has submitted, and tasks that nobody needs to hold.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Queue, Schema, Stream } from "effect"
import { SubmitError } from "@skein/protocol/Errors"
import { TaskError } from "@skein/protocol/Failure"
import type { Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as Value from "@skein/protocol/Value"
import { bytesOf, fake, type FakeScheduler } from "./utils/FakeScheduler.ts"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Number, y: Schema.Number }) {
  get sum() {
    return this.x + this.y
  }
}
const inc = (n: number) => n + 1
const bytesInMemory = (scheduler: FakeScheduler, ref: number, value: Uint8Array) =>
  scheduler.report({ _tag: "InMemory", rows: [{ ref: ref as Ref, id: ref as TaskId, run: 1 as RunId, nbytes: 8, worker: 0 as WorkerId, value }] })
/** As a task with a codec of its own would have it travel. */
const named = (name: string, value: unknown) => bytesOf(new Value.Named(name, value))

describe("future", () => {
  it.effect("asks for the key, and is one future more of a key that is held already", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.future<number>("theirs")
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Want", rows: [{ ref: 0 as Ref, key: "theirs" }] })
      const b = yield* client.future<number>("theirs")
      const waiting = yield* Effect.forkChild(b.result, { startImmediately: true })
      yield* a.release
      yield* scheduler.finish(0, 7)
      assert.strictEqual(yield* Fiber.join(waiting), 7)
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
      yield* b.release
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [0 as Ref] })
    }))

  it.effect("of a key that nobody knows is lost, and says what to do; asked again, the scheduler is asked again", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.future("nobody's")
      yield* Queue.take(scheduler.said)
      yield* scheduler.fail(0, { _tag: "Unknown" }, { key: "nobody's", task: "" })
      const failed = yield* Effect.flip(future.result)
      assert(failed instanceof TaskError)
      assert.strictEqual(
        failed.message,
        "SKEIN3006 nobody's is not known to the scheduler: nobody has submitted it, or all who had have released it\n" +
          "  A result is kept as long as some client holds a future of it.\n" +
          "  fix 1  look at the key again: `client.inspect.tasks()` lists them all\n" +
          "  fix 2  hold a future of it until others have theirs"
      )
      assert.strictEqual(yield* future.status, "lost")
      const again = yield* client.future("nobody's")
      assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Want")
      yield* scheduler.finish(0, 1)
      assert.deepStrictEqual([yield* again.result, yield* future.result], [1, 1])
    }))

  it.effect("revives the result through the schema, however it travelled", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const values = [bytesOf({ x: 1, y: 2 }), named("of a module that is not loaded here/success", { x: 1, y: 2 })]
      for (const [ref, bytes] of values.entries()) {
        const future = yield* client.future(`p${ref}`, Point)
        yield* bytesInMemory(scheduler, ref, bytes)
        const point = yield* future.result
        assert(point instanceof Point)
        assert.strictEqual(point.sum, 3)
        assert.deepStrictEqual((yield* client.gather([future]))[0], point)
      }
      const dates = yield* client.future("when", Schema.Struct({ at: Schema.Date }))
      yield* bytesInMemory(scheduler, 2, bytesOf({ at: new Date(0) }))
      assert.deepStrictEqual(yield* dates.result, { at: new Date(0) })
    }))

  it.effect("a result that its schema refuses fails, and says why", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.future("p", Point)
      yield* bytesInMemory(scheduler, 0, bytesOf({ x: 1, y: "two" }))
      const failed = yield* Effect.flip(future.result)
      assert.strictEqual(failed.reason._tag, "TaskDefect")
      assert.strictEqual(failed.message, "SKEIN3000 p threw on this client: Error: its value is not what the schema says: Expected number\n  at [\"y\"]")
    }))

  it.effect("what the client then submits under the key is told under the same number", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const theirs = yield* client.future<number>("shared")
      yield* Queue.take(scheduler.said)
      const own = yield* client.with({ key: "shared" }).submit(inc, 1)
      const graph = yield* scheduler.submitted
      assert.deepStrictEqual(graph.tasks.map(({ key, ref }) => [key as string, ref as number]), [["shared", 0]])
      // That nobody knew it was true when it was asked for, and is so no longer.
      yield* scheduler.fail(0, { _tag: "Unknown" }, { key: "shared", task: "" })
      assert.strictEqual(yield* theirs.status, "pending")
      yield* scheduler.finish(0, 2)
      assert.deepStrictEqual([yield* theirs.result, yield* own.result], [2, 2])
      assert.strictEqual((yield* Effect.flip(client.with({ key: "shared" }).submit(inc, 2))).reason._tag, "KeyConflict")
    }))

  it.effect("a key of a batch that failed is theirs again", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const theirs = yield* client.future<number>("shared")
      yield* Effect.ignore(client.batch((batch) => Effect.andThen(batch.with({ key: "shared" }).submit(inc, 1), Effect.fail("no"))))
      yield* scheduler.finish(0, 9)
      assert.strictEqual(yield* theirs.result, 9)
      const kept = yield* client.batch((batch) => batch.with({ key: "shared" }).submit(inc, 8))
      assert.strictEqual((yield* scheduler.submitted).tasks[0]!.ref as number, 0)
      yield* scheduler.finish(0, 9)
      assert.strictEqual(yield* kept.result, 9)
    }))

  it.effect("what was known of it by its name is not taken for what the client then submits under it, until the scheduler says so", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const theirs = yield* client.future<number>("shared")
      yield* scheduler.finish(0, 9)
      assert.strictEqual(yield* theirs.result, 9)
      const own = yield* client.with({ key: "shared" }).submit(inc, 1)
      assert.strictEqual(yield* own.status, "pending")
      yield* scheduler.fail(0, { _tag: "Conflict", heldBy: "client \"bob\"" }, { key: "shared", task: "inc" })
      assert.strictEqual((yield* Effect.flip(own.result)).reason._tag, "KeyConflict")
    }))

  it.effect("is asked for again when a batch that was to submit it has failed", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const theirs = yield* client.future<number>("shared")
      yield* Queue.take(scheduler.said)
      yield* scheduler.finish(0, 9)
      assert.strictEqual(yield* theirs.result, 9)
      yield* Effect.ignore(client.batch((batch) => Effect.gen(function*() {
        yield* batch.with({ key: "shared" }).submit(inc, 1)
        assert.strictEqual(yield* theirs.status, "pending")
        return yield* Effect.fail("no")
      })))
      assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Want")
      yield* scheduler.finish(0, 9)
      assert.strictEqual(yield* theirs.result, 9)
    }))

  it.effect("can be an argument like any other, and fails like any other when the scheduler is gone", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const theirs = yield* client.future<number>("theirs")
      yield* client.submit(inc, theirs)
      assert.deepStrictEqual((yield* scheduler.submitted).tasks[0]!.dependencies, [0 as Ref])
      yield* scheduler.vanish
      assert.strictEqual((yield* Effect.flip(theirs.result)).reason._tag, "SchedulerLost")
      const late = yield* client.future("late")
      assert.strictEqual((yield* Effect.flip(late.result)).reason._tag, "SchedulerLost")
    }))
})

describe("fireAndForget", () => {
  it.effect("is told before the release, and with the batch whose task it is", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      yield* scheduler.submitted
      yield* client.fireAndForget(future)
      yield* future.release
      const said = [yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said)]
      assert.deepStrictEqual(said, [{ _tag: "Detach", refs: [0 as Ref] }, { _tag: "Release", refs: [0 as Ref] }])
      yield* client.batch((batch) =>
        Effect.gen(function*() {
          const inside = yield* batch.submit(inc, 2)
          yield* batch.fireAndForget(inside)
          yield* inside.release
        })
      )
      const sent = [yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said)]
      assert.deepStrictEqual(sent.map(({ _tag }) => _tag), ["Submit", "Detach", "Release"])
    }))

  it.effect("of what it cannot keep it says so", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const { client: other } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
        assert(error instanceof SubmitError)
        return error.reason._tag
      }
      assert.strictEqual(reasonOf(yield* Effect.exit(other.fireAndForget(future))), "ForeignFuture")
      yield* future.release
      assert.strictEqual(reasonOf(yield* Effect.exit(client.fireAndForget(future))), "FutureReleased")
    }))
})

describe("every member", () => {
  it.effect("works unbound", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const {
        address, asCompleted, batch, cancel, cluster, completions, connection, explain, fireAndForget, future, gather, gatherExits, id, inspect, map, mapArgs,
        mapStream, rebalance, replicate, results, retry, scatter, scatterAll, scoped, submit, wait, waitForWorkers, with: saying, withProgress, ...others
      } = client
      assert.deepStrictEqual(others, {}, "members that this test does not know")
      assert.strictEqual(cluster.schedulerAddress, address)
      assert.isString(id)
      const one = yield* submit(inc, 1)
      const own = [...(yield* map(inc, [2, 3])), ...(yield* mapArgs(inc, [[4]])), yield* batch(({ submit }) => submit(inc, 5)), yield* future<number>(one.key)]
      assert.deepStrictEqual(yield* gather(own), [3, 4, 5, 6, 2])
      assert.lengthOf(yield* gatherExits(own), 5)
      assert.lengthOf((yield* wait(own)).done, 5)
      assert.lengthOf(yield* Stream.runCollect(asCompleted(own)), 5)
      assert.lengthOf(yield* Stream.runCollect(results(own)), 5)
      const { count, take } = yield* completions(own)
      yield* take
      assert.strictEqual(yield* count, 4)
      yield* cancel(own)
      yield* retry(own)
      yield* fireAndForget(one)
      yield* withProgress(own)
      yield* waitForWorkers(1)
      assert.strictEqual((yield* Effect.scoped(Effect.flatMap(scoped, ({ submit }) => submit(inc, 9)))).key.slice(0, 4), "inc-")
      assert.strictEqual((yield* Stream.runHead(connection))._tag, "Some")
      assert.deepStrictEqual(yield* Stream.runCollect(mapStream(inc, Stream.make(1, 2))), [2, 3])
      const { clients, counts, durationsMs, hasWhat, idle, nbytes, processing, saturated, scheduler: about, story, tasks, whoHas, workers, ...more } = inspect
      assert.deepStrictEqual(more, {}, "members that this test does not know")
      yield* Effect.all([clients, counts, durationsMs, hasWhat, idle, nbytes(), processing, saturated, about, story(one), tasks(), whoHas(), workers])
      assert.strictEqual(yield* explain(one), `"${one.key}" is what it is.`)
      assert.strictEqual((yield* saying({ key: "said" }).submit(inc, 10)).key, "said")
      const unsupported: ReadonlyArray<Effect.Effect<void, { readonly _tag: string }>> = [replicate([one]), rebalance(), cluster.scale(1), cluster.retire([])]
      assert.deepStrictEqual(yield* Effect.forEach(unsupported, (effect) => Effect.map(Effect.flip(effect), ({ _tag }) => _tag)), Array(4).fill("ClusterError"))
      for (const method of [scatter, scatterAll]) assert.isFunction(method)
      const { await: awaited, cancel: cancelOne, changes, key, pipe, progress, release, result, retry: retryOne, status, toJSON, toString } = one
      assert.strictEqual(yield* result, 2)
      assert.strictEqual((yield* awaited)._tag, "Success")
      assert.strictEqual(yield* status, "finished")
      assert.strictEqual((yield* Stream.runHead(changes))._tag, "Some")
      assert.isDefined(progress)
      yield* retryOne
      assert.strictEqual(yield* cancelOne(), "cancelled")
      yield* release
      assert.strictEqual(key, one.key)
      assert.isFunction(pipe)
      assert.isFunction(toJSON)
      assert.isFunction(toString)
    }))
})
