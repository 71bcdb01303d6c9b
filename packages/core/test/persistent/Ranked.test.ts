import { assert, describe, it } from "@effect/vitest"
import { makeOwner, type Owner } from "@skein/core/persistent/Owner"
import * as Ranked from "@skein/core/persistent/Ranked"
import { indexOf, type Step, Walk, walkAndKeep } from "../utils/persistence.ts"
import { firstSeed } from "../utils/seed.ts"

/** Entries in order: [priority, rank, id]. */
type Entry = readonly [priority: number, rank: number, id: number]

/** By priority and rank, as text. */
type Model = Map<string, Entry>

const nameOf = (position: Ranked.Position): string => `${position.priority} ${position.rank}`

const inOrder = (model: Model): Array<Entry> =>
  [...model.values()].sort((a, b) => a[0] === b[0] ? a[1] - b[1] : b[0] - a[0])

const entriesOf = (queue: Ranked.Ranked): Array<Entry> =>
  Array.from(Ranked.entries(queue), ([id, { priority, rank }]) => [priority, rank, id])

const fromEntries = (entries: ReadonlyArray<Entry>): Ranked.Ranked => {
  const owner = makeOwner()
  let queue = Ranked.empty()
  for (const [priority, rank, id] of entries) queue = Ranked.add(queue, owner, { priority, rank }, id)
  return queue
}

/** Neighbours in the order of numbers, and in the bits of floats. */
const priorities = [
  0, 1, -1, 2, 0.1, -0.1, 1 / 3, 1 + Number.EPSILON,
  5e-324, -5e-324, 1e308, -1e308, 2 ** 32, 2 ** 32 + 1
]

/** Where ranks begin: before and after the borders of blocks, and at the end of all ranks. */
const epochs = [0, 2 ** 30 - 10, 2 ** 31, 2 ** 32 - 10, 2 ** 40, 2 ** 53 - 2 ** 31]

/** Half of the steps go to one priority, so that lines grow long, and half to many, so that the tree does. */
const positionOf = (step: Step, n: number): Ranked.Position => ({
  priority: step.offset % 2 === 0 ? 0 : priorities[(step.offset + Math.floor(n / 3)) % priorities.length]!,
  rank: epochs[step.times % epochs.length]! + indexOf(step, n)
})

let counter = 0

const step = (start: Ranked.Ranked, owner: Owner, model: Model, step: Step): Ranked.Ranked => {
  let queue = start
  for (let n = 0; n < step.times; n++) {
    const present = [...model.values()]
    const chosen = present[(step.offset * 7 + n) % Math.max(1, present.length)]
    const position = step.action === "Remove" && chosen !== undefined
      ? { priority: chosen[0], rank: chosen[1] }
      : positionOf(step, n)
    if (step.action === "Add") {
      const id = counter++ % 1_000
      queue = Ranked.add(queue, owner, position, id)
      model.set(nameOf(position), [position.priority, position.rank, id])
    } else {
      queue = Ranked.remove(queue, owner, position)
      model.delete(nameOf(position))
    }
    assert.strictEqual(queue.size, model.size)
    assert.strictEqual(Ranked.get(queue, position), model.get(nameOf(position))?.[2])
  }
  assert.strictEqual(Ranked.first(queue), inOrder(model)[0]?.[2])
  return queue
}

const check = (queue: Ranked.Ranked, model: Model): void => {
  const expected = inOrder(model)
  assert.strictEqual(queue.size, expected.length)
  assert.deepStrictEqual(entriesOf(queue), expected)
  assert.strictEqual(Ranked.first(queue), expected[0]?.[2])
  // Its shape depends on its entries alone: nothing of its history is left in it.
  assert.deepStrictEqual(queue, fromEntries(expected))
}

const objectsIn = (value: unknown): number =>
  typeof value !== "object" || value === null
    ? 0
    : Object.values(value).reduce<number>((sum, inner) => sum + objectsIn(inner), 1)

