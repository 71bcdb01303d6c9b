import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import * as SteadyTime from "@skein/runtime/SteadyTime"

/** A clock whose hands a test sets; milliseconds. */
const settable = (hands: { wall: number; monotonic: number }): Clock.Clock => ({
  ...Effect.runSync(Clock.Clock),
  currentTimeMillisUnsafe: () => hands.wall,
  monotonicTimeNanosUnsafe: () => BigInt(hands.monotonic) * 1_000_000n
})

describe("steady time", () => {
  it("is the wall clock's at first, and then goes with the monotonic clock, whatever is done to the other", () => {
    const hands = { wall: 1_000_000, monotonic: 50 }
    const now = SteadyTime.of(settable(hands))
    assert.strictEqual(now(), 1_000_000)
    hands.wall -= 3_600_000
    hands.monotonic += 7
    assert.strictEqual(now(), 1_000_007)
    hands.wall += 9_000_000
    assert.strictEqual(now(), 1_000_007)
  })

  it("is the same for all that share a clock, whoever looked first", () => {
    const hands = { wall: 1_000, monotonic: 0 }
    const clock = settable(hands)
    const first = SteadyTime.of(clock)
    hands.wall = 99
    const second = SteadyTime.of(clock)
    assert.strictEqual(second(), first())
  })

  it.effect("is had from the clock of the fiber", () =>
    Effect.gen(function*() {
      const hands = { wall: 5_000, monotonic: 1 }
      const clock = settable(hands)
      assert.strictEqual(yield* Effect.provideService(SteadyTime.millis, Clock.Clock, clock), 5_000)
      hands.wall = 1
      hands.monotonic = 4
      assert.strictEqual(yield* Effect.provideService(SteadyTime.millis, Clock.Clock, clock), 5_003)
    }))
})
