import { assert, describe, it } from "@effect/vitest"
import * as Starting from "@skein/runtime/worker/Starting"

/** Bodies are numbers: how many milliseconds each holds the loop. Those that say so are short. */
const make = (isShort: (ms: number) => boolean = () => true) => {
  let at = 0
  const later: Array<() => void> = []
  const begun: Array<number> = []
  const starting: Starting.Starting<number> = Starting.make<number>({
    now: () => at,
    soon: (then) => void later.push(then),
    wake: () => starting.go(),
    isShort,
    begin: (ms) => {
      begun.push(ms)
      at += ms
    }
  })
  const ask = (...all: ReadonlyArray<number>) => {
    for (const ms of all) starting.add(ms)
    starting.go()
  }
  return { ask, begun, later, nextTurn: () => later.shift()?.() }
}

describe("Starting", () => {
  it("begins what is short at once, for as long as a turn may take, and goes on with the next", () => {
    const { ask, begun, later, nextTurn } = make()
    ask(0.5, 0.4, 0.3, 0.2)
    assert.deepStrictEqual(begun, [0.5, 0.4, 0.3])
    ask(0.1)
    assert.deepStrictEqual(begun, [0.5, 0.4, 0.3])
    assert.strictEqual(later.length, 1)
    nextTurn()
    assert.deepStrictEqual(begun, [0.5, 0.4, 0.3, 0.2, 0.1])
    nextTurn()
    assert.strictEqual(later.length, 0)
  })

  it("begins no other but as the first of a turn, so that no result waits for it", () => {
    const { ask, begun, nextTurn } = make((ms) => ms < 0.5)
    ask(0.1, 0.6, 0.2, 0.7, 0.3)
    assert.deepStrictEqual(begun, [0.1])
    nextTurn()
    assert.deepStrictEqual(begun, [0.1, 0.6, 0.2])
    ask(0.1)
    nextTurn()
    assert.deepStrictEqual(begun, [0.1, 0.6, 0.2, 0.7, 0.3])
    nextTurn()
    assert.deepStrictEqual(begun, [0.1, 0.6, 0.2, 0.7, 0.3, 0.1])
  })
})
