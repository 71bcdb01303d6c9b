import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { absent, Ended, type Measured, row, rows, untilIdle } from "../../src/harness/measure.ts"
import { ProcessFailed } from "../../src/harness/processes.ts"
import { emitted } from "./emitted.ts"

/** Rounds that find 1, 2, 3 and so on. */
const counting = (more: Partial<Measured<unknown, never>> = {}) => {
  let round = 0
  return rows({ figures: [{ name: "a", unit: "ms" }], round: Effect.sync(() => [++round]), ...more })
}

describe("measuring", () => {
  it.effect("keeps the figures of all rounds but those that warm up", () =>
    Effect.gen(function*() {
      const [found] = yield* emitted(counting({ warm: 2 }))
      assert.deepInclude(found, { group: "g", name: "a", unit: "ms", better: "less", values: [3, 4, 5], missing: null })
    }))

  it.effect("tidies up after every round, and that costs nothing", () =>
    Effect.gen(function*() {
      let tidied = 0
      const burn = Effect.sync(() => {
        for (const until = performance.now() + 30; performance.now() < until;);
        tidied++
      })
      const [found] = yield* emitted(counting({ warm: 1, tidy: burn, work: 1 }))
      assert.strictEqual(tidied, 4)
      assert.isBelow(found!.cpu["client"]!, 20_000)
    }))

  it.live("waits for as long as a process is busy", () =>
    Effect.gen(function*() {
      let left = 6
      const burn = () => {
        for (const until = performance.now() + 50; performance.now() < until;);
        if (--left > 0) setImmediate(burn)
      }
      burn()
      yield* untilIdle(() => ({ client: [process.pid] }))
      assert.strictEqual(left, 0)
    }))

  it.effect("gives processor time for each unit of work", () =>
    Effect.gen(function*() {
      const burn = Effect.sync(() => {
        for (let since = process.cpuUsage(); process.cpuUsage(since).user < 40_000;);
        return [1]
      })
      const [found] = yield* emitted(counting({ round: burn, work: 10 }), 1)
      assert.isAbove(found!.cpu["client"]!, 2_000)
    }))

  it.effect("takes a round's own account of processor time", () =>
    Effect.gen(function*() {
      const [found] = yield* emitted(counting({ used: () => ({ elsewhere: 50 }), work: 10 }))
      assert.deepStrictEqual(found!.cpu, { elsewhere: 5 })
    }))

  it.effect("a round that fails makes a row that says why", () =>
    Effect.gen(function*() {
      const [found] = yield* emitted(row({ name: "a", unit: "ms", round: Effect.fail(new Error("the scheduler is gone")) }))
      assert.deepStrictEqual(found!.values, [])
      assert.include(found!.missing, "the scheduler is gone")
    }))

  it.effect("a process that ends under way makes a row that says so, and nobody waits", () =>
    Effect.gen(function*() {
      const ended = Effect.fail(new ProcessFailed({ command: "skein worker --zero", detail: "ended (SIGABRT)" }))
      const waiting = Effect.provideService(row({ name: "a", unit: "ms", round: Effect.never }), Ended, ended)
      const [found] = yield* emitted(waiting)
      assert.include(found!.missing, "skein worker --zero: ended (SIGABRT)")
    }))

  it.effect("runs nothing of which no row was asked for", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* emitted(counting({ round: Effect.die("it ran") }), 3, ["b"]), [])
    }))

  it.effect("emits only those rows of a measurement that were asked for", () =>
    Effect.gen(function*() {
      const both = counting({ figures: [{ name: "p50", unit: "ms" }, { name: "p99", unit: "ms", better: "more" }], round: Effect.succeed([1, 2]) })
      assert.deepStrictEqual((yield* emitted(both, 1, ["p99"])).map(({ better, name, values }) => [name, values, better]), [["p99", [2], "more"]])
    }))

  it.effect("what cannot be measured is a row with the reason", () =>
    Effect.gen(function*() {
      const [found] = yield* emitted(absent({ name: "a", unit: "ms" }, "not built yet"))
      assert.deepInclude(found, { name: "a", values: [], missing: "not built yet" })
    }))
})
