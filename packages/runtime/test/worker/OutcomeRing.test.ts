import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as OutcomeRing from "@skein/runtime/worker/OutcomeRing"
import type { PackedReply } from "@skein/runtime/worker/ThreadMessages"

const make = () => {
  const buffer = OutcomeRing.makeBuffer()
  const [thread, owner] = [OutcomeRing.make(buffer), OutcomeRing.make(buffer)]
  const drained = () => {
    const replies: Array<PackedReply> = []
    owner.drain((reply) => replies.push(reply))
    return replies
  }
  return { thread, drained }
}

const reply = (number: number, length: number): PackedReply => [2, number, number / 4, new Uint8Array(length).fill(number)]

/** All that is in it, in words that are compared quickly. */
const summary = ([kind, number, ms, bytes]: PackedReply) =>
  `${kind} ${number} ${ms}: ${bytes?.length} bytes${bytes?.every((byte) => byte === number % 256) === true ? "" : ", other than these"}`

describe("OutcomeRing", () => {
  it.effect("gives what was written, in order, and once, however writing and reading alternate", () =>
    Effect.gen(function*() {
      // A length to be written, or, if it is so great, a look of the owner's.
      const Steps = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20_000 }))), { maxLength: 200 })
      let refused = 0
      for (const steps of yield* Arbitrary.sampleEffect(Steps, { count: 60, size: 200, seed: "ring" })) {
        const { drained, thread } = make()
        const written: Array<string> = []
        const read: Array<string> = []
        for (const [number, step] of steps.entries()) {
          if (step > 17_000) read.push(...drained().map(summary))
          else if (thread.write(reply(number, step))) written.push(summary(reply(number, step)))
          else refused++
        }
        read.push(...drained().map(summary))
        assert.deepStrictEqual(read, written)
      }
      assert.isAbove(refused, 30)
    }))

  it("takes an outcome of each kind, without milliseconds and bytes too", () => {
    const { drained, thread } = make()
    for (const kind of [0, 1, 2, 3, 4] as const) assert.isTrue(thread.write([kind, 2 ** 40 + kind]))
    assert.deepStrictEqual(drained().map(([kind, number, ms, bytes]) => [kind, number, ms, bytes?.length]), [0, 1, 2, 3, 4].map((kind) => [kind, 2 ** 40 + kind, 0, 0]))
  })

  it("refuses what has no room, and has room again once it has been read", () => {
    const { drained, thread } = make()
    assert.isFalse(thread.write(reply(0, 20_000)))
    let count = 0
    while (thread.write(reply(count, 1_000))) count++
    assert.isAbove(count, 60)
    assert.strictEqual(drained().length, count)
    assert.isTrue(thread.write(reply(0, 1_000)))
  })

  it("rings once until the owner has looked", () => {
    const { drained, thread } = make()
    assert.deepStrictEqual([thread.ring(), thread.ring()], [true, false])
    drained()
    assert.deepStrictEqual([thread.ring(), thread.ring()], [true, false])
  })

  it("shows the owner what is written while it looks", () => {
    const { thread } = make()
    const buffer = OutcomeRing.makeBuffer()
    const [other, owner] = [OutcomeRing.make(buffer), OutcomeRing.make(buffer)]
    other.write(reply(1, 8))
    const seen: Array<number> = []
    owner.drain(([, number]) => {
      seen.push(number)
      if (number < 3) other.write(reply(number + 1, 8))
    })
    assert.deepStrictEqual(seen, [1, 2, 3])
    assert.isTrue(thread.ring())
  })
})
