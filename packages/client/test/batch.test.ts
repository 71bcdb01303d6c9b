/**
 * Batches: one graph or nothing, whatever is done inside.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Queue, Stream } from "effect"
import { Client } from "@skein/client/Client"
import { Future } from "@skein/client/Future"
import { AwaitedInBatch } from "@skein/protocol/Errors"
import type { Key } from "@skein/protocol/Ids"
import { fake, type FakeScheduler } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const add = (a: number, b: number) => a + b
/** Keys of what the scheduler is told next. */
const told = (scheduler: FakeScheduler) => Effect.map(scheduler.submitted, ({ last, tasks }) => ({ last, keys: tasks.map(({ key }) => key as string) }))
/** What the scheduler has been told so far: asked a question, it has been told all that came before. */
const saidBy = Effect.fnUntraced(function*({ inspect }: Client["Service"], scheduler: FakeScheduler) {
  yield* inspect.counts
  return yield* Queue.size(scheduler.said)
})
const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit)

describe("batch", () => {
  it.effect("what an effect submits goes as one graph, after the effect, however long that takes", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const sum = yield* client.batch((batch) =>
        Effect.gen(function*() {
          const many = yield* batch.with({ key: "x" }).map(inc, Array.from({ length: 300 }, (_, n) => n))
          yield* Effect.yieldNow
          assert.strictEqual(yield* saidBy(client, scheduler), 0)
          return yield* batch.with({ key: "sum" }).submit((all: ReadonlyArray<number>) => all.length, many)
        })
      )
      const { last, tasks } = yield* scheduler.submitted
      assert.deepStrictEqual([last, tasks.length, tasks.at(-1)!.key as string], [true, 301, "sum"])
      assert.deepStrictEqual(tasks.at(-1)!.dependencies, tasks.slice(0, 300).map(({ ref }) => ref))
      yield* scheduler.finish(tasks.at(-1)!.ref, 300)
      assert.strictEqual(yield* sum.result, 300)
    }))

  it.effect("a batch too large for one message is a row of them, of which only the last says so", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.batch((batch) => Effect.andThen(batch.map(inc, Array.from({ length: 12_000 }, (_, n) => n)), batch.submit(add, 1, 2)))
      const parts = [yield* scheduler.submitted, yield* scheduler.submitted, yield* scheduler.submitted]
      assert.deepStrictEqual(parts.map(({ last, tasks }) => [tasks.length, last]), [[5_000, false], [5_000, false], [2_001, true]])
    }))

  it.effect("whatever submits inside belongs to it: the client of the context and the client outside, too", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.batch(() =>
        Effect.gen(function*() {
          yield* client.with({ key: "outside" }).submit(inc, 1)
          yield* Effect.flatMap(Client, (own) => own.with({ key: "context" }).submit(inc, 2))
          yield* Effect.forkChild(client.with({ key: "forked" }).submit(inc, 3)).pipe(Effect.flatMap(Fiber.join))
        })
      ).pipe(Effect.provideService(Client, client))
      assert.deepStrictEqual(yield* told(scheduler), { last: true, keys: ["outside", "context", "forked"] })
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
    }))

  it.effect("what fails inside fails before anything is sent, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const before = yield* client.with({ key: "before" }).submit(inc, 0)
      yield* scheduler.submitted
      const kept: Array<Future.Any> = []
      const failed = yield* Effect.flip(client.batch((batch) =>
        Effect.gen(function*() {
          kept.push(yield* batch.with({ key: "inside" }).submit(inc, before))
          kept.push(yield* batch.with({ key: "before" }).submit(inc, 0))
          return yield* batch.submit(inc, (() => 1) as unknown as number)
        })
      ))
      assert.strictEqual(failed.reason._tag, "PayloadInvalid")
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
      assert.strictEqual(yield* kept[0]!.status, "cancelled")
      // The same key is free for another computation, and the code is told again.
      yield* client.with({ key: "inside" }).submit(add, 1, 2)
      assert.deepStrictEqual((yield* scheduler.submitted).codes.length, 1)
      assert.strictEqual(yield* before.status, "pending")
      yield* before.release
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [0 as never] })
    }))

  it.effect("an interrupted batch is not sent", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const inside = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(client.batch((batch) =>
        Effect.andThen(batch.submit(inc, 1), Effect.andThen(Deferred.succeed(inside, undefined), Effect.never))
      ))
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
    }))

  it.effect("a batch inside a batch is a part of it, and is dropped alone if it fails", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.batch((outer) =>
        Effect.gen(function*() {
          const a = yield* outer.with({ key: "a" }).submit(inc, 1)
          const b = yield* outer.batch((inner) => inner.with({ key: "b" }).submit(inc, a))
          yield* Effect.ignore(outer.batch((inner) => Effect.andThen(inner.with({ key: "c" }).submit(inc, b), Effect.fail("no"))))
          assert.strictEqual(yield* saidBy(client, scheduler), 0)
          yield* outer.with({ key: "d" }).submit(add, a, b)
        })
      )
      assert.deepStrictEqual(yield* told(scheduler), { last: true, keys: ["a", "b", "d"] })
    }))

  it.effect("what is released inside is sent only if something else needs it", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const kept = yield* client.batch((batch) =>
        Effect.gen(function*() {
          const a = yield* batch.with({ key: "a" }).submit(inc, 1)
          const b = yield* batch.with({ key: "b" }).submit(inc, a)
          const c = yield* batch.with({ key: "c" }).submit(inc, 3)
          yield* a.release
          yield* c.release
          return b
        })
      )
      const { tasks } = yield* scheduler.submitted
      assert.deepStrictEqual(tasks.map(({ key }) => key as string), ["a", "b"])
      assert.deepStrictEqual(yield* Queue.take(scheduler.said), { _tag: "Release", refs: [tasks[0]!.ref] })
      assert.strictEqual(yield* kept.status, "pending")
    }))

  it.effect("what it depends on is held until it is sent, though it is released meanwhile", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const outside = yield* client.with({ key: "outside" }).submit(inc, 1)
      yield* scheduler.submitted
      yield* client.batch((batch) => Effect.andThen(batch.with({ key: "inside" }).submit(inc, outside), outside.release))
      const told = [yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said)]
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["Submit", "Release"])
    }))

  it.effect("waiting inside for what it submits is refused, by name, and so is cancelling it", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const ways: Record<string, (client: Client["Service"], future: Future<number>) => Effect.Effect<unknown, unknown>> = {
        result: (_, { result }) => result,
        await: (_, future) => future.await,
        changes: (_, { changes }) => Stream.runDrain(changes),
        cancel: (_, { cancel }) => cancel(),
        gather: ({ gather }, future) => gather([future]),
        gatherExits: ({ gatherExits }, future) => gatherExits([future]),
        wait: ({ wait }, future) => wait([future]),
        asCompleted: ({ asCompleted }, future) => Stream.runDrain(asCompleted([future])),
        progress: ({ withProgress }, future) => withProgress([future])
      }
      for (const [way, use] of Object.entries(ways)) {
        const defect = yield* defectOf(client.batch((batch) => Effect.flatMap(batch.with({ key: "k" }).submit(inc, 1), (future) => use(batch, future))))
        assert(defect instanceof AwaitedInBatch, way)
        assert.strictEqual(
          defect.message,
          "SKEIN1014 \"k\" was awaited inside the batch that submits it\n" +
            "  A batch is sent when its effect is over, so this would have waited for ever.\n" +
            "  fix 1  return the future from the batch, and await it after that\n" +
            "  fix 2  submit what has to be known first before the batch"
        )
      }
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
      // What was submitted before may be awaited.
      yield* scheduler.compute
      const before = yield* client.submit(inc, 1)
      assert.strictEqual(yield* client.batch(() => before.result), 2)
    }))

  it.effect("others wait for it as for any task, and may submit what needs a task of it, which then goes ahead", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const shared = yield* Deferred.make<Future<number>>()
      const go = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(client.batch((batch) =>
        Effect.gen(function*() {
          const a = yield* batch.with({ key: "a" }).submit(inc, 1)
          const b = yield* batch.with({ key: "b" }).submit(inc, a)
          yield* batch.with({ key: "c" }).submit(inc, b)
          yield* Deferred.succeed(shared, b)
          yield* Deferred.await(go)
        })
      ))
      const b = yield* Deferred.await(shared)
      const waiting = yield* Effect.forkChild(b.result, { startImmediately: true })
      const cancelling = yield* Effect.forkChild(b.cancel(), { startImmediately: true })
      yield* client.with({ key: "z" }).submit(inc, b)
      assert.deepStrictEqual(yield* told(scheduler), { last: true, keys: ["a", "b", "z"] })
      assert.strictEqual((yield* Queue.take(scheduler.said))._tag, "Cancel")
      assert.strictEqual(yield* Fiber.join(cancelling), "cancelled")
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual((yield* told(scheduler)).keys, ["c"])
      yield* scheduler.finish(1, 3)
      assert.strictEqual(yield* Fiber.join(waiting), 3)
    }))

  it.effect("the same call inside and outside is one task", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const [inside, outside] = yield* client.batch((batch) => Effect.all([batch.submit(inc, 5), batch.submit(inc, 5)]))
      assert.strictEqual(inside.key, outside.key)
      assert.deepStrictEqual([yield* inside.result, yield* outside.result], [6, 6])
      const again = yield* client.batch((batch) => batch.submit(inc, 5))
      assert.strictEqual(yield* again.result, 6)
      yield* scheduler.submitted
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
    }))

  it.effect("what was cancelled and is wanted again is retried before the batch that needs it is told", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const a = yield* client.with({ key: "a" }).submit(inc, 1)
      yield* scheduler.submitted
      yield* scheduler.fail(0, { _tag: "Cancelled", by: "me", note: null })
      yield* a.await
      yield* client.batch((batch) =>
        Effect.gen(function*() {
          yield* batch.with({ key: "b" }).submit(inc, yield* batch.with({ key: "a" }).submit(inc, 1))
          assert.strictEqual(yield* saidBy(client, scheduler), 0)
        })
      )
      const told = [yield* Queue.take(scheduler.said), yield* Queue.take(scheduler.said)]
      assert.deepStrictEqual(told.map(({ _tag }) => _tag), ["Retry", "Submit"])
      assert.strictEqual(yield* a.status, "pending")
    }))

  it.effect("more than a client may keep is refused", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      // Each is encoded; 7 MiB is below the limit of one task.
      const large = new Uint8Array(7 << 20)
      const failed = yield* Effect.flip(client.batch((batch) => Effect.forEach(Array.from({ length: 40 }), () => batch.with({ pure: false }).submit((bytes: Uint8Array) => bytes.length, large))))
      assert.strictEqual(failed.reason._tag, "TooLarge")
      assert.strictEqual(yield* saidBy(client, scheduler), 0)
    }))

  it.effect("a batch whose scheduler has gone fails, and so does one of a closed client", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const pending = yield* client.submit(inc, 0)
      const failed = yield* Effect.flip(client.batch((batch) =>
        Effect.andThen(batch.submit(inc, 1), Effect.andThen(scheduler.vanish, Effect.andThen(pending.await, Effect.succeed(1))))
      ))
      assert.strictEqual(failed.reason._tag, "SchedulerLost")
      const { client: closed } = yield* Effect.scoped(fake())
      assert.strictEqual((yield* Effect.flip(closed.batch((batch) => batch.submit(inc, 1)))).reason._tag, "ClientClosed")
    }))
})

