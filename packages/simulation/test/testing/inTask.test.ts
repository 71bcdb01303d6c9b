/**
 * Tasks that submit tasks, on workers that crash, pause and lose their connections.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Client } from "@skein/client/Client"
import type { SubmitError } from "@skein/protocol/Errors"
import type { TaskError } from "@skein/protocol/Failure"
import { type FnTask, Task, type TaskServices } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
import { exitProcess } from "@skein/simulation/Body"
import { it } from "@skein/simulation/testing/it"

/** Submits itself: with one slot a worker gets on only if whoever waits gives the slot back. */
const fib: FnTask<[n: number], number, SubmitError | TaskError, TaskServices> = Task.fn("fib", (n: number) => Effect.gen(function*() {
  yield* Effect.sleep("20 millis")
  if (n < 2) return n
  const client = yield* Client
  const both: ReadonlyArray<number> = yield* client.gather(yield* client.map(fib, [n - 1, n - 2]))
  return both[0]! + both[1]!
}))

/** How many bodies of it work at the same time, in one process. */
let working = 0
let most = 0
const work = Task.fn("work", (n: number) => Effect.acquireUseRelease(
  Effect.sync(() => void (most = Math.max(most, ++working))),
  () => Effect.sleep("10 millis"),
  () => Effect.sync(() => void working--)
).pipe(Effect.as(n)))
/** Works, waits for another, and works again. */
const worksAndWaits = Task.fn("worksAndWaits", (n: number) => Effect.gen(function*() {
  const client = yield* Client
  const labour = Effect.acquireUseRelease(
    Effect.sync(() => void (most = Math.max(most, ++working))),
    () => Effect.sleep("10 millis"),
    () => Effect.sync(() => void working--)
  )
  yield* labour
  const inner = yield* (yield* client.submit(work, n)).result
  yield* labour
  return inner
}))
const seceding = Task.fn("seceding", (n: number) => Effect.gen(function*() {
  const task = yield* TaskContext
  yield* task.seceded(Effect.sleep("50 millis"))
  yield* task.secede
  yield* Effect.sleep("50 millis")
  yield* task.rejoin
  return n
}))
const exits = Task.fn("exits", (code: number) => Effect.andThen(Effect.sleep("10 millis"), Effect.sync((): number => exitProcess(code))))
/** Is longer in coming to its child than what it had submitted before outlives its worker. */
const waitsForExit = Task.fn("waitsForExit", (pure: boolean) => Effect.gen(function*() {
  yield* Effect.sleep("20 seconds")
  const client = yield* Client
  const error = yield* Effect.flip((yield* client.with({ pure }).submit(exits, 3)).result)
  return error.reason._tag
}))

describe("tasks that submit tasks, simulated", () => {
  it.sim("a recursive task comes to its end on one slot", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.submit(fib, 6)).result, 8)
  }), { workers: 1, threadsPerWorker: 1, seeds: 5, seed: 1 })

  it.sim("a recursive task survives what a cluster promises to survive", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.submit(fib, 6)).result, 8)
  }), { workers: 3, threadsPerWorker: 1, faults: "default", seeds: 20, seed: 1 })

  it.sim("never more bodies work than there are slots, however many wait", () => Effect.gen(function*() {
    working = 0
    most = 0
    const client = yield* Client
    const numbers = Array.from({ length: 12 }, (_, n) => n)
    assert.deepStrictEqual(yield* client.gather(yield* client.map(worksAndWaits, numbers)), numbers)
    assert.strictEqual(most, 2)
  }), { workers: 1, threadsPerWorker: 2, seeds: 5, seed: 1 })

  it.sim("bodies secede and rejoin under faults", () => Effect.gen(function*() {
    const client = yield* Client
    const numbers = Array.from({ length: 12 }, (_, n) => n)
    assert.deepStrictEqual(yield* client.gather(yield* client.map(seceding, numbers)), numbers)
  }), { workers: 2, threadsPerWorker: 1, faults: "default", seeds: 20, seed: 1 })

  for (const pure of [true, false]) {
    it.sim(`a child that always ends its worker is found out, however late its parent submits it again: ${pure ? "by its key" : "another key each time"}`, () => Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(yield* (yield* client.submit(waitsForExit, pure)).result, "KilledWorker")
    }), { workers: 1, threadsPerWorker: 1, fibersPerWorker: 1, maxVirtualTime: "10 minutes", seeds: 1, seed: 1 })
  }
})
