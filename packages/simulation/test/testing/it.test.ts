/**
 * What a user writes, and what it comes to.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Client } from "@skein/client/Client"
import { it } from "@skein/simulation/testing/it"
import { Sim } from "@skein/simulation/testing/Sim"
import * as tasks from "./tasks.ts"

const report = Effect.gen(function*() {
  const client = yield* Client
  const days = yield* client.map(tasks.load, [1, 2, 3, 4, 5, 6])
  const sums = []
  for (const day of days) sums.push(yield* client.submit(tasks.sum, day))
  return yield* client.submit(tasks.total, ...sums)
})

describe("it.sim", () => {
  it.sim("a report survives what a cluster promises to survive", () => Effect.gen(function*() {
    const sim = yield* Sim
    const future = yield* report
    assert.deepStrictEqual(yield* Effect.exit(future.result), yield* sim.oracle(future))
    yield* sim.sometimes("it took more than five seconds", (yield* sim.virtualMs) > 5_000)
  }), { workers: 3, threadsPerWorker: 2, faults: "default", seeds: 30, seed: 1 })
})
