import { assert, describe, it } from "@effect/vitest"
import { makeBell } from "@skein/transport/Bell"
import * as Prompt from "@skein/transport/Prompt"
import { Deferred, Effect, Exit, Fiber } from "effect"

describe("a bell", () => {
  it.effect("has something done once at the end of a turn, however often it was rung, and again when that rings it", () =>
    Effect.gen(function*() {
      const bell = makeBell()
      let calls = 0
      yield* Effect.forkScoped(bell.each(() => {
        if (++calls === 1) bell.ring()
        return Prompt.done
      }), { startImmediately: true })
      bell.ring()
      bell.ring()
      assert.strictEqual(calls, 0)
      yield* Effect.yieldNow
      assert.strictEqual(calls, 1)
      yield* Effect.yieldNow
      assert.strictEqual(calls, 2)
      yield* Effect.yieldNow
      assert.strictEqual(calls, 2)
    }))

  it.effect("rung `now`, has it done within the call, and not a second time when the turn ends", () =>
    Effect.gen(function*() {
      const bell = makeBell()
      let calls = 0
      yield* Effect.forkScoped(bell.each(() => {
        calls++
        return Prompt.done
      }), { startImmediately: true })
      bell.ring()
      bell.ringNow()
      assert.strictEqual(calls, 1)
      yield* Effect.yieldNow
      assert.strictEqual(calls, 1)
    }))

  it.effect("has nothing done before what is left of the last time is done, and keeps the ring", () =>
    Effect.gen(function*() {
      const bell = makeBell()
      const left = yield* Deferred.make<void>()
      let calls = 0
      yield* Effect.forkScoped(bell.each(() => ++calls === 1 ? Deferred.await(left) : Prompt.done), { startImmediately: true })
      bell.ringNow()
      bell.ringNow()
      yield* Effect.yieldNow
      assert.strictEqual(calls, 1)
      yield* Deferred.succeed(left, undefined)
      yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.strictEqual(calls, 2)
    }))

  it.effect("fails with what it has done, and its throwing is a defect; interrupted, it has nothing done any more", () =>
    Effect.gen(function*() {
      const endOf = (step: () => Effect.Effect<void, string>) =>
        Effect.gen(function*() {
          const bell = makeBell()
          const fiber = yield* Effect.forkScoped(bell.each(step), { startImmediately: true })
          bell.ringNow()
          return yield* Fiber.await(fiber)
        })
      const thrown = new Error("a bug")
      assert.deepStrictEqual(yield* endOf(() => Effect.fail("no")), Exit.fail("no"))
      assert.deepStrictEqual(yield* endOf(() => { throw thrown }), Exit.die(thrown))
      const bell = makeBell()
      let calls = 0
      const fiber = yield* Effect.forkScoped(bell.each(() => {
        calls++
        return Prompt.done
      }), { startImmediately: true })
      bell.ring()
      yield* Fiber.interrupt(fiber)
      bell.ringNow()
      assert.strictEqual(calls, 0)
    }))
})