describe("Ranked", () => {
  it.prop(
    "every version stays equal to its model, and in its smallest shape, whatever happens later",
    [Walk],
    ([walk]) =>
      walkAndKeep(walk, {
        start: Ranked.empty(),
        model: new Map<string, Entry>(),
        copy: (model) => new Map(model),
        step,
        check
      }),
    { arbitrary: { seed: firstSeed, runs: 200 } }
  )

  it("puts the higher priority first, and the lower rank within one", () => {
    const queue = fromEntries([[0, 5, 1], [0, 3, 2], [10, 9, 3], [-2.5, 0, 4], [10, 8, 5], [-Infinity, 0, 6]])
    assert.deepStrictEqual([...Ranked.values(queue)], [5, 3, 2, 1, 4, 6])
    const visited: Array<number> = []
    Ranked.forEach(queue, (id, { rank }) => visited.push(id, rank))
    assert.deepStrictEqual(visited, [5, 8, 3, 9, 2, 3, 1, 5, 4, 0, 6, 0])
  })

  it("keeps ranks in order across blocks, up to the last safe integer", () => {
    const ranks = [
      0, 2 ** 30 - 1, 2 ** 30, 2 ** 31, 2 ** 32 - 1,
      2 ** 32, 2 ** 32 + 1, 2 ** 45, Number.MAX_SAFE_INTEGER
    ]
    const entries = ranks.map((rank, id): Entry => [0, rank, id])
    let queue = fromEntries([...entries].reverse())
    assert.deepStrictEqual(entriesOf(queue), entries)
    const owner = makeOwner()
    for (const [priority, rank, id] of entries) {
      assert.strictEqual(Ranked.first(queue), id)
      queue = Ranked.remove(queue, owner, { priority, rank })
    }
    assert.strictEqual(queue, Ranked.empty())
  })

  it("takes 0 and −0 for one priority", () => {
    const owner = makeOwner()
    let queue = Ranked.add(Ranked.empty(), owner, { priority: -0, rank: 1 }, 7)
    queue = Ranked.add(queue, owner, { priority: 0, rank: 0 }, 8)
    assert.deepStrictEqual(queue, fromEntries([[0, 0, 8], [0, 1, 7]]))
    assert.strictEqual(Ranked.get(queue, { priority: 0, rank: 1 }), 7)
  })

  it("replaces the id at a position and adds none", () => {
    const owner = makeOwner()
    const queue = Ranked.add(fromEntries([[1, 1, 1]]), owner, { priority: 1, rank: 1 }, 2)
    assert.deepStrictEqual(entriesOf(queue), [[1, 1, 2]])
    assert.strictEqual(queue.size, 1)
  })

  it("refuses positions that have no place in the order, and stays as it was", () => {
    const owner = makeOwner()
    const owned = Ranked.add(Ranked.empty(), owner, { priority: 0, rank: 0 }, 1)
    assert.throws(() => Ranked.add(owned, owner, { priority: 5, rank: -1 }, 2), /cannot be a rank/)
    assert.deepStrictEqual(owned, fromEntries([[0, 0, 1]]))
    for (const rank of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      assert.throws(() => Ranked.add(Ranked.empty(), owner, { priority: 0, rank }, 1), /cannot be a rank/)
      assert.isUndefined(Ranked.get(fromEntries([[0, 0, 1]]), { priority: 0, rank }))
    }
    assert.throws(() => Ranked.add(Ranked.empty(), owner, { priority: NaN, rank: 0 }, 1), /cannot be a priority/)
  })

  it("edits in place what its batch owns, and nothing else", () => {
    const owner = makeOwner()
    const queue = Ranked.add(Ranked.empty(), owner, { priority: 0, rank: 0 }, 1)
    assert.strictEqual(Ranked.add(queue, owner, { priority: 3, rank: 1 }, 2), queue)
    const other = Ranked.remove(queue, makeOwner(), { priority: 3, rank: 1 })
    assert.deepStrictEqual([...Ranked.values(queue)], [2, 1])
    assert.deepStrictEqual([...Ranked.values(other)], [1])
  })

  it("does not grow with what has been in it, priorities and blocks of ranks included", () => {
    let queue = Ranked.empty()
    const positions: Array<Ranked.Position> = []
    // A hundred blocks pass, and a hundred priorities.
    for (let n = 0; n < 50_000; n++) {
      const owner = makeOwner()
      const position = { priority: Math.floor(n / 500) / 7, rank: n * 2 ** 21 }
      positions.push(position)
      queue = Ranked.add(queue, owner, position, n)
      const old = positions[n - 50]
      if (old !== undefined) queue = Ranked.remove(queue, owner, old)
    }
    assert.deepStrictEqual(queue, fromEntries(entriesOf(queue)))
    assert.strictEqual(queue.size, 50)
    assert.isAtMost(objectsIn(queue), 50 * 30)
  })

  it("orders a hundred thousand different priorities", () => {
    const owner = makeOwner()
    let queue = Ranked.empty()
    // A permutation, for 7 919 and 100 000 have no common divisor; 7 919 · 17 679 is 1 modulo 100 000.
    for (let n = 0; n < 100_000; n++) {
      const priority = (n * 7_919) % 100_000
      queue = Ranked.add(queue, owner, { priority, rank: n }, priority)
    }
    for (let priority = 99_999; priority >= 0; priority--) {
      // Compared by hand: an assertion costs more than the queue.
      const first = Ranked.first(queue)
      if (first !== priority) return assert.fail(`${first} comes first, and not ${priority}`)
      queue = Ranked.remove(queue, owner, { priority, rank: (priority * 17_679) % 100_000 })
      if (queue.size !== priority) return assert.fail(`${queue.size} entries are left of ${priority}`)
    }
  })

  it("prints its entries in order", () => {
    const queue = fromEntries([[0, 2, 5], [1, 2 ** 33, 6]])
    assert.strictEqual(
      JSON.stringify(queue),
      `[{"priority":1,"rank":${2 ** 33},"id":6},{"priority":0,"rank":2,"id":5}]`
    )
  })
})
