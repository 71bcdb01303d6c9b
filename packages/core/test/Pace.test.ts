import { assert, describe, it } from "@effect/vitest"
import { beatMs, isNotable } from "@skein/core/Pace"

const TTL = 300_000

describe("the pace of signs of life", () => {
  it("is one a second in a small cluster", () => {
    for (const sessions of [0, 1, 2, 49, 50]) assert.strictEqual(beatMs(sessions, TTL), 1_000)
  })

  it("lets a scheduler hear no more than 50 a second in all, and not far fewer than it may", () => {
    for (let sessions = 1; sessions <= 3_750; sessions++) {
      const perSecond = sessions * 1_000 / beatMs(sessions, TTL)
      assert.isAtMost(perSecond, 50)
      if (sessions > 50) assert.isAbove(perSecond, 25)
    }
  })

  it("never grows so slow that silence would last longer than it may, and never faster with more who speak", () => {
    for (const ttl of [1, 10, 5_000, 60_000, TTL]) {
      let last = 0
      for (const sessions of [0, 1, 50, 51, 100, 1_000, 4_096, 1e6]) {
        const beat = beatMs(sessions, ttl)
        assert.isAtLeast(beat, last)
        if (ttl >= 4) assert.isAtMost(4 * beat, ttl)
        assert.isTrue(Number.isInteger(beat) && beat > 0)
        last = beat
      }
    }
  })
})

describe("what a process says of its memory", () => {
  const told = { memoryBytes: 1_600, managedBytes: 160 }
  it("is said once, and again when either number has changed by more than a sixteenth, up or down", () => {
    assert.isTrue(isNotable(undefined, told))
    assert.isFalse(isNotable(told, told))
    assert.isFalse(isNotable(told, { memoryBytes: 1_700, managedBytes: 150 }))
    for (const now of [{ ...told, memoryBytes: 1_701 }, { ...told, memoryBytes: 1_499 }, { ...told, managedBytes: 171 }, { ...told, managedBytes: 149 }]) {
      assert.isTrue(isNotable(told, now))
    }
    assert.isTrue(isNotable({ memoryBytes: 1_600, managedBytes: 0 }, { memoryBytes: 1_600, managedBytes: 1 }))
  })
})
