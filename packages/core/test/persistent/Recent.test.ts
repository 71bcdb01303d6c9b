import { assert, it } from "@effect/vitest"
import { makeOwner } from "@skein/core/persistent/Owner"
import * as Recent from "@skein/core/persistent/Recent"

/** The numbers from 0 on, added in batches of these sizes. */
const filled = (length: number, batches: ReadonlyArray<number>): Recent.Recent<number> => {
  let log = Recent.empty<number>(length)
  for (const batch of batches) {
    const owner = makeOwner()
    for (let n = 0; n < batch; n++) log = Recent.add(log, owner, log.count)
  }
  return log
}

const lengths = [1, 5, 31, 32, 33, 64, 100]

it("keeps the last values by their numbers, and no others", () => {
  for (const length of lengths) {
    for (let count = 0; count < 200; count++) {
      const log = filled(length, [count])
      const last = Array.from({ length: Math.min(count, length) }, (_, at) => count - Math.min(count, length) + at)
      assert.strictEqual(Recent.size(log), last.length)
      assert.deepStrictEqual(Recent.since(log, 0), last, `the last ${length} of ${count}`)
      assert.deepStrictEqual(Recent.since(log, count - 2), last.slice(-2))
      assert.isUndefined(Recent.get(log, count))
      assert.isUndefined(Recent.get(log, count - length - 1))
      assert.isTrue(Recent.isWhole(log))
    }
  }
})

it("is the same however its values were divided into batches, and says so as JSON", () => {
  assert.deepStrictEqual(filled(40, Array.from({ length: 150 }, () => 1)), filled(40, [30, 2, 1, 63, 54]))
  assert.strictEqual(JSON.stringify(filled(3, [2, 2])), JSON.stringify({ from: 1, values: [1, 2, 3] }))
})

it("never changes what a batch has handed out", () => {
  for (const length of lengths) {
    const before: Array<readonly [log: Recent.Recent<number>, values: ReadonlyArray<number>]> = []
    let log = Recent.empty<number>(length)
    for (let batch = 0; batch < 60; batch++) {
      const owner = makeOwner()
      for (let n = 0; n < batch % 7; n++) log = Recent.add(log, owner, log.count)
      before.push([log, Recent.since(log, 0)])
    }
    for (const [log, values] of before) assert.deepStrictEqual(Recent.since(log, 0), values)
  }
})

it("has what its own history added, whatever another batch makes of the same beginning", () => {
  for (const length of lengths) {
    for (let count = 0; count < 70; count++) {
      const beginning = filled(length, [count])
      const one = Recent.add(beginning, makeOwner(), -1)
      const other = Recent.add(beginning, makeOwner(), -2)
      assert.strictEqual(Recent.get(one, count), -1, `the last ${length} of ${count}`)
      assert.strictEqual(Recent.get(other, count), -2)
      assert.deepStrictEqual(beginning, filled(length, [count]))
    }
  }
})

it("is not whole if something is missing of it", () => {
  const log = filled(64, [100])
  assert.isFalse(Recent.isWhole({ ...log, newest: [] }))
  assert.isFalse(Recent.isWhole({ ...log, full: Recent.empty(1).full }))
  assert.isFalse(Recent.isWhole({ ...log, length: 32 }))
})
