/**
 * Who is slow makes others wait, or is cut off; memory stays bounded, and nobody
 * waits for ever.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Hashing } from "@skein/transport/Hashing"
import { layer as hashing } from "@skein/transport/node/Hashing"
import * as Outbox from "@skein/transport/Outbox"
import { SessionEnded } from "@skein/transport/Session"
import { Deferred, Effect, Fiber, Queue, References, type Scope } from "effect"
import { networks } from "./utils/networks.ts"
import { collecting, frame, numberOf, pair } from "./utils/sessions.ts"
import { ends, seeds } from "./utils/storm.ts"
import { SimNet } from "@skein/simulation/SimNet"

const live = <A, E>(effect: Effect.Effect<A, E, Hashing | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(hashing), Effect.provideService(References.MinimumLogLevel, "None"))

describe.each(Object.entries(networks))("over %s", (_, network) => {
  it.live("a writer waits while the window is full, and goes on in order as the reader does", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network, { window: 10_000 })
      let sent = 0
      const writing = yield* Effect.forkChild(Effect.gen(function*() {
        for (let n = 0; n < 100; n++) {
          yield* here.send(frame(n, 1000))
          sent++
        }
      }))
      const gate = yield* Deferred.make<void>()
      const arrived = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(there.run((frame) => Effect.andThen(Deferred.await(gate), Queue.offer(arrived, numberOf(frame)))))
      // What one side sends of its own accord passes beside what waits.
      const down = yield* collecting(here, 1)
      yield* there.send(frame(0))
      yield* down.all
      assert.strictEqual(sent, 9)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(writing)
      for (let n = 0; n < 100; n++) assert.strictEqual(yield* Queue.take(arrived), n)
    })))

  it.live("a writer that gives up waiting leaves nothing behind, and the next one is not held up", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* network, { window: 2000 })
      yield* here.send(frame(0, 1500))
      const waiting = yield* Effect.forkChild(here.send(frame(99, 1500)))
      const small = yield* Effect.forkChild(here.send(frame(1, 100)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      yield* Fiber.join(small)
      const up = yield* collecting(there, 2)
      assert.deepStrictEqual(yield* up.all, [0, 1])
    })))
})

it("two sides that answer every frame while both are full do not wait for each other: 200 seeds", () => {
  seeds(200, [0, 0.05, 0.1], () =>
    Effect.gen(function*() {
      const { here, there } = yield* ends(new SimNet(), { window: 300, frameLimit: 10_000, beatMs: Infinity })
      const COUNT = 40
      const done = yield* Deferred.make<void>()
      let answers = 0
      /** Sends questions, and answers each question by as large a frame from within its handler. */
      const side = (own: typeof here) =>
        Effect.raceFirst(
          own.run((frame_) => {
            if (numberOf(frame_) >= 1000) return ++answers === 2 * COUNT ? Deferred.succeed(done, undefined) : Effect.void
            return Effect.orDie(own.send(frame(1000 + numberOf(frame_), 100)))
          }),
          Effect.gen(function*() {
            for (let n = 0; n < COUNT; n++) yield* own.send(frame(n, 100))
            return yield* Effect.never
          })
        )
      yield* Effect.raceFirst(Deferred.await(done), Effect.raceFirst(side(here), side(there)))
      assert.strictEqual(answers, 2 * COUNT)
    }))
}, 600_000)

describe("a side that reads nothing", () => {
  it.live("while answers to it pile up is cut off, and another session is untouched", () =>
    live(Effect.gen(function*() {
      const { here, there } = yield* pair(yield* networks.memory, { window: 1000, frameLimit: 1000 })
      const other = yield* pair(yield* networks.memory)
      // Answers from within the handler never wait; the other side does not run its session, so it acknowledges none of them.
      yield* Effect.forkScoped(there.run(() => Effect.ignore(there.send(new Uint8Array(900)))))
      yield* Effect.forkScoped(Effect.ignore(Effect.forever(here.send(frame(0, 10)))))
      assert.strictEqual((yield* Effect.flip(there.ended)).kind, "overrun")
      const up = yield* collecting(other.there, 1)
      yield* other.here.send(frame(5))
      assert.deepStrictEqual(yield* up.all, [5])
    })))
})

describe("an outbox", () => {
  it.effect("sends all that one turn offers as one message, in order", () =>
    Effect.gen(function*() {
      const sent = yield* Queue.unbounded<ReadonlyArray<number>>()
      const outbox = yield* Outbox.make<number, never, never>({ send: (rows) => Queue.offer(sent, rows) })
      yield* Effect.forkScoped(outbox.run)
      outbox.offer(1)
      outbox.offerAll([2, 3])
      outbox.offer(4)
      assert.deepStrictEqual(yield* Queue.take(sent), [1, 2, 3, 4])
    }))

  it.effect("sends what has gathered within `flush`, once, and goes on as before", () =>
    Effect.gen(function*() {
      const sent: Array<ReadonlyArray<number>> = []
      const outbox = yield* Outbox.make<number, never, never>({ send: (rows) => Effect.sync(() => void sent.push(rows)) })
      yield* Effect.forkScoped(outbox.run, { startImmediately: true })
      outbox.flush()
      outbox.offerAll([1, 2])
      outbox.flush()
      assert.deepStrictEqual(sent, [[1, 2]])
      outbox.offer(3)
      assert.deepStrictEqual(sent, [[1, 2]])
      outbox.offer(4)
      while (sent.length < 2) yield* Effect.yieldNow
      yield* Effect.yieldNow
      assert.deepStrictEqual(sent, [[1, 2], [3, 4]])
    }))

  it.effect("gathers while a message is under way, and sends that as the next one", () =>
    Effect.gen(function*() {
      const sent = yield* Queue.unbounded<ReadonlyArray<number>>()
      const gate = yield* Deferred.make<void>()
      const outbox = yield* Outbox.make<number, never, never>({ send: (rows) => Effect.andThen(Queue.offer(sent, rows), Deferred.await(gate)) })
      yield* Effect.forkScoped(outbox.run)
      outbox.offer(0)
      assert.deepStrictEqual(yield* Queue.take(sent), [0])
      for (let n = 1; n <= 100; n++) outbox.offer(n)
      assert.strictEqual(outbox.size(), 101)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Queue.take(sent)).length, 100)
    }))

  it.effect("splits what is too much for one message", () =>
    Effect.gen(function*() {
      const sent = yield* Queue.unbounded<ReadonlyArray<number>>()
      const outbox = yield* Outbox.make<number, never, never>({ send: (rows) => Queue.offer(sent, rows), batchRows: 3 })
      yield* Effect.forkScoped(outbox.run)
      outbox.offerAll([1, 2, 3, 4, 5, 6, 7])
      assert.deepStrictEqual([yield* Queue.take(sent), yield* Queue.take(sent), yield* Queue.take(sent)], [[1, 2, 3], [4, 5, 6], [7]])
    }))

  it.effect("of a peer that takes nothing ends past its limit, though a message is still under way", () =>
    Effect.gen(function*() {
      const outbox = yield* Outbox.make<number, never, never>({ send: () => Effect.never, limitRows: 10 })
      const running = yield* Effect.forkScoped(outbox.run)
      outbox.offer(0)
      yield* Effect.yieldNow
      outbox.offerAll(Array.from({ length: 10 }, (_, n) => n))
      const error = yield* Effect.flip(Fiber.join(running))
      assert.instanceOf(error, SessionEnded)
      assert.strictEqual(error.kind, "overrun")
      const left = outbox.size()
      outbox.offer(1)
      assert.strictEqual(outbox.size(), left)
    }))
})
