import { assert, describe, it } from "@effect/vitest"
import { RunId, TaskId } from "@skein/protocol/Ids"
import * as Reports from "@skein/runtime/worker/Reports"

const run = (n: number) => ({ id: TaskId.make(n), run: RunId.make(n) })
const stopped = (n: number): Reports.Row => ({ _tag: "Stopped", row: run(n) })
const finished = (n: number, bytes = 0): Extract<Reports.Row, { _tag: "Finished" }> => ({
  _tag: "Finished",
  row: { ...run(n), nbytes: 8, ms: 1, value: new Uint8Array(bytes) }
})

describe("Reports", () => {
  it("keep the order of rows, and those of one kind that stand together in one segment", () => {
    assert.deepStrictEqual(Reports.messages([stopped(1), stopped(2), finished(3), stopped(4)]), [[
      { _tag: "Stopped", rows: [run(1), run(2)] },
      { _tag: "Finished", rows: [finished(3).row] },
      { _tag: "Stopped", rows: [run(4)] }
    ]])
  })

  it("begin a message anew when the bytes that ride on it would be too many", () => {
    const messages = Reports.messages([finished(1, 60), finished(2, 40), finished(3, 1), finished(4, 300), stopped(5)], 100)
    assert.deepStrictEqual(
      messages.map((message) => message.flatMap((segment) => segment._tag === "Load" ? [] : segment.rows.map((row) => row.id))),
      [[1, 2], [3], [4], [5]]
    )
  })

  it("say nothing where there is nothing to say", () => {
    assert.deepStrictEqual(Reports.messages([]), [])
  })

  it("carry a word on the load as a segment of its own", () => {
    const load = { _tag: "Load", memoryBytes: 1, managedBytes: 2 } as const
    assert.deepStrictEqual(Reports.messages([stopped(1), load, stopped(2)]), [[
      { _tag: "Stopped", rows: [run(1)] },
      load,
      { _tag: "Stopped", rows: [run(2)] }
    ]])
  })
})
