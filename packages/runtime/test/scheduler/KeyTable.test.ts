import { assert, describe, it } from "@effect/vitest"
import { CodeId } from "@skein/protocol/Ids"
import * as KeyTable from "@skein/runtime/scheduler/KeyTable"
import { Violation } from "@skein/runtime/scheduler/Violation"
import { id, key, ref } from "./utils/make.ts"

const code = CodeId.make(0)
const other = CodeId.make(1)

describe("KeyTable", () => {
  it("gives a key one id, and each key another", () => {
    const table = KeyTable.make()
    assert.strictEqual(table.idFor(key("a"), code), 0)
    assert.strictEqual(table.idFor(key("b"), code), 1)
    assert.strictEqual(table.idFor(key("a"), code), 0)
    assert.strictEqual(table.idOf(key("b")), 1)
    assert.strictEqual(table.keyOf(id(1)), "b")
    assert.strictEqual(table.size(), 2)
  })

  it("gives forgotten ids again in the order in which they came back", () => {
    const table = KeyTable.make()
    for (const name of ["a", "b", "c"]) table.idFor(key(name), code)
    table.forget(id(2))
    table.forget(id(0))
    table.forget(id(0))
    assert.isUndefined(table.idOf(key("c")))
    assert.isUndefined(table.keyOf(id(2)))
    assert.deepStrictEqual(["d", "e", "f"].map((name) => table.idFor(key(name), code)), [2, 0, 3])
  })

  it("gives many ids back and out again in order", () => {
    const table = KeyTable.make()
    for (let n = 0; n < 5_000; n++) table.idFor(key(`a${n}`), code)
    for (let n = 4_999; n >= 0; n--) table.forget(id(n))
    for (let n = 4_999; n >= 0; n--) assert.strictEqual(table.idFor(key(`b${n}`), code), n)
    assert.strictEqual(table.idFor(key("more"), code), 5_000)
  })

  it("knows nothing of ids that were never given", () => {
    const table = KeyTable.make()
    table.idFor(key("a"), code)
    for (const n of [-1, 1.5, NaN, 2 ** 53, 1]) {
      table.forget(id(n))
      assert.isUndefined(table.keyOf(id(n)))
    }
    assert.strictEqual(table.size(), 1)
    assert.deepStrictEqual(table.snapshot().free, [])
  })

  it("takes a refused message's names back as if it had not come", () => {
    const table = KeyTable.make()
    for (const name of ["a", "b", "c"]) table.idFor(key(name), code)
    for (const n of [1, 0, 2]) table.forget(id(n))
    table.idFor(key("kept"), code)
    table.takeNamed()
    const before = table.snapshot()
    table.begin()
    for (const name of ["kept", "x", "y", "z", "x"]) table.idFor(key(name), code)
    table.undo()
    assert.deepStrictEqual(table.snapshot(), before)
    assert.deepStrictEqual(table.takeNamed(), [])
    assert.strictEqual(table.idFor(key("next"), code), 0)
  })

  it("tells which names were given since it was last asked", () => {
    const table = KeyTable.make()
    table.idFor(key("a"), code)
    table.idFor(key("a"), code)
    assert.deepStrictEqual(table.takeNamed(), [{ id: id(0), key: key("a"), code }])
    table.idFor(key("a"), other)
    assert.deepStrictEqual(table.takeNamed(), [{ id: id(0), key: key("a"), code: other }])
    assert.deepStrictEqual(table.takeNamed(), [])
  })

  it("is rebuilt by its names and what was forgotten, whenever that came", () => {
    const live = KeyTable.make()
    const replayed = KeyTable.make()
    /** A turn whose names were given before the ids of the turn before came back. */
    const turn = (names: ReadonlyArray<string>, forgotten: ReadonlyArray<number>, late: ReadonlyArray<string>) => {
      for (const name of names) live.idFor(key(name), code)
      for (const named of live.takeNamed()) replayed.restore(named)
      for (const n of forgotten) replayed.forget(id(n))
      for (const n of forgotten) live.forget(id(n))
      for (const name of late) live.idFor(key(name), code)
    }
    turn(["a", "b", "c"], [1], ["d"])
    turn(["e"], [0, 2], ["f", "g"])
    turn(["a"], [], [])
    assert.deepStrictEqual(replayed.snapshot(), live.snapshot())
  })
})

describe("Refs", () => {
  it("refuses to hold under numbers that are no references", () => {
    for (const n of [-1, 1.5, NaN, 2 ** 53, Infinity]) {
      assert.throws(() => KeyTable.makeRefs().hold(ref(n), id(0)), Violation)
    }
  })

  it("refuses numbers that the client does not hold", () => {
    const refs = KeyTable.makeRefs()
    refs.hold(ref(1), id(10))
    for (const n of [-1, 1.5, NaN, 2 ** 53, 0, 10]) {
      assert.throws(() => refs.idOf(ref(n)), Violation)
      assert.throws(() => refs.release(ref(n)), Violation)
    }
    assert.strictEqual(refs.idOf(ref(1)), id(10))
  })

  it("holds a key under one number, and one key under it", () => {
    const refs = KeyTable.makeRefs()
    refs.hold(ref(1), id(10))
    refs.hold(ref(1), id(10))
    assert.throws(() => refs.hold(ref(1), id(11)), Violation)
    assert.throws(() => refs.hold(ref(2), id(10)), Violation)
    assert.strictEqual(refs.release(ref(1)), 10)
    assert.isUndefined(refs.refOf(id(10)))
    refs.hold(ref(1), id(11))
    assert.strictEqual(refs.refOf(id(11)), 1)
  })

  it("keeps a conflict until the client lets go of it or asks again", () => {
    const refs = KeyTable.makeRefs()
    // Of a refusal only the number is kept.
    const refusal = { failure: { _tag: "Refused", retryMs: 1 } as const, origin: key("r"), originCode: undefined }
    const full = KeyTable.makeRefs()
    full.hold(ref(1), id(1))
    full.conflict(ref(1), refusal)
    full.holdConflict(ref(2), refusal)
    for (const one of [1, 2]) assert.deepStrictEqual(full.idOf(ref(one)), { ...refusal, origin: undefined })
    assert.strictEqual(full.size(), 2)
    full.hold(ref(1), id(5))
    assert.deepStrictEqual([full.idOf(ref(1)), full.release(ref(2)), full.size()], [5, undefined, 1])
    assert.throws(() => full.idOf(ref(2)))
    const conflict = { failure: { _tag: "Conflict", heldBy: "bob" } as const, origin: key("a"), originCode: undefined }
    refs.hold(ref(1), id(10))
    refs.conflict(ref(1), conflict)
    assert.deepStrictEqual(refs.idOf(ref(1)), conflict)
    assert.isUndefined(refs.refOf(id(10)))
    refs.hold(ref(1), id(10))
    assert.strictEqual(refs.idOf(ref(1)), id(10))
    refs.conflict(ref(1), conflict)
    assert.isUndefined(refs.release(ref(1)))
    assert.strictEqual(refs.size(), 0)
  })
})
