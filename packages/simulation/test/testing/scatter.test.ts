/**
 * Scattered data on bad days: it arrives, or whoever needs it hears that it is lost.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Client } from "@skein/client/Client"
import { Task } from "@skein/protocol/Task"
import { it } from "@skein/simulation/testing/it"
import { Sim } from "@skein/simulation/testing/Sim"

const total = Task.fn("total", Effect.fnUntraced(function*(parts: ReadonlyArray<Uint8Array>) {
  yield* Effect.sleep("500 millis")
  return parts.reduce((sum, part) => sum + part.length + part[0]!, 0)
}))

describe("scattered data, simulated", () => {
  it.sim("arrives and is used, whatever happens to workers; or is lost, and scattered anew", () => Effect.gen(function*() {
    const sim = yield* Sim
    const client = yield* Client
    const values = Array.from({ length: 6 }, (_, n) => new Uint8Array(200_000).fill(n))
    let lost = 0
    const use = Effect.gen(function*() {
      const parts = yield* client.scatterAll(values)
      return yield* (yield* client.submit(total, parts)).result
    })
    const sum = yield* Effect.retry(use, {
      while: (error) => {
        lost++
        return error._tag === "TaskError" && error.reason._tag === "DataLost"
      },
      times: 20
    })
    assert.strictEqual(sum, 6 * 200_000 + 15)
    yield* sim.sometimes("data was lost with its worker, and scattered anew", lost > 0)
  }), { workers: 3, threadsPerWorker: 1, faults: "default", seeds: 6, seed: 1 })
})
