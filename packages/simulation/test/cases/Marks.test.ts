import { assert, describe, it } from "@effect/vitest"
import { reduce } from "@skein/core/scheduler/Reducer"
import { empty } from "@skein/core/scheduler/State"
import { ClientId, CodeId, TaskId } from "@skein/protocol/Ids"
import { catalogue, Marks } from "@skein/simulation/cases/Marks"

describe("marks", () => {
  it("are read off a machine's log, each entry once, and are all in the catalogue", () => {
    const marks = new Marks()
    const client = ClientId.make(0)
    const joined = reduce(empty(), [{ _tag: "ClientJoined", at: 0, client, name: "ann" }]).state
    const submitted = reduce(joined, [{
      _tag: "TasksSubmitted", at: 0, client, last: true,
      tasks: [{ id: TaskId.make(0), code: CodeId.make(0), args: new Uint8Array(), dependencies: [], priority: 0, retries: 0, isolation: "fiber" }]
    }]).state
    marks.scheduler(submitted, joined.log.count)
    const reached = new Map(marks.reached)
    marks.scheduler(submitted, submitted.log.count)
    assert.deepStrictEqual(marks.reached, reached)
    assert.strictEqual(marks.reached.get("scheduler waiting → noWorker"), 1)
    assert.strictEqual(marks.cells.get("scheduler TasksSubmitted: waiting → noWorker"), 1)
    const known = new Set(catalogue.map(({ name }) => name))
    for (const name of marks.reached.keys()) assert.isTrue(known.has(name), name)
    assert.strictEqual(marks.missing().length, catalogue.length - marks.reached.size)
  })

  it("have names of their own", () => {
    assert.strictEqual(new Set(catalogue.map(({ name }) => name)).size, catalogue.length)
  })
})
