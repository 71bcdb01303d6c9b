import { assert, describe, it } from "@effect/vitest"
import { RunId } from "@skein/protocol/Ids"
import * as Freeing from "@skein/runtime/scheduler/Freeing"
import type { WorkerRow } from "@skein/runtime/scheduler/Rows"
import { id } from "./utils/make.ts"

/** A worker that takes rows. */
const peer = () => {
  const rows: Array<WorkerRow> = []
  return { rows, push: (row: WorkerRow) => void rows.push(row) }
}
type Peer = ReturnType<typeof peer>

const add = (freeing: Freeing.Freeing<Peer>, to: Peer, count: number) => {
  for (let n = 0; n < count; n++) freeing.add(to, { id: id(n), run: RunId.make(n) })
}

describe("Freeing", () => {
  it("tells each worker of all that is its own, once and in order, whoever else waits", () => {
    const freeing = Freeing.make<Peer>()
    const counts = [1, Freeing.PORTION, Freeing.PORTION + 1, 3 * Freeing.PORTION]
    const peers = counts.map(() => peer())
    peers.forEach((to, index) => add(freeing, to, counts[index]!))
    for (let turn = 0; turn < 10; turn++) freeing.next().forEach(freeing.goAlong)
    assert.isTrue(freeing.isEmpty())
    for (const [index, { rows }] of peers.entries()) {
      assert.deepStrictEqual(rows, Array.from({ length: counts[index]! }, (_, n) => ({ _tag: "Free", row: { id: id(n), run: RunId.make(n) } })))
    }
  })

  it("gives a portion at a time, to one who has much or to many who have little, and each has a turn before anybody has two", () => {
    const freeing = Freeing.make<Peer>()
    const [much, more] = [peer(), peer()]
    add(freeing, much, 2 * Freeing.PORTION)
    add(freeing, more, 2 * Freeing.PORTION)
    const little = Array.from({ length: 3 }, () => peer())
    for (const one of little) add(freeing, one, Freeing.PORTION / 4)
    const turn = () => {
      const peers = freeing.next()
      peers.forEach(freeing.goAlong)
      return peers
    }
    assert.deepStrictEqual([turn(), turn(), turn(), turn(), turn()], [[much], [more], [...little, much], [more], []])
    assert.isTrue(freeing.isEmpty())
  })
})
