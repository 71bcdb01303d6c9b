import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import type { Future } from "@skein/client/Future"
import { type FakeScheduler, fake } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const failed = { _tag: "Lost" as const }

/** Three futures that nothing has been heard of, and their refs. */
const three = Effect.gen(function*() {
  const { client, scheduler } = yield* fake()
  const futures = yield* client.map(inc, [1, 2, 3])
  const refs = (yield* scheduler.submitted).tasks.map(({ ref }) => ref)
  return { client, scheduler, futures, refs }
})
/** Takes a stream's elements one by one, as they come. */
const taking = Effect.fnUntraced(function*<A, E>(stream: Stream.Stream<A, E>) {
  const seen = yield* Queue.unbounded<A>()
  const fiber = yield* Effect.forkChild(Stream.runForEach(stream, (element) => Queue.offer(seen, element)), { startImmediately: true })
  return { next: Queue.take(seen), end: Fiber.join(fiber) }
})
const finish = (scheduler: FakeScheduler, ...refs: ReadonlyArray<number>) => Effect.forEach(refs, (ref) => scheduler.finish(ref, ref), { discard: true })

describe("asCompleted", () => {
  it.effect("gives futures as they complete, failed ones too, and ends with the last", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      const { end, next } = yield* taking(client.asCompleted(futures))
      yield* finish(scheduler, refs[1]!)
      assert.strictEqual(yield* next, futures[1])
      yield* scheduler.fail(refs[2]!, failed)
      assert.strictEqual(yield* next, futures[2])
      yield* finish(scheduler, refs[0]!)
      assert.strictEqual(yield* next, futures[0])
      yield* end
    }))

  it.effect("gives what was added twice twice, and ends at once for nothing (test_as_completed.py::test_as_completed_repeats)", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      yield* finish(scheduler, refs[0]!)
      assert.deepStrictEqual(yield* Stream.runCollect(client.asCompleted([futures[0]!, futures[0]!])), [futures[0]!, futures[0]!])
      assert.deepStrictEqual(yield* Stream.runCollect(client.asCompleted([] as ReadonlyArray<Future<number>>)), [])
    }))

  it.effect("takes futures from a stream, and ends when that and all of them have", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      const coming = yield* Queue.unbounded<Future<number>, never>()
      const { next, end } = yield* taking(client.asCompleted(Stream.take(Stream.fromQueue(coming), 2)))
      yield* Queue.offer(coming, futures[0]!)
      yield* finish(scheduler, refs[0]!)
      assert.strictEqual(yield* next, futures[0])
      yield* Queue.offer(coming, futures[1]!)
      yield* finish(scheduler, refs[1]!)
      assert.strictEqual(yield* next, futures[1])
      yield* end
    }))

  it.effect("fails as the stream of futures does", () =>
    Effect.gen(function*() {
      const { client, futures } = yield* three
      const stream = Stream.concat(Stream.make(futures[0]!), Stream.fail("source"))
      assert.strictEqual(yield* Effect.flip(Stream.runCollect(client.asCompleted(stream))), "source")
    }))

  it.effect("results come with what each gave", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      yield* finish(scheduler, refs[2]!, refs[0]!)
      yield* scheduler.fail(refs[1]!, failed)
      const all = yield* Stream.runCollect(client.results(futures))
      assert.deepStrictEqual(
        new Map(all.map(({ exit, future }) => [future, Exit.isSuccess(exit) ? exit.value : "failed"])),
        new Map<Future<number>, unknown>([[futures[0]!, refs[0]], [futures[1]!, "failed"], [futures[2]!, refs[2]]])
      )
    }))
})

describe("completions", () => {
  it.effect("count and take a set that grows", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      const seq = yield* client.completions([futures[0]!])
      assert.strictEqual(yield* seq.count, 1)
      yield* seq.add(futures[1]!, futures[2]!)
      assert.strictEqual(yield* seq.count, 3)
      yield* finish(scheduler, refs[2]!)
      assert.strictEqual(yield* seq.take, futures[2])
      assert.strictEqual(yield* seq.count, 2)
      const taking = yield* Effect.forkChild(seq.take, { startImmediately: true })
      yield* finish(scheduler, refs[0]!)
      assert.strictEqual(yield* Fiber.join(taking), futures[0])
    }))

  it.effect("their stream goes on for what is added while an element is handled (test_as_completed.py::test_as_completed_add)", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      yield* finish(scheduler, ...refs)
      const seq = yield* client.completions([futures[0]!])
      const seen: Array<Future<number>> = []
      yield* Stream.runForEach(seq.stream, (future) =>
        Effect.gen(function*() {
          seen.push(future)
          if (seen.length < 3) yield* seq.add(futures[seen.length]!)
        }))
      assert.deepStrictEqual(seen, futures)
    }))

  it.effect("end with their scope: who takes is interrupted, and nothing is watched any more", () =>
    Effect.gen(function*() {
      const { client, futures } = yield* three
      const scope = yield* Scope.make()
      const seq = yield* client.completions(futures).pipe(Scope.provide(scope))
      const taking = yield* Effect.forkChild(seq.take, { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(taking)))
      assert.strictEqual(yield* seq.count, 0)
      yield* seq.add(futures[0]!)
      assert.strictEqual(yield* seq.count, 0)
    }))
})

describe("wait", () => {
  it.effect("completes with all, or with the first, and says which are done", () =>
    Effect.gen(function*() {
      const { client, futures, refs, scheduler } = yield* three
      const first = yield* Effect.forkChild(client.wait(futures, { until: "first" }), { startImmediately: true })
      const all = yield* Effect.forkChild(client.wait(futures), { startImmediately: true })
      yield* scheduler.fail(refs[1]!, failed)
      assert.deepStrictEqual(yield* Fiber.join(first), { done: [futures[1]!], notDone: [futures[0]!, futures[2]!] })
      assert.deepStrictEqual((yield* client.wait(futures, { until: "first" })).done, [futures[1]!])
      assert.isUndefined(all.pollUnsafe())
      yield* finish(scheduler, refs[0]!, refs[2]!)
      assert.deepStrictEqual(yield* Fiber.join(all), { done: [...futures], notDone: [] })
    }))
})
