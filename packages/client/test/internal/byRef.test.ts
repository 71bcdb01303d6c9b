import { assert, describe, it } from "@effect/vitest"
import { Ref } from "@skein/protocol/Ids"
import { ByRef } from "../../src/internal/byRef.ts"

const ref = (n: number): Ref => Ref.make(n)
interface Named {
  readonly name: number
}

describe("what is kept by reference", () => {
  it("does what a map does, whatever comes and goes", () => {
    const kept = new ByRef<Named>()
    const model = new Map<Ref, Named>()
    const removed: Array<boolean> = []
    const expected: Array<boolean> = []
    const count = 700
    // Every third goes two pages later, every seventh never, all others at once.
    for (let next = 0; next < count; next++) {
      const value = { name: next }
      kept.add(ref(next), value)
      model.set(ref(next), value)
      for (const gone of [...(next % 3 !== 0 && next % 7 !== 0 ? [next] : []), ...(next >= 128 && (next - 128) % 3 === 0 ? [next - 128] : [])]) {
        removed.push(kept.remove(ref(gone)))
        expected.push(model.delete(ref(gone)))
      }
    }
    assert.deepStrictEqual(removed, expected)
    assert.strictEqual(kept.size, model.size)
    const all = Array.from({ length: count }, (_, at) => ref(at))
    assert.deepStrictEqual(all.map((at) => kept.get(at)), all.map((at) => model.get(at)))
    assert.deepStrictEqual([...kept.values()], [...model.values()])
  })

  it("says whether there was something to remove", () => {
    const kept = new ByRef<Named>()
    kept.add(ref(5), { name: 5 })
    assert.deepStrictEqual([kept.remove(ref(4)), kept.remove(ref(5)), kept.remove(ref(5)), kept.remove(ref(500)), kept.size], [false, true, false, false, 0])
  })

  it("finds nothing under a number that is no reference", () => {
    const kept = new ByRef<Named>()
    kept.add(ref(0), { name: 0 })
    kept.add(ref(1), { name: 1 })
    // What a report says is found out by looking it up here, so any number may come.
    for (const number of [-1, 0.5, 1.5, 64, 2 ** 32, 2 ** 32 + 1, NaN, Infinity]) assert.isUndefined(kept.get(number as Ref), String(number))
  })
})
