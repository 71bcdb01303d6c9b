import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@skein/core/worker/Event"
import { WorkerId } from "@skein/protocol/Ids"
import * as Mailbox from "@skein/runtime/worker/Mailbox"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Session } from "@skein/transport/Session"

const ticked = (at: number): Event => ({ _tag: "Ticked", at })
const beginning: Mailbox.Beginning = {
  _tag: "Beginning",
  begin: () => ({ _tag: "Started", at: 0, worker: WorkerId.make(1), nthreads: 1, nfibers: 1, holds: [] })
}

describe("Mailbox", () => {
  it.effect("gives all that has come at once, and then waits", () =>
    Effect.gen(function*() {
      const mailbox = Mailbox.make()
      mailbox.offer(ticked(1))
      mailbox.offer(ticked(2))
      yield* mailbox.filled
      assert.deepStrictEqual(mailbox.take(), [ticked(1), ticked(2)])
      const waiting = yield* Effect.forkChild(mailbox.filled, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
    }))

  it.effect("is cut by the beginning of an incarnation", () =>
    Effect.gen(function*() {
      const mailbox = Mailbox.make()
      for (const item of [ticked(1), ticked(2), beginning, beginning, ticked(3)]) mailbox.offer(item)
      const taken = []
      for (let n = 0; n < 4; n++) {
        yield* mailbox.filled
        taken.push(mailbox.take())
      }
      assert.deepStrictEqual(taken, [[ticked(1), ticked(2)], beginning, beginning, [ticked(3)]])
      const waiting = yield* Effect.forkChild(mailbox.filled, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
    }))

  /** Found by exploration: the answer would have been taken for that to the new incarnation's first question. */
  it.effect("drops what peers have answered to the incarnation that is over", () =>
    Effect.sync(() => {
      const mailbox = Mailbox.make()
      const answered = (at: number): Event => ({ _tag: "GatherFailed", at, peer: WorkerId.make(2) })
      for (const item of [answered(1), beginning, answered(2), ticked(3)]) mailbox.offer(item)
      assert.deepStrictEqual(mailbox.take(), [answered(1)])
      assert.deepStrictEqual(mailbox.take(), beginning)
      mailbox.offer(answered(4))
      assert.deepStrictEqual(mailbox.take(), [ticked(3), answered(4)])
    }))

  it.effect("hands over no frame while too much waits, and all of them afterwards", () =>
    Effect.gen(function*() {
      const mailbox = Mailbox.make()
      const frames: Array<number> = []
      const handing = yield* Deferred.make<(frame: Uint8Array) => Effect.Effect<void>>()
      // Of a session only `run` is looked at here.
      const session = { run: (handle: (frame: Uint8Array) => Effect.Effect<void>) => Effect.andThen(Deferred.succeed(handing, handle), Effect.never) } as unknown as Session
      yield* Effect.forkChild(mailbox.holdBack(session).run((frame) => Effect.sync(() => frames.push(frame.length))), { startImmediately: true })
      const hand = yield* Deferred.await(handing)
      for (let n = 0; n < Mailbox.HIGH_WATER - 1; n++) mailbox.offer(ticked(n))
      yield* hand(new Uint8Array(1))
      mailbox.offer(ticked(0))
      const held = yield* Effect.forkChild(hand(new Uint8Array(2)), { startImmediately: true })
      assert.deepStrictEqual(frames, [1])
      assert.isUndefined(held.pollUnsafe())
      mailbox.take()
      yield* Effect.yieldNow
      assert.deepStrictEqual(frames, [1, 2])
    }))
})
