import { assert, describe, it } from "@effect/vitest"
import { makeOwner, type Owner } from "@skein/core/persistent/Owner"
import * as Vector from "@skein/core/persistent/Vector"
import { indexOf, type Step, Walk, walkAndKeep } from "../utils/persistence.ts"
import { deepFreeze } from "../utils/deepFreeze.ts"
import { firstSeed } from "../utils/seed.ts"

type Model = Map<number, string>

const inOrder = (model: Model): Array<[number, string]> => [...model].sort(([a], [b]) => a - b)

const fromModel = (model: Model): Vector.Vector<string> => {
  const owner = makeOwner()
  let vector = Vector.empty<string>()
  for (const [index, value] of inOrder(model)) vector = Vector.set(vector, owner, index, value)
  return vector
}

let stamp = 0

const step = (start: Vector.Vector<string>, owner: Owner, model: Model, step: Step): Vector.Vector<string> => {
  let vector = start
  for (let n = 0; n < step.times; n++) {
    const present = [...model.keys()]
    const index = step.action === "Remove" && present.length > 0
      ? present[(step.offset * 7 + n) % present.length]!
      : indexOf(step, n)
    if (step.action === "Add") {
      const value = `value ${stamp++}`
      vector = Vector.set(vector, owner, index, value)
      model.set(index, value)
    } else {
      vector = Vector.remove(vector, owner, index)
      model.delete(index)
    }
    assert.strictEqual(vector.size, model.size)
  }
  return vector
}

const check = (vector: Vector.Vector<string>, model: Model): void => {
  const expected = inOrder(model)
  assert.strictEqual(vector.size, expected.length)
  assert.deepStrictEqual([...Vector.entries(vector)], expected)
  const visited: Array<[number, string]> = []
  Vector.forEach(vector, (value, index) => visited.push([index, value]))
  assert.deepStrictEqual(visited, expected)
  assert.strictEqual(Vector.min(vector), expected[0]?.[0])
  assert.strictEqual(Vector.first(vector), expected[0]?.[1])
  const walked: Array<number> = []
  for (let index = Vector.min(vector); index !== undefined; index = Vector.next(vector, index)) walked.push(index)
  assert.deepStrictEqual(walked, expected.map(([index]) => index))
  for (const [index, value] of expected) {
    assert.strictEqual(Vector.get(vector, index), value)
    if (!model.has(index + 1)) assert.isUndefined(Vector.get(vector, index + 1))
  }
  // Its shape depends on its entries alone: nothing of its history is left in it.
  assert.deepStrictEqual(vector, fromModel(model))
}

const nodesIn = (node: Vector.Node<unknown> | undefined): number =>
  node === undefined ? 0 : node.children.reduce((sum, child) => sum + nodesIn(child), 1)

const borders = [
  0, 31, 32, 1_023, 1_024, 32_767, 32_768,
  2 ** 20 - 1, 2 ** 20, 2 ** 25, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1
]

