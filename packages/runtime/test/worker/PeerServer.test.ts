import { assert, describe, it } from "@effect/vitest"
import { Key, RunId, TaskId } from "@skein/protocol/Ids"
import * as DataStore from "@skein/runtime/worker/DataStore"
import { answer } from "@skein/runtime/worker/PeerServer"

const entry = { id: TaskId.make(1), run: RunId.make(7), key: Key.make("a"), bytes: new Uint8Array(3) }

describe("who wants a result of a worker", () => {
  it("gets it by id and run, and is told if it is not there", () => {
    const store = DataStore.make()
    store.put(entry, store.generation())
    assert.strictEqual(answer(store, entry)._tag, "Found")
    assert.strictEqual(answer(store, { id: 1, run: 8 })._tag, "Missing")
    assert.strictEqual(answer(store, { id: 2, run: 7 })._tag, "Missing")
  })

  /**
   * Found by simulation (X1, seed 1,010,747 of the machines alone): the scheduler knew a result under the new id that its key had got,
   * told a peer, and heard from it that the result was missing before its holder knew the id. So it forgot a holder, which kept the
   * result for ever.
   */
  it("is to come again while that worker registers anew: it may know the result by an id that the worker is about to hear", () => {
    const store = DataStore.make()
    store.put(entry, store.generation())
    const offered = store.offer()
    assert.strictEqual(answer(store, entry)._tag, "Found")
    assert.strictEqual(answer(store, { id: 5, run: 7 })._tag, "Busy")
    store.adopt(offered.map((each) => ({ entry: each, id: TaskId.make(5) })))
    assert.strictEqual(answer(store, { id: 5, run: 7 })._tag, "Found")
    assert.strictEqual(answer(store, entry)._tag, "Missing")
  })
})
