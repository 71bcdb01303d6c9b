import { assert, describe, it } from "@effect/vitest"
import { Key, RunId, TaskId } from "@skein/protocol/Ids"
import * as DataStore from "@skein/runtime/worker/DataStore"

const id = (n: number) => TaskId.make(n)
const run = (n: number) => RunId.make(n)
const entry = (task: number, ofRun: number, size: number, key: string | null = null): DataStore.Entry => ({
  id: id(task),
  run: run(ofRun),
  key: key === null ? null : Key.make(key),
  bytes: new Uint8Array(size)
})

describe("DataStore", () => {
  it("finds a result by id and run, and by no other run", () => {
    const store = DataStore.make()
    store.put(entry(1, 5, 8), store.generation())
    assert.strictEqual(store.find(id(1), run(5))?.length, 8)
    assert.isUndefined(store.find(id(1), run(4)))
    assert.isUndefined(store.find(id(2), run(5)))
    assert.strictEqual(store.latest(id(1))?.length, 8)
  })

  it("lets the later run win, whichever comes first", () => {
    const store = DataStore.make()
    store.put(entry(1, 5, 8), store.generation())
    store.put(entry(1, 6, 3), store.generation())
    store.put(entry(1, 4, 100), store.generation())
    assert.strictEqual(store.latest(id(1))?.length, 3)
    assert.strictEqual(store.managedBytes(), 3)
    assert.strictEqual(store.size(), 1)
  })

  it("drops a result only by its own run", () => {
    const store = DataStore.make()
    store.put(entry(1, 6, 3), store.generation())
    store.drop(id(1), run(5))
    assert.strictEqual(store.size(), 1)
    store.drop(id(1), run(6))
    assert.strictEqual(store.size(), 0)
    assert.strictEqual(store.managedBytes(), 0)
  })

  it("offers what it knows the key of, and keeps what was adopted under its new id", () => {
    const store = DataStore.make()
    store.put(entry(1, 5, 8, "a"), store.generation())
    store.put(entry(2, 6, 4, "b"), store.generation())
    store.put(entry(3, 7, 2), store.generation())
    const offers = store.offer()
    assert.deepStrictEqual(offers.map(({ key, run }) => ({ key, run })), [{ key: Key.make("a"), run: run(5) }, { key: Key.make("b"), run: run(6) }])
    // "a" gets the id that "b" had.
    const held = store.adopt([{ entry: offers[0]!, id: id(2) }])
    assert.deepStrictEqual(held, [{ id: id(2), run: run(5), nbytes: 8 }])
    assert.isUndefined(store.latest(id(1)))
    assert.strictEqual(store.find(id(2), run(5))?.length, 8)
    assert.strictEqual(store.managedBytes(), 8)
  })

  it("keeps nothing that was begun before results got new ids", () => {
    const store = DataStore.make()
    const begun = store.generation()
    store.adopt([])
    store.put(entry(1, 5, 8), begun)
    assert.strictEqual(store.size(), 0)
    store.put(entry(1, 5, 8), store.generation())
    assert.strictEqual(store.size(), 1)
  })
})
