import { assert, describe, it } from "@effect/vitest"
import { Collecting } from "@skein/client/Collecting"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { fake } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1

describe("a future that nothing points to", () => {
  it.effect("is released, once, whatever else is done with its key", () =>
    Effect.gen(function*() {
      const { client, collect, scheduler } = yield* fake()
      const kept = yield* client.submit(inc, 1)
      yield* client.submit(inc, 1)
      const released = yield* client.submit(inc, 2)
      const { tasks } = yield* scheduler.submitted
      yield* released.release
      collect((index) => index > 0)
      yield* client.inspect.counts
      assert.deepStrictEqual(yield* Queue.takeAll(scheduler.said), [{ _tag: "Release", refs: [tasks[1]!.ref] }])
      assert.strictEqual(yield* kept.status, "pending")
    }))

  it.live("is found by the runtime's collector, unless somebody waits for it", () =>
    Effect.gen(function*() {
      setFlagsFromString("--expose-gc")
      const gc = runInNewContext("gc") as () => void
      const { client, scheduler } = yield* fake()
      const collecting = yield* Collecting
      const lost = yield* Deferred.make<void>()
      // Made in a function of its own, so that no frame of this one points to them.
      const waiting = yield* Effect.gen(function*() {
        const awaited = yield* client.submit(inc, 1)
        const unwatched = yield* client.submit(inc, 2)
        collecting.watch(awaited, { onCollected: () => assert.fail("collected while awaited") })
        collecting.watch(unwatched, { onCollected: () => Deferred.doneUnsafe(lost, Effect.void) })
        return yield* Effect.forkChild(awaited.result, { startImmediately: true })
      })
      const { tasks } = yield* scheduler.submitted
      // The collector runs when it likes, a few times at most before it has found what is there to be found.
      const collected = yield* Effect.raceFirst(
        Effect.as(Deferred.await(lost), true),
        Effect.as(Effect.repeat(Effect.andThen(Effect.sync(gc), Effect.sleep(1)), { times: 200 }), false)
      )
      assert.isTrue(collected)
      yield* scheduler.finish(tasks[0]!.ref, 5)
      assert.strictEqual(yield* Fiber.join(waiting), 5)
    }))
})