describe("mapArgs", () => {
  it.effect("takes a list of arguments for each item (test_client.py::test_map)", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* scheduler.compute
      const one = yield* client.submit(inc, 0)
      const futures = yield* client.mapArgs(add, [[1, 2], [one, 10], [3, one]])
      assert.deepStrictEqual(yield* client.gather(futures), [3, 11, 4])
    }))

  it.effect("names items by prefix or by function, and refuses an item that is no list (test_client.py::test_map_keynames)", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const prefixed = yield* client.with({ key: "sum" }).mapArgs(add, [[1, 2], [3, 4]])
      assert.deepStrictEqual(prefixed.map(({ key }) => key), ["sum-0", "sum-1"])
      const named = yield* client.mapArgs(add, [[1, 2], [3, 4]], { keys: ([a, b], i) => `${String(a)}+${String(b)}-${i}` as Key })
      assert.deepStrictEqual(named.map(({ key }) => key), ["1+2-0", "3+4-1"])
      const plain = yield* client.mapArgs(add, [[1, 2]])
      assert.match(plain[0]!.key, /^add-[0-9a-f]{32}$/)
      const failed = yield* Effect.flip(client.mapArgs(add, [5 as unknown as [number, number]]))
      assert.strictEqual(
        failed.message,
        "SKEIN1003 the arguments are not valid\n  at the value itself: expected a list of arguments, as each item of `mapArgs` is\n  fix  give it what is expected"
      )
    }))
})
