import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Contender, goesOn, inTurn, ratios } from "../../src/harness/inTurn.ts"
import { emitted } from "./emitted.ts"

/** One that takes so long, and notes whenever it has its turn. */
const contender = (name: string, figure: number, turns: Array<string>, warm = 0): Contender => ({
  name,
  warm,
  round: Effect.sync(() => {
    turns.push(name)
    return { figure, cpu: { client: figure / 2 } }
  })
})
const contest = (ours: Contender, theirs: ReadonlyArray<Contender>) => inTurn({ unit: "µs a task", per: "task", ours, theirs, ratio: "theirs over ours" })

describe("systems at the same work, in turn", () => {
  it.effect("warm up first and then have a round each, again and again", () =>
    Effect.gen(function*() {
      const turns: Array<string> = []
      yield* emitted(contest(contender("ours", 10, turns, 2), [contender("a", 100, turns, 1), contender("b", 90, turns, 1)]))
      assert.deepStrictEqual(turns, ["a", "b", "ours", "ours", "ours", "a", "b", "ours", "a", "b", "ours", "a", "b"])
      turns.length = 0
      yield* emitted(contest(contender("ours", 10, turns), [contender("a", 100, turns)]))
      assert.deepStrictEqual(turns, ["a", "ours", "ours", "a", "ours", "a"])
    }))

  it.effect("give a row each, and one with how many times as long the better setting took", () =>
    Effect.gen(function*() {
      const found = yield* emitted(contest(contender("ours", 10, []), [contender("a", 100, []), contender("b", 90, [])]))
      assert.deepStrictEqual(found.map(({ better, cpu, name, values }) => [name, values, cpu, better]), [
        ["ours", [10, 10, 10], { client: 5 }, "less"],
        ["a", [100, 100, 100], { client: 50 }, "less"],
        ["b", [90, 90, 90], { client: 45 }, "less"],
        ["theirs over ours", [9, 9, 9], {}, "more"]
      ])
    }))

  it.effect("one that is far behind has one round, and its row says so", () =>
    Effect.gen(function*() {
      const found = yield* emitted(contest(contender("ours", 10, []), [contender("a", 300, [], 1), contender("b", 90, [], 1)]))
      assert.deepStrictEqual([found[1]!.values, found[2]!.values], [[300], [90, 90, 90]])
      assert.include(found[1]!.note, "one run")
      assert.deepStrictEqual(found[3]!.values, [9, 9, 9])
    }))

  it.effect("one that fails says why, and the others go on", () =>
    Effect.gen(function*() {
      const broken: Contender = { name: "a", warm: 0, round: Effect.fail(new Error("no such cluster")) }
      const found = yield* emitted(contest(contender("ours", 10, []), [broken, contender("b", 90, [])]))
      assert.include(found[1]!.missing, "no such cluster")
      assert.deepStrictEqual(found[3]!.values, [9, 9, 9])
      const alone = yield* emitted(contest(contender("ours", 10, []), [broken]))
      assert.include(alone[2]!.missing, "no such cluster")
    }))

  it("who needs at most half as long again as the best goes on", () => {
    assert.deepStrictEqual(goesOn([100, 150, 151]), [true, true, false])
    assert.deepStrictEqual(goesOn([Infinity, 7]), [false, true])
  })

  it("ratios are of rounds that lie side by side, against the setting with the lower median", () => {
    assert.deepStrictEqual(ratios([10, 20, 40], [[90, 1_000, 400], [100, 200, 400]]), [10, 10, 10])
    assert.deepStrictEqual(ratios([10], []), [])
  })
})
