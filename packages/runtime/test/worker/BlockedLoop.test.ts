/** Who is said to have held the event loop, and who is not. Time and computing are the test's. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as BlockedLoop from "@skein/runtime/worker/BlockedLoop"

/** A loop that is watched, in whose process these bodies run, and what is said of it. */
const scene = Effect.fnUntraced(function*(bodies: ReadonlyArray<string>, isOwn = true) {
  const warnings: Array<string> = []
  const clock = yield* Clock.Clock
  let lateMs = 0
  let cpuMs = 0
  const late: Clock.Clock = Object.assign(Object.create(clock), {
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + BigInt(lateMs) * 1_000_000n
  })
  const loop = BlockedLoop.make({
    worker: "worker-1",
    cpuMs: () => cpuMs,
    isOwn,
    bodies: () => bodies
  })
  const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(String(message).split("\n")[0]!))
  yield* loop.run.pipe(Effect.provideService(Clock.Clock, late), Effect.provide(Logger.layer([logger])), Effect.forkScoped({ startImmediately: true }))
  /** The loop comes to nothing for so long, in which the process computes for a part. */
  const blocks = (ms: number, share = 1) =>
    Effect.suspend(() => {
      lateMs += ms
      cpuMs += ms * share
      return TestClock.adjust(500)
    })
  return { loop, warnings, blocks }
})

describe("a blocked event loop", () => {
  it("is told of with the task, for how long, and what to do", () => {
    assert.strictEqual(
      BlockedLoop.warning("worker-1", ["hashAll"], 12_400),
      "SKEIN3004 \"hashAll\" held worker-1's event loop for 12.4 s without yielding\n" +
        "  Meanwhile nothing there could be cancelled, and the worker neither answered nor said that it lives.\n" +
        "  fix 1  Task.fn(\"hashAll\", f, { isolation: \"thread\" }), which is recommended for code that computes\n" +
        "  fix 2  yield now and then: `yield* Effect.yieldNow`"
    )
    assert.match(BlockedLoop.warning("w", ["a", "b"], 3_000), /^SKEIN3004 one of "a", "b" held w's event loop for 3\.0 s [^]*Task\.fn\(…, f,/)
  })

  it.effect("is blamed on the body that runs, if it is the only one", () =>
    Effect.gen(function*() {
      const { blocks, warnings } = yield* scene(["hashAll", "hashAll"])
      yield* blocks(2_900)
      assert.deepStrictEqual(warnings, [])
      yield* blocks(3_100)
      assert.deepStrictEqual(warnings, ["SKEIN3004 \"hashAll\" held worker-1's event loop for 3.1 s without yielding"])
      yield* blocks(0)
      assert.strictEqual(warnings.length, 1)
    }))

  it.effect("is blamed on the body that was seen to do it, whoever else runs", () =>
    Effect.gen(function*() {
      const { blocks, loop, warnings } = yield* scene(["a", "b"], false)
      loop.held("hashAll", 4_000)
      loop.held("b", 3_000)
      yield* blocks(7_000, 0)
      assert.deepStrictEqual(warnings, ["SKEIN3004 \"hashAll\" held worker-1's event loop for 4.0 s without yielding"])
    }))

  it.effect("is blamed on one of a few, if nobody knows better", () =>
    Effect.gen(function*() {
      const { blocks, warnings } = yield* scene(["a", "b", "a", "c", "d"])
      yield* blocks(5_000)
      assert.deepStrictEqual(warnings, ["SKEIN3004 one of \"a\", \"b\", \"c\" held worker-1's event loop for 5.0 s without yielding"])
    }))

  it.effect("is blamed on nobody where the process stood still, no body runs, or others compute there too", () =>
    Effect.gen(function*() {
      const stood = yield* scene(["a"])
      yield* stood.blocks(60_000, 0.1)
      const idle = yield* scene([])
      yield* idle.blocks(60_000)
      const shared = yield* scene(["a"], false)
      yield* shared.blocks(60_000)
      assert.deepStrictEqual([stood.warnings, idle.warnings, shared.warnings], [[], [], []])
    }))

  it.effect("is told of once a minute for the same task", () =>
    Effect.gen(function*() {
      const { blocks, warnings } = yield* scene(["a"])
      for (let n = 0; n < 10; n++) yield* blocks(5_000)
      assert.strictEqual(warnings.length, 1)
      for (let n = 0; n < 5; n++) yield* blocks(5_000)
      assert.strictEqual(warnings.length, 2)
    }))
})
