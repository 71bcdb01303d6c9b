import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@skein/core/scheduler/Event"
import { reduce } from "@skein/core/scheduler/Reducer"
import { empty } from "@skein/core/scheduler/State"
import * as Memory from "@skein/runtime/scheduler/Memory"
import type { ClientId } from "@skein/protocol/Ids"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"
import { task } from "./utils/make.ts"

/** A watch over a memory whose load the test says, and a scheduler that is as full as the test says. */
const make = () => {
  const events: Array<Event> = []
  const world = { loadRatio: 0, full: false, events, measured: 0, factors: new Set<number>(), refused: 0, state: empty() }
  const watch = Memory.make({
    memory: {
      loadRatio: (factor) => {
        world.measured++
        world.factors.add(factor)
        return world.loadRatio
      }
    },
    mailbox: { offer: (event) => void events.push(event), caughtUp: Effect.void },
    now: () => 0,
    state: () => ({ ...world.state, full: world.full }),
    refused: () => world.refused
  })
  return { world, watch }
}

const ratios = (events: ReadonlyArray<Event>) => events.map((event) => event._tag === "MemoryMeasured" ? event.loadRatio : event._tag)

describe("the watch over the scheduler's memory", () => {
  it.effect("says nothing while there is much room, and one thing more when there is again", () =>
    Effect.gen(function*() {
      const { watch, world } = make()
      yield* Effect.forkChild(watch.run)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(world.measured, 4)
      assert.deepStrictEqual(ratios(world.events), [])
      for (const loadRatio of [0.72, 0.9, 0.55, 0.55]) {
        world.loadRatio = loadRatio
        yield* TestClock.adjust("250 millis")
      }
      assert.deepStrictEqual(ratios(world.events), [0.72, 0.9, 0.55])
    }))

  it("measures with about every megabyte that is submitted, keys and arguments counted", () => {
    const { watch, world } = make()
    world.loadRatio = 0.9
    const small = task(1, "a")
    const tasks = (count: number) => Array.from({ length: count }, () => small)
    for (let n = 0; n < 1_000; n++) watch.submitted([small])
    assert.deepStrictEqual(ratios(world.events), [])
    watch.submitted(tasks(30))
    watch.submitted(tasks(5_000))
    watch.submitted(tasks(1_000))
    assert.deepStrictEqual(ratios(world.events), [0.9, 0.9])
    watch.submitted([task(1, "a", [], { args: new Uint8Array(1 << 20) })])
    watch.submitted(Array.from({ length: 250 }, () => task(1, "k".repeat(4_000))))
    assert.deepStrictEqual(ratios(world.events), [0.9, 0.9, 0.9, 0.9])
  })

  it.effect("writes to the log when the scheduler begins to refuse, and when it ends that", () =>
    Effect.gen(function*() {
      const { watch, world } = make()
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.forkChild(Effect.provide(watch.run, Logger.layer([logger])), { startImmediately: true })
      for (const [full, loadRatio] of [[true, 0.9], [true, 0.8], [false, 0.7]] as const) {
        Object.assign(world, { full, loadRatio })
        yield* TestClock.adjust("250 millis")
      }
      assert.strictEqual(lines.length, 2)
      assert.match(lines[0]!, /^Warn 90 % .* new tasks are refused until .*schedulerHeap/)
      assert.match(lines[1]!, /^Info 70 % .* new tasks are taken again/)
    }))

  it.effect("counts what is held of graphs for more than it takes, and so hears of it sooner", () =>
    Effect.gen(function*() {
      const { watch, world } = make()
      const tasks = [{ id: 0, code: 0, args: new Uint8Array(), dependencies: [], priority: 0, retries: 0, isolation: "fiber" }] as never // ids are brands
      world.state = reduce(world.state, [
        { _tag: "ClientJoined", at: 0, client: 0 as ClientId, name: "c" },
        { _tag: "TasksSubmitted", at: 0, client: 0 as ClientId, tasks, last: false }
      ]).state
      world.loadRatio = 0.5
      yield* Effect.forkChild(watch.run)
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual([...world.factors], [1.5])
      assert.deepStrictEqual(ratios(world.events), [0.5])
    }))

  it.effect("writes to the log how many tasks were refused, once they are", () =>
    Effect.gen(function*() {
      const { watch, world } = make()
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.forkChild(Effect.provide(watch.run, Logger.layer([logger])), { startImmediately: true })
      for (const refused of [0, 1_000, 2_000, 2_000, 2_000, 2_001, 2_001, 2_001]) {
        world.refused = refused
        yield* TestClock.adjust("250 millis")
      }
      assert.deepStrictEqual(lines.map((line) => /^Warn (\d+) tasks were refused: .*schedulerHeap/.exec(line)?.[1]), ["2000", "1"])
    }))
})