describe("Vector", () => {
  it.prop(
    "every version stays equal to its model, and in its smallest shape, whatever happens later",
    [Walk],
    ([walk]) =>
      walkAndKeep(walk, {
        start: Vector.empty<string>(),
        model: new Map<number, string>(),
        copy: (model) => new Map(model),
        step,
        check
      }),
    { arbitrary: { seed: firstSeed, runs: 200 } }
  )

  it("holds entries at the borders of leaves and levels, in any order of arrival", () => {
    for (const order of [borders, [...borders].reverse()]) {
      const owner = makeOwner()
      let vector = Vector.empty<number>()
      for (const index of order) vector = Vector.set(vector, owner, index, index)
      assert.deepStrictEqual([...Vector.values(vector)], borders)
      for (const index of borders) assert.strictEqual(Vector.get(vector, index), index)
      for (const index of order) {
        vector = Vector.remove(vector, owner, index)
        assert.isUndefined(Vector.get(vector, index))
      }
      assert.strictEqual(vector, Vector.empty())
    }
  })

  it("has nothing at what is no index, and stores nothing there", () => {
    const owner = makeOwner()
    const vector = borders.reduce((vector, index) => Vector.set(vector, owner, index, index), Vector.empty<number>())
    for (const index of [-1, -(2 ** 31), 0.5, 1.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 32 + 31, 2 ** 53]) {
      assert.isUndefined(Vector.get(vector, index))
      assert.strictEqual(Vector.remove(vector, owner, index), vector)
      assert.throws(() => Vector.set(vector, owner, index, 1), /cannot be an index/)
    }
  })

  it("edits in place what its batch owns, and nothing else", () => {
    const first = makeOwner()
    const one = Vector.set(Vector.empty<string>(), first, 40, "a")
    assert.strictEqual(Vector.set(one, first, 41, "b"), one)
    const second = makeOwner()
    const other = Vector.set(one, second, 40, "c")
    assert.notStrictEqual(other, one)
    assert.strictEqual(Vector.get(one, 40), "a")
    assert.strictEqual(Vector.get(other, 40), "c")
  })

  it("shares every node that did not change", () => {
    let vector = Vector.empty<number>()
    const owner = makeOwner()
    for (let index = 0; index < 2_048; index++) vector = Vector.set(vector, owner, index, index)
    const edited = Vector.set(vector, makeOwner(), 0, -1)
    assert.strictEqual(edited.root?.children[1], vector.root?.children[1])
    assert.strictEqual(edited.root?.children[0]?.children[1], vector.root?.children[0]?.children[1])
    assert.notStrictEqual(edited.root?.children[0]?.children[0], vector.root?.children[0]?.children[0])
  })

  it("treats undefined as absent", () => {
    const owner = makeOwner()
    const vector = Vector.set(Vector.set(Vector.empty<string | undefined>(), owner, 1, "a"), owner, 2, "b")
    const less = Vector.set(vector, owner, 1, undefined)
    assert.deepStrictEqual([...Vector.entries(less)], [[2, "b"]])
    assert.strictEqual(less.size, 1)
  })

  it("does not grow with what has been in it", () => {
    let vector = Vector.empty<number>()
    const alive = 100
    for (let index = 0; index < 200_000; index++) {
      const owner = makeOwner()
      vector = Vector.set(vector, owner, index, index)
      if (index >= alive) vector = Vector.remove(vector, owner, index - alive)
    }
    assert.strictEqual(vector.size, alive)
    assert.strictEqual(Vector.min(vector), 200_000 - alive)
    // 100 neighbours lie in at most 5 leaves, under at most 2 branches a level.
    assert.isAtMost(nodesIn(vector.root), 5 + 2 + 2 + 1)
  })

  it("grows lower again when its high entries leave", () => {
    const low = Vector.set(Vector.empty<string>(), makeOwner(), 3, "low")
    const high = Vector.set(low, makeOwner(), Vector.maxIndex, "high")
    const owner = makeOwner()
    const again = Vector.remove(high, owner, Vector.maxIndex)
    assert.strictEqual(again.shift, 0)
    assert.deepStrictEqual(again, low)
  })

  it("lets a visitor remove every entry that it is shown", () => {
    const owner = makeOwner()
    let vector = Vector.empty<number>()
    for (let index = 0; index < 5_000; index += 3) vector = Vector.set(vector, owner, index, index)
    const seen: Array<number> = []
    Vector.forEach(vector, (_, index) => {
      seen.push(index)
      vector = Vector.remove(vector, owner, index)
    })
    assert.strictEqual(seen.length, 1_667)
    assert.strictEqual(vector, Vector.empty())
  })

  it("prints its entries", () => {
    const vector = deepFreeze(Vector.set(Vector.empty<string>(), makeOwner(), 7, "seven"))
    assert.strictEqual(JSON.stringify(vector), `{"7":"seven"}`)
    assert.strictEqual(JSON.stringify(Vector.empty()), "{}")
  })
})
