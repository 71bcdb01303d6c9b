import { assert, describe, it } from "@effect/vitest"
import { Effect, SubscriptionRef } from "effect"
import * as Border from "@skein/runtime/scheduler/Border"
import { refuse } from "@skein/runtime/scheduler/Violation"
import * as Prompt from "@skein/transport/Prompt"
import type { Session, Status } from "@skein/transport/Session"

/** A session that is ended, but whose messages still come. */
const lingering = Effect.map(SubscriptionRef.make<Status>("connected"), (status) => {
  const ends: Array<unknown> = []
  const session: Session = {
    send: () => Effect.void,
    offer: () => Effect.void,
    sendNow: () => Effect.void,
    run: () => Effect.never,
    end: (cause) => Effect.sync(() => void ends.push(cause)),
    close: Effect.void,
    ended: Effect.never,
    status,
    beatMs: () => 1000,
    graceMs: 5000,
    peer: { role: "client", name: "x" }
  }
  return { ends, session }
})

describe("Border", () => {
  it.effect("takes nothing after a violation, though more is on its way", () =>
    Effect.gen(function*() {
      const { ends, session } = yield* lingering
      const border = Border.make(session)
      const taken: Array<string> = []
      const take = (what: () => void) => Effect.forkChild(border.take(what), { startImmediately: true })
      yield* take(() => void taken.push("good"))
      yield* take(() => refuse("it makes no sense"))
      yield* take(() => void taken.push("late"))
      assert.deepStrictEqual(taken, ["good"])
      assert.strictEqual(ends.length, 1)
    }))

  it.effect("hears within the call, and nothing any more after a violation", () =>
    Effect.gen(function*() {
      const { ends, session } = yield* lingering
      const border = Border.make(session)
      const heard: Array<string> = []
      assert.isTrue(Prompt.isDone(border.hear(() => void heard.push("good"))))
      assert.deepStrictEqual(heard, ["good"])
      const left = border.hear(() => refuse("it makes no sense"))
      border.hear(() => void heard.push("late"))
      assert.deepStrictEqual(heard, ["good"])
      yield* Effect.forkScoped(left, { startImmediately: true })
      assert.strictEqual(ends.length, 1)
    }))

  it.effect("takes nothing once it is closed", () =>
    Effect.gen(function*() {
      const { ends, session } = yield* lingering
      const border = Border.make(session)
      border.close()
      const waiting = yield* Effect.forkChild(border.take(() => 1), { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(ends, [])
    }))
})
