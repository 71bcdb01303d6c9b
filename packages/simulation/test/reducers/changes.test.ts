import { assert, describe, it } from "@effect/vitest"
import { makeOwner } from "@skein/core/persistent/Owner"
import * as Vector from "@skein/core/persistent/Vector"
import { forEachChange } from "../../src/reducers/changes.ts"
import { Stream } from "../../src/reducers/Draws.ts"

describe("changes between two vectors", () => {
  it("are those that a look at every index finds, whatever the heights of the trees", () => {
    for (let seed = 0; seed < 100; seed++) {
      const stream = new Stream(seed, 1)
      const highest = stream.oneOf([20, 40, 1_100, 40_000])
      const edit = (vector: Vector.Vector<number>): Vector.Vector<number> => {
        const owner = makeOwner()
        let edited = vector
        for (let n = stream.below(30); n > 0; n--) {
          const index = stream.below(highest)
          edited = stream.chance(0.4) ? Vector.remove(edited, owner, index) : Vector.set(edited, owner, index, stream.below(3))
        }
        return edited
      }
      const before = edit(Vector.empty())
      const after = edit(before)
      const found: Array<string> = []
      forEachChange(before, after, (old, now, index) => found.push(`${index}: ${old} ${now}`))
      const looked: Array<string> = []
      for (let index = 0; index < highest; index++) {
        const old = Vector.get(before, index)
        const now = Vector.get(after, index)
        if (old !== now) looked.push(`${index}: ${old} ${now}`)
      }
      assert.deepStrictEqual(found.sort(), looked.sort(), `seed ${seed}`)
    }
  })
})
