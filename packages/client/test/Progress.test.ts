import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { fake } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const shown = Effect.fnUntraced(function*(terminal: { readonly isTerminal: boolean; readonly columns?: number }) {
  const { client, scheduler, written } = yield* fake({ terminal })
  const futures = yield* client.map(inc, [1, 2, 3, 4])
  const { tasks } = yield* scheduler.submitted
  const showing = yield* Effect.forkChild(client.withProgress(futures, { label: "chains" }), { startImmediately: true })
  yield* scheduler.finish(tasks[0]!.ref, 1)
  yield* scheduler.fail(tasks[1]!.ref, { _tag: "Lost" })
  yield* futures[1]!.await
  yield* TestClock.adjust("1 second")
  const before = [...written]
  for (const { ref } of tasks.slice(2)) yield* scheduler.finish(ref, 1)
  yield* Fiber.join(showing)
  return { before, after: written.slice(before.length) }
})

describe("withProgress", () => {
  it.effect("draws a bar over itself where there is a terminal", () =>
    Effect.gen(function*() {
      const { after, before } = yield* shown({ isTerminal: true })
      assert.isAbove(before.length, 5)
      assert.isTrue(before.every((text) => text.startsWith("\r") && !text.includes("\n")))
      assert.match(before.at(-1)!, /chains █+░+ 2\/4 {2}2\.\d\/s {2}eta 1\.0 s {2}1 error/)
      assert.match(after.at(-1)!, /chains █+ 4\/4 {2}[\d.]+\/s {2}done in 1\.0 s {2}1 error.*\n$/)
    }))

  it.effect("writes a line a second where there is none", () =>
    Effect.gen(function*() {
      const { after, before } = yield* shown({ isTerminal: false })
      assert.strictEqual(before.length, 2)
      assert.match(before[1]!, /^chains 2\/4 {2}2\.0\/s {2}eta 1\.0 s {2}1 error\n$/)
      assert.match(after.join(""), /^chains 4\/4 .*done in 1\.0 s {2}1 error\n$/)
    }))

  it.effect("fits into a narrow terminal", () =>
    Effect.gen(function*() {
      const { after } = yield* shown({ isTerminal: true, columns: 20 })
      assert.notInclude(after.at(-1)!, "█")
    }))

  it.effect("does not count as speed what was done before it began", () =>
    Effect.gen(function*() {
      const { client, scheduler, written } = yield* fake({ terminal: { isTerminal: false } })
      const futures = yield* client.map(inc, [1, 2, 3, 4])
      const { tasks } = yield* scheduler.submitted
      for (const { ref } of tasks.slice(1)) yield* scheduler.finish(ref, 1)
      yield* Effect.forEach(futures.slice(1), (future) => future.await)
      const showing = yield* Effect.forkChild(client.withProgress(futures), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* scheduler.finish(tasks[0]!.ref, 1)
      yield* Fiber.join(showing)
      assert.match(written.at(-2)!, / 3\/4 {2}0\.0\/s {2}eta \? /)
      assert.match(written.at(-1)!, / 4\/4 {2}0\.5\/s {2}done in 2\.0 s /)
    }))

  it.effect("is done at once with nothing to wait for", () =>
    Effect.gen(function*() {
      const { client, written } = yield* fake()
      yield* client.withProgress([])
      assert.match(written.join(""), /^tasks 0\/0 /)
    }))
})
