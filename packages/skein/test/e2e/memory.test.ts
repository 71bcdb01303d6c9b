/** A scheduler whose heap is nearly full, end to end, with a real process and a small heap. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Client, Cluster, Future, LocalCluster, type TaskError } from "skein"
import * as tasks from "./tasks.ts"

const WITHIN = { timeout: 120_000 }
const AT_ONCE = 1_000
/** Characters of a key: they fill a heap with few tasks. */
const OF_KEY = 4_000

describe("a scheduler whose heap is nearly full", () => {
  it.live("refuses new tasks, loses none that it has, says why, and takes new ones once there is room", () =>
    Effect.gen(function*() {
      const client = yield* Client
      let next = 0
      const one = Effect.suspend(() => {
        const n = next++
        return client.with({ key: String(n).padStart(OF_KEY, "-"), isolation: "fiber" }).submit(tasks.inc, n)
      })
      const submit = Effect.forEach(Array.from({ length: AT_ONCE }), () => one)
      const outcomes = (futures: ReadonlyArray<Future<number>>) => Effect.forEach(futures, (future) => Effect.exit(future.result))
      const refusals = (exits: ReadonlyArray<Exit.Exit<number, unknown>>) => exits.filter(Exit.isFailure).length

      const accepted: Array<Future<number>> = []
      let refused: ReadonlyArray<Future<number>> = []
      for (let round = 0; round < 200 && refused.length === 0; round++) {
        const futures = yield* submit
        if (refusals(yield* outcomes(futures)) === 0) accepted.push(...futures)
        else refused = futures
      }
      assert.isAbove(refused.length, 0)
      assert.isAbove(accepted.length, AT_ONCE)

      const exits = yield* outcomes(refused)
      const failed = exits.findIndex(Exit.isFailure)
      const error: TaskError = yield* Effect.flip(refused[failed]!.result) as Effect.Effect<TaskError, unknown>
      assert.deepInclude(error, { _tag: "TaskError", code: "SKEIN1009" })
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.match(error.message, /memory is nearly full[^]*schedulerHeap/)
      // What builds on it fails with it.
      const dependent = yield* client.submit(tasks.double, refused[failed]!)
      assert.deepInclude(yield* Effect.flip(dependent.result) as Effect.Effect<TaskError, unknown>, { code: "SKEIN1009" })
      // Nothing that was accepted is lost.
      assert.deepStrictEqual(yield* client.gather(accepted), accepted.map((_, n) => n + 1))
      // The scheduler looks now and then, and its lines take a moment to come here.
      const told = Effect.map((yield* Cluster).logs, (logs) => logs.get("scheduler")!.some((line) => line.includes("new tasks are refused")))
      assert.isTrue(yield* Effect.repeat(Effect.delay(told, "50 millis"), { until: (isTold) => isTold }))

      for (const future of [...accepted, ...refused, dependent]) yield* future.release
      const again = Effect.gen(function*() {
        const future = yield* client.submit(tasks.inc, -1)
        const exit = yield* Effect.exit(future.result)
        yield* future.release
        return exit
      })
      const exit = yield* Effect.repeat(Effect.delay(again, "100 millis"), { until: Exit.isSuccess })
      assert.deepStrictEqual(exit, Exit.succeed(0))
    }).pipe(
      Effect.provide(LocalCluster.layer({ workers: 1, threadsPerWorker: 1, schedulerHeap: 64 * 2 ** 20, tasks: new URL("./tasks.ts", import.meta.url) }))
    ), WITHIN)
})
