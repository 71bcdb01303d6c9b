import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Group, groups } from "../src/groups.ts"
import { select } from "../src/selection.ts"

const some: ReadonlyArray<Group> = ["zero-worker", "latency", "graphs"].map((name) => ({ name, about: "", quick: name !== "graphs", run: Effect.void }))
const names = (names: ReadonlyArray<string>, quick = false) =>
  Effect.map(select(some, names, quick), (selected) => selected.map(({ group, parts }) => [group.name, ...parts]))

describe("the names on the command line", () => {
  it.effect("none stand for all groups, or all that are quick", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* names([]), [["zero-worker"], ["latency"], ["graphs"]])
      assert.deepStrictEqual(yield* names([], true), [["zero-worker"], ["latency"]])
    }))

  it.effect("stand for groups, and for rows of groups by parts of their names", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* names(["latency", "zero-worker/map 10K", "zero-worker/tree"]), [["zero-worker", "map 10K", "tree"], ["latency"]])
      assert.deepStrictEqual(yield* names(["latency/p50", "latency"]), [["latency"]])
    }))

  it.effect("of no group are refused, with the one that may be meant", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(names(["zero"]))
      assert.strictEqual(error.message, "There is no group \"zero\"; did you mean \"zero-worker\"? Groups: zero-worker, latency, graphs")
    }))

  it("every group has a name of its own", () => {
    assert.strictEqual(new Set(groups.map(({ name }) => name)).size, groups.length)
  })
})
