import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Stream } from "effect"
import { Task } from "@skein/protocol/Task"
import { SubmitError } from "@skein/protocol/Errors"
import { encodeRaised } from "@skein/protocol/Raised"
import { fake, type FakeScheduler } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
/** References of the next tasks that are submitted. */
const submitted = (scheduler: FakeScheduler, count: number) =>
  Effect.gen(function*() {
    const refs: Array<number> = []
    while (refs.length < count) refs.push(...(yield* scheduler.submitted).tasks.map(({ ref }) => ref))
    return refs
  })
/** What has been said beside submissions, when `count` of it has been. */
const others = (scheduler: FakeScheduler, count: number) =>
  Effect.gen(function*() {
    const said: Array<string> = []
    while (said.length < count) {
      const next = yield* Queue.take(scheduler.said)
      if (next._tag === "Cancel") said.push(`cancel ${next.refs.join()}`)
      if (next._tag === "Release") said.push(`release ${next.refs.join()}`)
    }
    return said
  })

describe("mapStream", () => {
  it.effect("runs a task for each element, and gives the results in their order", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      assert.deepStrictEqual(
        yield* Stream.runCollect(client.mapStream(inc, Stream.range(0, 99))),
        Array.from({ length: 100 }, (_, n) => n + 1)
      )
    }))

  it.effect("has no more than the window in flight, and releases what it is done with", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const fiber = yield* Effect.forkChild(Stream.runCollect(client.mapStream(inc, Stream.range(0, 4), { window: 3 })))
      assert.deepStrictEqual(yield* submitted(scheduler, 3), [0, 1, 2])
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
      yield* scheduler.finish(0, "a")
      assert.deepStrictEqual(yield* others(scheduler, 1), ["release 0"])
      assert.deepStrictEqual(yield* submitted(scheduler, 1), [3])
      yield* Effect.forEach([1, 2, 3], (ref) => scheduler.finish(ref, `${ref}`))
      assert.deepStrictEqual(yield* submitted(scheduler, 1), [4])
      yield* scheduler.finish(4, "4")
      assert.deepStrictEqual((yield* Fiber.join(fiber)) as ReadonlyArray<unknown>, ["a", "1", "2", "3", "4"])
    }))

  it.effect("gives results as they come if their order is of no interest", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const fiber = yield* Effect.forkChild(Stream.runCollect(client.mapStream(inc, Stream.range(0, 2), { ordered: false })))
      yield* submitted(scheduler, 3)
      for (const ref of [2, 0, 1]) {
        yield* scheduler.finish(ref, ref)
        assert.deepStrictEqual(yield* others(scheduler, 1), [`release ${ref}`])
      }
      assert.deepStrictEqual(yield* Fiber.join(fiber), [2, 0, 1])
    }))

  it.effect("a failure fails the stream, and cancels what is in flight", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const failing = Task.fn("failing", (n: number) => Effect.fail(`no ${n}` as const), { module: "file:///tasks.ts" })
      const fiber = yield* Effect.forkChild(Effect.flip(Stream.runDrain(client.mapStream(failing, Stream.range(0, 1), { window: 5 }))))
      yield* submitted(scheduler, 2)
      yield* scheduler.fail(0, { _tag: "Raised", body: encodeRaised({ _tag: "Error", error: "no 0" }, { worker: "w", attempt: 1, startedAtMs: 0, endedAtMs: 1 }) })
      assert.strictEqual(yield* Fiber.join(fiber), "no 0")
      assert.deepStrictEqual((yield* others(scheduler, 3)).sort(), ["cancel 1", "release 0", "release 1"])
    }))

  it.effect("whoever takes no more cancels what is in flight", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const fiber = yield* Effect.forkChild(Stream.runCollect(Stream.take(client.mapStream(inc, Stream.range(0, 1)), 1)))
      yield* submitted(scheduler, 2)
      yield* scheduler.finish(0, 1)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1])
      assert.deepStrictEqual((yield* others(scheduler, 3)).sort(), ["cancel 1", "release 0", "release 1"])
    }))

  it.effect("the input's failure is the stream's, after what came before it", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const seen: Array<number> = []
      const failed = yield* Effect.flip(Stream.runForEach(
        client.mapStream(inc, Stream.concat(Stream.make(1, 2), Stream.fail("the source is dry"))),
        (n) => Effect.sync(() => void seen.push(n))
      ))
      assert.strictEqual(failed, "the source is dry")
      assert.deepStrictEqual(seen, [2, 3])
    }))

  it.effect("what a window cannot be is refused", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      for (const window of [0, 1.5, Number.NaN]) {
        const failed = yield* Effect.flip(Stream.runDrain(client.mapStream(inc, Stream.make(1), { window })))
        assert(failed instanceof SubmitError)
        assert.strictEqual(failed.message, "SKEIN1013 the option `window` is not valid: expected a whole number from 1\n  fix  change or remove it")
      }
    }))
})
