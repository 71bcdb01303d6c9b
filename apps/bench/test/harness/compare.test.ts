import { assert, describe, it } from "@effect/vitest"
import { compare, gain } from "../../src/harness/compare.ts"
import { row, run } from "../utils.ts"

describe("comparing two runs", () => {
  it("half the time and twice the rate are both twice as good", () => {
    assert.strictEqual(gain(row("g/a", [10, 20, 30]), row("g/a", [10])), 2)
    assert.strictEqual(gain(row("g/a", [10], { better: "more" }), row("g/a", [20], { better: "more" })), 2)
  })

  it("shows figures, ratio and processor time of each row", () => {
    const [line] = compare(run([row("g/a", [20], { cpu: { client: 4, scheduler: 8 } })]), run([row("g/a", [10], { cpu: { client: 3 } })]))
    assert.match(line!, /^g\/a +20 → +10 µs a task +×2\.00 as good {2}\(processor: client 4 → 3\)$/)
  })

  it("says which run lacks a row, and why a row has no figure", () => {
    const lines = compare(run([row("g/a", [1]), row("g/b", [1])]), run([row("g/c", [1]), row("g/b", [], { missing: "it broke" })]))
    assert.deepStrictEqual(lines.map((line) => line.replace(/ +/g, " ")), ["g/a only in the first run", "g/b no figure: it broke", "g/c only in the second run"])
  })
})
