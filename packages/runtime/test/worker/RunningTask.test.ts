import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { InThread } from "@skein/runtime/worker/TaskClients"
import { RunningTask } from "@skein/runtime/worker/RunningTask"

/** A run, and what it said of its slot. */
const make = () => {
  const said: Array<string> = []
  const task = new RunningTask({ key: "k", attempt: 2, worker: "w0" }, { give: (waits) => void said.push(waits ? "wait" : "give"), want: () => void said.push("want") }, 7, (run, word) =>
    void said.push(`${run}: ${word.done} of ${word.total} ${word.note}`))
  return { task, said }
}
const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

describe("a running task", () => {
  it.effect("gives its slot back while it waits, and goes on when it has been granted another", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const awaited = yield* Deferred.make<number>()
      const fiber = yield* fork(task.waiting(Deferred.await(awaited)))
      assert.deepStrictEqual(said, ["wait"])
      yield* Deferred.succeed(awaited, 7)
      yield* Effect.yieldNow
      assert.deepStrictEqual(said, ["wait", "want"])
      assert.isUndefined(fiber.pollUnsafe())
      task.granted()
      assert.strictEqual(yield* Fiber.join(fiber), 7)
      assert.deepStrictEqual(said, ["wait", "want"])
    }))

  it.effect("gives it back once for all fibers that wait, and takes it again with the last", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const one = yield* fork(task.waiting(Deferred.await(first)))
      const two = yield* fork(task.waiting(Deferred.await(second)))
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(one)
      assert.deepStrictEqual(said, ["wait"])
      yield* Deferred.succeed(second, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(said, ["wait", "want"])
      task.granted()
      yield* Fiber.join(two)
    }))

  it.effect("lets who comes back go on without a slot when another begins to wait, and gives back what is granted meanwhile", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const later = yield* Deferred.make<void>()
      const back = yield* fork(task.waiting(Effect.void))
      assert.deepStrictEqual(said, ["wait", "want"])
      const waiting = yield* fork(task.waiting(Deferred.await(later)))
      yield* Fiber.join(back)
      task.granted()
      assert.deepStrictEqual(said, ["wait", "want", "wait"])
      yield* Deferred.succeed(later, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(said, ["wait", "want", "wait", "want"])
      task.granted()
      yield* Fiber.join(waiting)
    }))

  it.effect("that has seceded says when it waits for tasks, and runs on when that it no longer does has been heard", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      yield* task.secede
      const one = yield* fork(task.waiting(Deferred.await(first)))
      assert.deepStrictEqual(said, ["give", "wait"])
      yield* Deferred.succeed(first, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(said, ["give", "wait", "give"])
      assert.isUndefined(one.pollUnsafe())
      task.heard()
      yield* Fiber.join(one)
      // One that is given a slot instead gives it back, and goes on.
      const two = yield* fork(task.waiting(Deferred.await(second)))
      yield* Deferred.succeed(second, undefined)
      yield* Effect.yieldNow
      assert.isUndefined(two.pollUnsafe())
      task.granted()
      yield* Fiber.join(two)
      assert.deepStrictEqual(said, ["give", "wait", "give", "wait", "give", "give"])
    }))

  it.effect("secedes until it rejoins, whatever it waits for in between", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      yield* task.secede
      yield* task.secede
      yield* task.seceded(Effect.void)
      assert.deepStrictEqual(said, ["give"])
      const fiber = yield* fork(task.rejoin)
      assert.deepStrictEqual(said, ["give", "want"])
      task.granted()
      yield* Fiber.join(fiber)
      yield* task.rejoin
      assert.deepStrictEqual(said, ["give", "want"])
    }))

  it.effect("waits for a slot even if what it waited for was interrupted", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const fiber = yield* fork(Effect.exit(task.seceded(Effect.interrupt)))
      assert.isUndefined(fiber.pollUnsafe())
      assert.deepStrictEqual(said, ["give", "want"])
      task.granted()
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }))

  it.effect("waits for no slot once it is to stop, and its signal says so", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const { signal } = task
      const fiber = yield* fork(task.seceded(Effect.void))
      assert.isUndefined(fiber.pollUnsafe())
      assert.isFalse(signal.aborted)
      task.interrupt()
      yield* Fiber.join(fiber)
      assert.isTrue(signal.aborted)
      yield* task.seceded(Effect.void)
      assert.deepStrictEqual(said, ["give", "want"])
      task.granted()
      assert.deepStrictEqual(said, ["give", "want"])
    }))

  it.effect("a signal that is looked at after the interruption is aborted too", () =>
    Effect.sync(() => {
      const { task } = make()
      task.interrupt()
      assert.isTrue(task.signal.aborted)
    }))

  it.effect("gives up what it holds when it ends, and what it is given later at once", () =>
    Effect.sync(() => {
      const { task } = make()
      const given: Array<string> = []
      const a = () => void given.push("a")
      const b = () => void given.push("b")
      task.holdings.add(a)
      task.holdings.add(b)
      task.holdings.delete(a)
      task.end()
      assert.deepStrictEqual(given, ["b"])
      task.holdings.add(() => void given.push("c"))
      assert.deepStrictEqual(given, ["b", "c"])
    }))

  it.effect("has no slot to give back in a thread, and says so", () =>
    Effect.gen(function*() {
      const task = new RunningTask({ key: "k", attempt: 1, worker: "w0" }, undefined, 1, () => {}).context(Effect.die("there is one after all"))
      for (const effect of [task.secede, task.rejoin, task.seceded(Effect.void), task.reschedule, task.client]) {
        const exit = yield* Effect.exit(effect)
        const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
        if (reason === undefined || !Cause.isDieReason(reason) || !(reason.defect instanceof InThread)) return assert.fail("it did not say so")
        assert.strictEqual(
          reason.defect.message,
          `the task k runs in a thread, and ${effect === task.client ? "there is no client in a thread" : "the slot of a thread cannot be given back"}\n` +
            "  fix  `isolation: \"fiber\"`, which is what Effects have if nothing is said"
        )
      }
    }))

  it.effect("says how far it is, until it has ended, in words of a bounded length", () =>
    Effect.gen(function*() {
      const { said, task } = make()
      const { progress } = task.context(Effect.die("nobody asks"))
      const first = progress(1, 4, "reading")
      assert.deepStrictEqual(said, [])
      yield* first
      task.progress(2)
      task.progress(3, undefined, "x".repeat(300))
      // As a body may that no compiler has seen.
      const untyped = task as unknown as { readonly progress: (said: unknown) => void }
      assert.throws(() => untyped.progress("50 %"), "progress takes two numbers and a text, such as progress(3, 10, \"reading\")")
      task.end()
      task.progress(4)
      assert.deepStrictEqual(said, ["7: 1 of 4 reading", "7: 2 of undefined ", `7: 3 of undefined ${"x".repeat(200)}`])
    }))
})
