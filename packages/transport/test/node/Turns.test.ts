import { assert, describe, it } from "@effect/vitest"
import { inTurns, make, ROUNDS } from "@skein/transport/node/Turns"
import { Effect } from "effect"
import * as Net from "node:net"
import { directory } from "../utils/networks.ts"

/** Completes in the next turn of the event loop. */
const nextTurn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("Turns", () => {
  it.effect("runs who is resumed in the turn in which that was, in order", () =>
    Effect.gen(function*() {
      const { scheduleTask } = bound()
      const order: Array<string> = []
      scheduleTask(() => {
        order.push("first")
        setImmediate(() => order.push("next turn"))
        scheduleTask(() => {
          order.push("resumed by first")
          scheduleTask(() => order.push("resumed by that"))
        })
      })
      scheduleTask(() => order.push("second"))
      assert.deepStrictEqual(order, [])
      yield* nextTurn
      yield* nextTurn
      assert.deepStrictEqual(order, ["first", "second", "resumed by first", "resumed by that", "next turn"])
    }))

  it.effect("has timers and sockets come first after a number of rounds", () =>
    Effect.gen(function*() {
      const { scheduleTask } = bound()
      const seen: Array<number> = []
      let runs = 0
      const again = () => {
        // Without the bound it would not end by itself.
        if (++runs < 100 * ROUNDS) scheduleTask(again)
      }
      const look = () => {
        seen.push(runs)
        if (seen.length < 4) setImmediate(look)
      }
      scheduleTask(again)
      setImmediate(look)
      while (seen.length < 4) yield* nextTurn
      assert.deepStrictEqual(seen, [1, 2, 3, 4].map((turns) => turns * ROUNDS))
    }))

  it.effect("has them come first when a fiber has used up its operations", () =>
    Effect.gen(function*() {
      let turns = 0
      let goes = 0
      let isOver = false
      const count = () => {
        turns++
        if (!isOver) setImmediate(count)
      }
      setImmediate(count)
      // 2,048 operations in one go.
      yield* inTurns(Effect.forEach(Array.from({ length: 20_000 }), () => Effect.andThen(Effect.void, Effect.sync(() => goes++)), { discard: true }))
      isOver = true
      assert.strictEqual(goes, 20_000)
      assert.isAtLeast(turns, Math.floor(20_000 / 2_048))
    }))

  it.effect("has them come first for a fiber that yields for that", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      yield* inTurns(Effect.gen(function*() {
        yield* Effect.yieldNow
        setImmediate(() => order.push("next turn"))
        yield* Effect.yieldNow
        order.push("yielded")
        yield* Effect.yieldNowWith(1)
        order.push("yielded for others")
      }))
      assert.deepStrictEqual(order, ["yielded", "next turn", "yielded for others"])
    }))

  it.live("keeps neither a timer nor a socket waiting for a fiber that yields for ever", () =>
    Effect.gen(function*() {
      const answered = Effect.flatMap(connections(1), ([one]) =>
        Effect.callback<void>((resume) => {
          one!.here.once("data", () => resume(Effect.void))
          one!.there.write("x")
        }))
      yield* inTurns(Effect.raceFirst(Effect.forever(Effect.yieldNow), Effect.andThen(Effect.sleep(1), answered)))
    }).pipe(Effect.scoped))

  it.effect("runs nobody before all sockets that had something are read", () =>
    Effect.gen(function*() {
      const { scheduleTask } = bound()
      const pairs = yield* connections(3)
      const order: Array<string> = []
      yield* Effect.callback<void>((resume) => {
        for (const { here } of pairs) {
          here.on("data", () => {
            order.push("read")
            scheduleTask(() => {
              order.push("ran")
              if (order.length === 6) resume(Effect.void)
            })
          })
        }
        for (const { there } of pairs) there.write("x")
      })
      assert.deepStrictEqual(order, ["read", "read", "read", "ran", "ran", "ran"])
    }).pipe(Effect.scoped))

  it("runs the others when one has thrown", () => {
    const { flush, scheduleTask } = bound()
    const order: Array<string> = []
    scheduleTask(() => {
      order.push("first")
      scheduleTask(() => order.push("resumed by first"))
    })
    scheduleTask(() => {
      throw new Error("thrown")
    })
    scheduleTask(() => order.push("third"))
    assert.throws(flush, "thrown")
    flush()
    assert.deepStrictEqual(order, ["first", "third", "resumed by first"])
  })
})

const bound = () => {
  const dispatcher = make().makeDispatcher()
  return { scheduleTask: (task: () => void) => dispatcher.scheduleTask(task, 0), flush: () => dispatcher.flush() }
}

/** Both ends of so many connections within this process. */
const connections = Effect.fnUntraced(function*(count: number) {
  const path = `${yield* directory}/s`
  return yield* Effect.acquireRelease(
    Effect.callback<ReadonlyArray<{ readonly here: Net.Socket; readonly there: Net.Socket }>>((resume) => {
      const pairs: Array<{ readonly here: Net.Socket; readonly there: Net.Socket }> = []
      const dialled: Array<Net.Socket> = []
      const server = Net.createServer((here) => {
        pairs.push({ here, there: dialled[pairs.length]! })
        if (pairs.length < count) return
        server.close()
        resume(Effect.succeed(pairs))
      })
      server.listen(path, () => {
        for (let n = 0; n < count; n++) dialled.push(Net.createConnection(path))
      })
    }),
    (pairs) => Effect.sync(() => pairs.forEach(({ here, there }) => [here, there].forEach((end) => end.destroy())))
  )
})
