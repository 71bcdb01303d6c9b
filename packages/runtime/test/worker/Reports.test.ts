import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { RunId, TaskId } from "@skein/protocol/Ids"
import * as Reports from "@skein/runtime/worker/Reports"

const row = (n: number) => ({ id: TaskId.make(n), run: RunId.make(n) })
const finished = (n: number, bytes = 0) => ({ ...row(n), nbytes: 8, ms: 1, value: new Uint8Array(bytes) })

describe("Reports", () => {
  it.effect("keeps the order, and runs of one kind together", () =>
    Effect.gen(function*() {
      const reports = Reports.make()
      reports.add("Stopped", row(1))
      reports.add("Stopped", row(2))
      reports.add("Finished", finished(3))
      reports.add("Stopped", row(4))
      assert.deepStrictEqual(yield* reports.take, [
        { _tag: "Stopped", rows: [row(1), row(2)] },
        { _tag: "Finished", rows: [finished(3)] },
        { _tag: "Stopped", rows: [row(4)] }
      ])
    }))

  it.effect("waits until there is something to tell", () =>
    Effect.gen(function*() {
      const reports = Reports.make()
      const taking = yield* Effect.forkChild(reports.take, { startImmediately: true })
      assert.isUndefined(taking.pollUnsafe())
      reports.add("Stopped", row(1))
      assert.deepStrictEqual(yield* Fiber.join(taking), [{ _tag: "Stopped", rows: [row(1)] }])
      const again = yield* Effect.forkChild(reports.take, { startImmediately: true })
      assert.isUndefined(again.pollUnsafe())
      yield* Fiber.interrupt(again)
    }))

  it.effect("cuts messages by rows and by the bytes that ride on them", () =>
    Effect.gen(function*() {
      const reports = Reports.make({ rows: 2, bytes: 100 })
      for (let n = 1; n <= 3; n++) reports.add("Stopped", row(n))
      reports.add("Finished", finished(4, 90), 90)
      reports.add("Finished", finished(5, 300), 300)
      reports.add("Stopped", row(6))
      const sizes: Array<number> = []
      for (let n = 0; n < 4; n++) {
        const message = yield* reports.take
        sizes.push(message.reduce((sum, segment) => sum + (segment._tag === "Load" ? 0 : segment.rows.length), 0))
      }
      assert.deepStrictEqual(sizes, [2, 2, 1, 1])
    }))

  it.effect("tells the latest word on the load, once, after the rest", () =>
    Effect.gen(function*() {
      const reports = Reports.make()
      reports.load({ _tag: "Load", memoryBytes: 1, managedBytes: 1 })
      reports.load({ _tag: "Load", memoryBytes: 2, managedBytes: 1 })
      reports.add("Stopped", row(1))
      assert.deepStrictEqual(yield* reports.take, [
        { _tag: "Stopped", rows: [row(1)] },
        { _tag: "Load", memoryBytes: 2, managedBytes: 1 }
      ])
      reports.add("Stopped", row(2))
      assert.deepStrictEqual(yield* reports.take, [{ _tag: "Stopped", rows: [row(2)] }])
    }))
})
