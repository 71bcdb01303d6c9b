/**
 * A program that is run in the ordinary way, on a simulated cluster.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Layer } from "effect"
import { Client } from "@skein/client/Client"
import { Cluster } from "@skein/client/Cluster"
import { Sim } from "@skein/simulation/testing/index"
import * as tasks from "./tasks.ts"

describe("Sim.layer", () => {
  it.live("lets a program sleep for an hour in no time, and gives what a cluster gives", () =>
    Effect.gen(function*() {
      const before = performance.now()
      const [slept, total, virtualMs] = yield* Effect.gen(function*() {
        const client = yield* Client
        const began = yield* Clock.currentTimeMillis
        yield* Effect.sleep("1 hour")
        const slept = (yield* Clock.currentTimeMillis) - began
        const days = yield* client.map(tasks.load, [1, 2, 3])
        const sums = []
        for (const day of days) sums.push(yield* client.submit(tasks.sum, day))
        const total = yield* (yield* client.submit(tasks.total, ...sums)).result
        return [slept, total, yield* (yield* Sim).virtualMs] as const
      }).pipe(Effect.provide(Sim.layer({ seed: 3, workers: 2, faults: "default" })))
      assert.strictEqual(slept, 3_600_000)
      assert.strictEqual(total, 735)
      assert.isAbove(virtualMs, 3_600_000)
      assert.isBelow(performance.now() - before, 60_000)
    }), 120_000)

  it.live("waits for a promise that the simulation does not know of", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const answer = yield* Effect.promise(() => new Promise<number>((resume) => void setTimeout(() => resume(4), 20)))
      assert.strictEqual(yield* (yield* client.submit(tasks.sum, [answer, 1])).result, 5)
      assert.strictEqual(yield* (yield* Cluster).scale(1).pipe(Effect.as("scaled")), "scaled")
    }).pipe(Effect.provide(Sim.layer({ seed: 4, workers: 2 }))), 60_000)

  it.live("lets the program reach for the real clock, in every step", () =>
    Effect.gen(function*() {
      const client = yield* Client
      for (let n = 0; n < 20; n++) {
        assert.isAbove(Date.now(), Date.UTC(2026, 0, 2))
        yield* (yield* client.submit(tasks.sum, [n, 1])).await
        yield* Effect.yieldNow
      }
    }).pipe(Effect.provide(Sim.layer({ seed: 5, workers: 1 }))), 60_000)

  it.live("ends a program whose task reaches for the real clock, and says so", () =>
    Effect.gen(function*() {
      const written: Array<string> = []
      const write = process.stderr.write
      process.stderr.write = ((text: string) => written.push(text) > 0) as typeof write
      const program = yield* Effect.gen(function*() {
        const client = yield* Client
        return yield* (yield* client.submit(tasks.impure)).result
      }).pipe(Effect.provide(Sim.layer({ seed: 4, workers: 2 })), Effect.forkChild)
      const exit = yield* Effect.ensuring(Fiber.await(program), Effect.sync(() => {
        process.stderr.write = write
        process.exitCode = 0
      }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), String(exit))
      assert.include(written.join(""), "Date.now was called under simulation")
    }), 60_000)

  it.live("refuses an option that it does not know", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Sim.layer({ seed: 1, worker: 3 } as object))))
      assert.include(String(exit), "worker")
    }))
})
