import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { groups } from "../src/groups.ts"
import { ratioName } from "../src/groups/peers.ts"
import { Bench } from "../src/harness/Bench.ts"
import { resultsText } from "../src/results.ts"
import { judge, type Look, type Target, targets } from "../src/targets.ts"
import { row, run } from "./utils.ts"

const target = (what: string): Target => {
  const found = targets.find((target) => target.what === what)
  if (found === undefined) throw new Error(`no target "${what}"`)
  return found
}
const zeroMap = (us: number) => run([row("zero-worker/map 10K, 24 workers", [us]), row("zero-worker/merge 10K, 24 workers", [7])])
const mergeAndMap = target("zero-worker, 24 workers, merge and map, 10 K")

describe("the numbers to reach", () => {
  it("are reached, or further, or not, by the worst figure that belongs to one", () => {
    assert.deepStrictEqual(judge(mergeAndMap, [zeroMap(13)]), { found: 13, goFor: 8, floor: undefined, verdict: "not reached" })
    assert.deepStrictEqual(judge(mergeAndMap, [zeroMap(12)]), { found: 12, goFor: 8, floor: undefined, verdict: "reached" })
    assert.deepStrictEqual(judge(mergeAndMap, [zeroMap(5)]), { found: 7, goFor: 8, floor: undefined, verdict: "reached, and the further aim" })
  })

  it("stand beside what the floor took, by the same rule", () => {
    const floors = (merge: number) => [row("floor/merge 10K, 24 workers", [merge]), row("floor/map 10K, 24 workers", [4])]
    const runs = [12, 9].map((merge) => ({ ...zeroMap(13), rows: [...zeroMap(13).rows, ...floors(merge)] }))
    assert.strictEqual(judge(mergeAndMap, runs).floor, 9)
    assert.include(resultsText(runs), "| 13 µs a task | 9 µs a task | not reached |")
  })

  it("take the best of several invocations", () => {
    assert.strictEqual(judge(mergeAndMap, [zeroMap(20), zeroMap(11)]).found, 11)
  })

  it("have no figure where a part of it is missing", () => {
    const broken = run([row("zero-worker/map 10K, 24 workers", [5]), row("zero-worker/merge 10K, 24 workers", [], { missing: "it broke" })])
    assert.deepStrictEqual(judge(mergeAndMap, [broken]), { found: undefined, goFor: 8, floor: undefined, verdict: "no figure" })
    assert.strictEqual(judge(mergeAndMap, [broken, zeroMap(9)]).verdict, "reached")
  })

  it("compare with Dask's better setting by the shape that gains least", () => {
    const shapes = ["map 10K", "merge 10K", "tree 8191"]
    const rows = shapes.map((shape, i) => row(`peers/dask's better setting over skein, ${shape}, warm`, [15 + i], { unit: "×", better: "more" }))
    const warm = target("real workers, no-op, 2 × 1, ratio to Dask's best setting, warm")
    assert.deepStrictEqual(judge(warm, [run(rows)]), { found: 15, goFor: 20, floor: undefined, verdict: "reached" })
    assert.strictEqual(judge(warm, [run(rows.slice(1))]).verdict, "no figure")
  })

  it.effect("stand in rows that the benchmark has", () =>
    Effect.gen(function*() {
      const looked = new Set<string>()
      const look: Look = (id) => {
        looked.add(id)
        return 1
      }
      for (const { figure, floor, goFor } of targets) {
        figure(look)
        floor?.(look)
        if (typeof goFor === "function") goFor(look)
      }
      // Asked for nothing, a group asks about every row that it has and measures none; peers asks only where there is a peer.
      const offered = new Set(["map 10K", "merge 10K", "tree 8191"].flatMap((shape) => (["cold", "warm"] as const).map((heat) => `peers/${ratioName(shape, heat)}`)))
      for (const { name: group, run } of groups) {
        yield* Effect.provideService(run, Bench, {
          options: { group, parts: [], extent: "usual", runs: 5, against: [], python: "nobody" },
          wants: (name) => {
            offered.add(`${group}/${name}`)
            return false
          },
          emit: ({ name }) => Effect.die(`${name} was measured`)
        })
      }
      assert.isAbove(looked.size, 30)
      assert.deepStrictEqual([...looked].filter((id) => !offered.has(id)), [])
    }))

  it("may go for another's figure", () => {
    const both = run([row("real-workers/map 10K, no-op in a thread, 2 × 1, warm", [25]), row("pools/piscina, map 10K, no-op, 2 threads, warm", [20])])
    assert.deepStrictEqual(judge(target("real workers, no-op, 2 × 1, thread isolation, warm"), [both]), { found: 40_000, goFor: 50_000, floor: undefined, verdict: "reached" })
  })
})

describe("RESULTS.md", () => {
  it("has the targets with what was found, and the best row of all runs", () => {
    const text = resultsText([zeroMap(20), zeroMap(11)])
    assert.include(text, "| zero-worker, 24 workers, merge and map, 10 K | ≤ 12 µs a task | ≤ 8 µs a task | 11 µs a task |  | reached |")
    assert.include(text, "| map 10K, 24 workers | 11 µs a task | 11 to 11 | 1 |")
    assert.notInclude(text, "| map 10K, 24 workers | 20 µs a task")
    assert.include(text, "- 2026-11-21T12:00:00.000Z: 2 × a processor, 24 GiB, Linux; node v24.21.0")
  })

  it("says what has no figure, and which groups were not measured", () => {
    const text = resultsText([run([row("data/scatter, 1 MiB", [], { missing: "not built yet" })])])
    assert.include(text, "| scatter, 1 MiB | – |  |  |  |  | not built yet |")
    assert.include(text, "Not measured: floor, zero-worker, real-workers")
    assert.include(text, "| 100 K queued tasks cancelled | ≤ 500 ms | ≤ 200 ms | – |  | no figure |")
  })
})
