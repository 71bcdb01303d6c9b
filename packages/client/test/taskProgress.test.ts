/** `Future.progress`: what is told to the scheduler of it, and what arrives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Queue, Stream } from "effect"
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import type { Ref } from "@skein/protocol/Ids"
import { fake, type FakeScheduler } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1

const word = (ref: number, done: number): ClientReport => ({ _tag: "Progress", rows: [{ ref: ref as Ref, done, total: done === 3 ? null : 3, note: `at ${done}` }] })
/** The next that was told of watching, or of letting go. */
const nextSaid = ({ said }: FakeScheduler): Effect.Effect<string> =>
  Effect.flatMap(Queue.take(said), (what) => what._tag === "Watch" ? Effect.succeed(`watch ${what.ref}: ${what.on}`) : what._tag === "Release" ? Effect.succeed("release") : nextSaid({ said } as FakeScheduler))
const start = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

describe("the progress of a future", () => {
  it.effect("is watched from the first who listens to the last, and ends with the task", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const all = yield* start(Stream.runCollect(future.progress))
      const first = yield* start(Stream.runHead(future.progress))
      assert.strictEqual(yield* nextSaid(scheduler), "watch 0: true")
      yield* scheduler.report(word(0, 1), word(0, 2))
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(first)).done, 1)
      yield* scheduler.report(word(0, 3), word(7, 9))
      yield* scheduler.finish(0, 2)
      assert.deepStrictEqual(yield* Fiber.join(all), [
        { done: 1, total: Option.some(3), note: "at 1" },
        { done: 2, total: Option.some(3), note: "at 2" },
        { done: 3, total: Option.none(), note: "at 3" }
      ])
      assert.strictEqual(yield* nextSaid(scheduler), "watch 0: false")
      assert.deepStrictEqual(yield* Stream.runCollect(future.progress), [])
    }))

  it.effect("keeps the latest for a slow reader", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const heard: Array<number> = []
      const reading = yield* start(Stream.runForEach(future.progress, ({ done }) => Effect.andThen(Effect.sync(() => heard.push(done)), Effect.yieldNow)))
      yield* nextSaid(scheduler)
      yield* scheduler.report(...Array.from({ length: 200 }, (_, n) => word(0, n)))
      yield* scheduler.finish(0, 2)
      yield* Fiber.join(reading)
      assert.isBelow(heard.length, 40)
      assert.strictEqual(heard.at(-1), 199)
    }))

  it.effect("ends when its future is released, of which the scheduler hears after it", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const all = yield* start(Stream.runCollect(future.progress))
      assert.strictEqual(yield* nextSaid(scheduler), "watch 0: true")
      yield* future.release
      assert.deepStrictEqual(yield* Fiber.join(all), [])
      assert.strictEqual(yield* nextSaid(scheduler), "release")
    }))

  it.effect("fails when the scheduler is lost", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const future = yield* client.submit(inc, 1)
      const all = yield* start(Effect.flip(Stream.runCollect(future.progress)))
      yield* nextSaid(scheduler)
      yield* scheduler.vanish
      assert.strictEqual((yield* Fiber.join(all))._tag, "SchedulerLost")
    }))
})
