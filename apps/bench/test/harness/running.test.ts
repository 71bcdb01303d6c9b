import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Row } from "../../src/harness/Row.ts"
import { minutesOf, runGroup } from "../../src/harness/running.ts"

/** A group is a process, which starts in real time, and slowly where every core is busy with tests. */
const processesStart = 120_000

describe("running a group", () => {
  it("takes ten minutes at most, or as many as it needs, or any number if all rows are asked for", () => {
    assert.deepStrictEqual([minutesOf({}, "usual"), minutesOf({ minutes: 20 }, "quick"), minutesOf({ minutes: 20 }, "all")], [10, 20, Infinity])
  })

  it.live("that takes longer is ended, and a row says so", () =>
    Effect.gen(function*() {
      const found: Array<Row> = []
      const group = { name: "start-up", about: "", quick: false, run: Effect.void }
      yield* runGroup(group, { group: "start-up", parts: [], extent: "usual", runs: 5, against: [], python: "python3" }, (row) => void found.push(row), 1e-4)
      assert.deepStrictEqual(found.map(({ missing, values }) => [values, missing]), [[[], "ended after 0.0001 minutes, before all rows were measured"]])
    }), processesStart)
})
