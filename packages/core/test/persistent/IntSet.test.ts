import { assert, describe, it } from "@effect/vitest"
import * as IntSet from "@skein/core/persistent/IntSet"
import { makeOwner, type Owner } from "@skein/core/persistent/Owner"
import { deepFreeze } from "../utils/deepFreeze.ts"
import { indexOf, type Step, Walk, walkAndKeep } from "../utils/persistence.ts"
import { firstSeed } from "../utils/seed.ts"

const ascending = (ids: Iterable<number>): Array<number> => [...ids].sort((a, b) => a - b)

const range = (from: number, to: number): Array<number> => Array.from({ length: to - from }, (_, n) => from + n)

const step = (start: IntSet.IntSet, owner: Owner, model: Set<number>, step: Step): IntSet.IntSet => {
  let set = start
  for (let n = 0; n < step.times; n++) {
    const present = [...model]
    const id = step.action === "Remove" && present.length > 0
      ? present[(step.offset * 7 + n) % present.length]!
      : indexOf(step, n)
    if (step.action === "Add") {
      set = IntSet.add(set, owner, id)
      model.add(id)
    } else {
      set = IntSet.remove(set, owner, id)
      model.delete(id)
    }
    assert.strictEqual(IntSet.size(set), model.size)
    assert.strictEqual(IntSet.has(set, id), model.has(id))
  }
  return set
}

const check = (set: IntSet.IntSet, model: ReadonlySet<number>): void => {
  const expected = ascending(model)
  assert.strictEqual(IntSet.size(set), expected.length)
  assert.deepStrictEqual(IntSet.toArray(set), expected)
  assert.deepStrictEqual([...IntSet.values(set)], expected)
  assert.strictEqual(IntSet.min(set), expected[0])
  const walked: Array<number> = []
  for (let id = IntSet.min(set); id !== undefined; id = IntSet.next(set, id)) walked.push(id)
  assert.deepStrictEqual(walked, expected)
  for (const few of [0, 3, 20]) assert.deepStrictEqual(IntSet.firstFew(set, few), expected.slice(0, few))
  for (const id of expected) {
    assert.isTrue(IntSet.has(set, id))
    assert.strictEqual(IntSet.has(set, id + 1), model.has(id + 1))
    assert.strictEqual(IntSet.has(set, id ^ 32), model.has(id ^ 32))
  }
  assert.isTrue(IntSet.some(set, (id) => id === expected.at(-1)) || expected.length === 0)
  assert.isFalse(IntSet.some(set, (id) => id === -1))
  // Its shape depends on its members alone: nothing of its history is left in it.
  assert.deepStrictEqual(set, IntSet.fromIterable(expected))
}

describe("IntSet", () => {
  it.prop(
    "every version stays equal to its model, and in its smallest shape, whatever happens later",
    [Walk],
    ([walk]) =>
      walkAndKeep(walk, {
        start: IntSet.empty(),
        model: new Set<number>(),
        copy: (model) => new Set(model),
        step,
        check
      }),
    { arbitrary: { seed: firstSeed, runs: 200 } }
  )

  it.prop(
    "subset and equality agree with those of native sets, versions of one set and strangers alike",
    [Walk, Walk],
    ([common, more]) => {
      const model = new Set<number>()
      let base = IntSet.empty()
      for (const each of common) base = step(base, makeOwner(), model, each)
      const before = new Set(model)
      let later = base
      const owner = makeOwner()
      for (const each of more) {
        later = step(later, owner, model, each)
        const pairs = [[base, before, later, model], [later, model, base, before]] as const
        for (const [part, partModel, whole, wholeModel] of pairs) {
          const isSubset = [...partModel].every((id) => wholeModel.has(id))
          assert.strictEqual(IntSet.isSubset(part, whole), isSubset)
          assert.strictEqual(IntSet.isSubset(IntSet.fromIterable(partModel), whole), isSubset)
          assert.strictEqual(IntSet.equals(part, whole), isSubset && partModel.size === wholeModel.size)
        }
      }
    }
  )

  it("is a plain sorted array up to sixteen members and a bit set above, both ways", () => {
    const owner = makeOwner()
    let set = IntSet.fromIterable([...range(0, 16)].reverse())
    assert.deepStrictEqual<unknown>(set, range(0, 16))
    set = IntSet.add(set, owner, 16)
    assert.isFalse(Array.isArray(set))
    assert.deepStrictEqual([...set], range(0, 17))
    set = IntSet.remove(set, owner, 3)
    assert.deepStrictEqual<unknown>(set, range(0, 17).filter((id) => id !== 3))
  })

  it("has no member that is no id, and takes none", () => {
    const owner = makeOwner()
    for (const count of [2, 100]) {
      const set = IntSet.fromIterable([...range(0, count), 2 ** 31 - 1])
      for (const id of [-1, -32, 0.5, 1.5, 32.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53]) {
        assert.isFalse(IntSet.has(set, id))
        assert.strictEqual(IntSet.remove(set, owner, id), set)
        assert.throws(() => IntSet.add(set, owner, id), /cannot be an index/)
      }
    }
  })

  it("returns itself when nothing changes", () => {
    for (const count of [0, 1, 16, 17, 1_000]) {
      const set = deepFreeze(IntSet.fromIterable(range(0, count)))
      assert.strictEqual(IntSet.remove(set, makeOwner(), 5_000), set)
      if (count > 0) assert.strictEqual(IntSet.add(set, makeOwner(), 0), set)
    }
  })

  it("edits in place what its batch owns, and nothing else", () => {
    const owner = makeOwner()
    const set = IntSet.add(IntSet.fromIterable(range(0, 100)), owner, 100)
    assert.strictEqual(IntSet.add(set, owner, 101), set)
    assert.strictEqual(IntSet.remove(set, owner, 101), set)
    const other = IntSet.remove(set, makeOwner(), 100)
    assert.isTrue(IntSet.has(set, 100))
    assert.isFalse(IntSet.has(other, 100))
  })

  it("finds its smallest member after heavy churn, in a tree as small as its members need", () => {
    let set = IntSet.empty()
    for (let id = 0; id < 200_000; id++) {
      const owner = makeOwner()
      set = IntSet.add(set, owner, id)
      if (id >= 1_000) set = IntSet.remove(set, owner, id - 1_000)
      if (id % 9_973 === 0) assert.strictEqual(IntSet.min(set), Math.max(0, id - 999))
    }
    assert.deepStrictEqual(set, IntSet.fromIterable(range(199_000, 200_000)))
    if (Array.isArray(set) || !("words" in set)) return assert.fail("a thousand members are no small set")
    // 1 000 neighbours are 32 or 33 words.
    assert.isAtMost(set.words.size, 33)
  })

  it("lets a visitor remove every member that it is shown", () => {
    const owner = makeOwner()
    let set = IntSet.fromIterable(range(0, 300).map((n) => n * 5))
    const seen: Array<number> = []
    IntSet.forEach(set, (id) => {
      seen.push(id)
      set = IntSet.remove(set, owner, id)
    })
    assert.strictEqual(seen.length, 300)
    assert.strictEqual(set, IntSet.empty())
  })

  it("hands out arrays that may be changed", () => {
    const set = IntSet.of<number>(2, 1)
    IntSet.toArray(set).push(3)
    assert.deepStrictEqual<unknown>(set, [1, 2])
  })

  it("prints its members, small or large", () => {
    for (const ids of [[], [3], range(0, 16), range(0, 17), range(100, 300)]) {
      assert.strictEqual(JSON.stringify(IntSet.fromIterable(ids)), JSON.stringify(ids))
    }
  })
})
