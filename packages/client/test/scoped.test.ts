/**
 * Clients whose futures end with a scope, and what a client says of its connection.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import { Client } from "@skein/client/Client"
import { fake, type FakeScheduler } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1

/** References of the next keys that are released. */
const released = (scheduler: FakeScheduler, count: number) =>
  Effect.gen(function*() {
    const refs: Array<number> = []
    while (refs.length < count) {
      const said = yield* Queue.take(scheduler.said)
      if (said._tag === "Release") refs.push(...said.refs)
    }
    return refs
  })

describe("scoped", () => {
  it.effect("futures are released when the scope ends, once, and those of others are not", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const [kept, inside] = yield* Effect.scoped(Effect.gen(function*() {
        const scoped = yield* client.scoped
        const kept = yield* client.submit(inc, 1)
        const inside = yield* scoped.with({ priority: 1 }).submit(inc, 2)
        const gone = yield* scoped.submit(inc, 3)
        yield* scheduler.submitted
        yield* gone.release
        return [kept, inside] as const
      }))
      assert.deepStrictEqual(yield* released(scheduler, 2), [2, 1])
      assert.include((yield* Effect.flip(inside.result)).message, "the future was released")
      assert.strictEqual(yield* kept.status, "pending")
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
    }))

  it.effect("of scopes within each other the first that ends releases; what comes after the end is released at once", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const outer = yield* Scope.make()
      const inner = yield* Scope.make()
      const scoped = yield* Scope.provide(Effect.flatMap(Scope.provide(client.scoped, outer), (client) => client.scoped), inner)
      yield* scoped.submit(inc, 1)
      yield* scheduler.submitted
      yield* Scope.close(outer, Exit.void)
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [0 as never] })
      yield* scoped.submit(inc, 2)
      assert.deepStrictEqual([(yield* Queue.take(scheduler.said))._tag, (yield* Queue.take(scheduler.said))._tag], ["Submit", "Release"])
      yield* Scope.close(inner, Exit.void)
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
    }))

  it.effect("a future that was collected is forgotten by its scope", () =>
    Effect.gen(function*() {
      const { client, collect, scheduler } = yield* fake()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.flatMap(client.scoped, ({ submit }) => submit(inc, 1))
        yield* scheduler.submitted
        collect()
        assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Release")
      }))
      yield* client.inspect.counts
      assert.strictEqual(yield* Queue.size(scheduler.said), 0)
    }))

  it.effect("layerScoped is a region, fresh at every use", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const region = (n: number) => Effect.provide(Effect.flatMap(Client, ({ submit }) => submit(inc, n)), Client.layerScoped)
      yield* Effect.gen(function*() {
        const [a, b] = [yield* region(1), yield* region(2)]
        assert.deepStrictEqual([yield* a.status, yield* b.status], ["cancelled", "cancelled"])
      }).pipe(Effect.provideService(Client, client))
      assert.deepStrictEqual(yield* released(scheduler, 2), [0, 1])
    }))
})

describe("connection", () => {
  it.effect("says what it is, and ends when it is lost", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const states: Array<string> = []
      const first = yield* Stream.runHead(client.connection)
      assert.strictEqual(first._tag, "Some")
      const fiber = yield* Effect.forkChild(Stream.runForEach(client.connection, (state) => Effect.sync(() => void states.push(state))))
      yield* scheduler.vanish
      yield* Fiber.join(fiber)
      assert.strictEqual(states.at(-1), "lost")
      assert.deepStrictEqual(yield* Stream.runCollect(client.connection), ["lost"])
    }))
})
