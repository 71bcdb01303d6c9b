import { assert, describe, it } from "@effect/vitest"
import type { CodeDef } from "@skein/protocol/Code"
import { BYTES_PER_MESSAGE, type Graph, TASKS_PER_MESSAGE } from "@skein/protocol/Graph"
import type { CodeRef, Key, Ref } from "@skein/protocol/Ids"
import { Deferred, Effect, Fiber, Queue } from "effect"
import * as Outbox from "../../src/internal/outbox.ts"

const task = (ref: number, { bytes = 8, last = true } = {}): Outbox.Row => ({
  _tag: "Task",
  task: { ref: ref as Ref, key: "k" as Key, code: 0 as CodeRef, args: new Uint8Array(bytes), dependencies: [], priority: 0, retries: 0, isolation: "fiber" },
  code: undefined,
  last
})
const release = (ref: number): Outbox.Row => ({ _tag: "Release", ref: ref as Ref })
const summary = (rows: ReadonlyArray<Outbox.Row>) =>
  Outbox.messages(rows).map((message) =>
    message._tag === "Submit"
      ? `submit ${message.graph.tasks.map(({ ref }) => ref).join(",")}${message.graph.last ? "" : "…"}`
      : message._tag === "Flush" ? "flush" : message._tag === "Watch" ? `watch ${message.ref} ${message.on}` : message._tag === "Want" ? `want ${message.rows.map(({ key, ref }) => `${ref}=${key}`).join(",")}` : `${message._tag} ${message.refs.join(",")}`
  )

describe("messages", () => {
  it("neighbours of one kind go together, and order is kept", () => {
    const flush: Outbox.Row = { _tag: "Flush", done: Deferred.makeUnsafe() }
    assert.deepStrictEqual(
      summary([task(0), task(1), release(0), release(1), { _tag: "Retry", ref: 2 as Ref }, task(3), flush, task(4)]),
      ["submit 0,1", "Release 0,1", "Retry 2", "submit 3", "flush", "submit 4"]
    )
  })

  it("a message that ends in the middle of a graph says so", () => {
    assert.deepStrictEqual(summary([task(0, { last: false }), release(9), task(1)]), ["submit 0…", "Release 9", "submit 1"])
    assert.deepStrictEqual(summary([task(0, { last: false }), { _tag: "GraphEnd" }]), ["submit 0"])
    assert.deepStrictEqual(summary([{ _tag: "GraphEnd" }]), ["submit "])
  })

  it("what begins behind the end of a graph does not hold it back", () => {
    const inside = (ref: number) => task(ref, { last: false })
    assert.deepStrictEqual(summary([inside(0), task(1), inside(2), task(3), inside(4)]), ["submit 0,1,2,3", "submit 4…"])
    assert.deepStrictEqual(summary([inside(0), { _tag: "GraphEnd" }, inside(1), release(9)]), ["submit 0", "submit 1…", "Release 9"])
    const many = Array.from({ length: TASKS_PER_MESSAGE + 1 }, (_, ref) => ref === 2 ? task(ref) : inside(ref))
    const sizes = Outbox.messages(many).map((message) => message._tag === "Submit" && [message.graph.tasks.length, message.graph.last])
    assert.deepStrictEqual(sizes, [[3, true], [TASKS_PER_MESSAGE - 2, false]])
    const bytes = Outbox.messages([task(0), inside(1)]).map((message) => message._tag === "Submit" && message.bytes)
    assert.strictEqual(bytes[0], bytes[1])
  })

  it("are bounded in tasks and bytes, but for a task that is larger alone", () => {
    const many = Outbox.messages(Array.from({ length: TASKS_PER_MESSAGE + 1 }, (_, i) => task(i)))
    assert.deepStrictEqual(many.map((message) => message._tag === "Submit" && message.graph.tasks.length), [TASKS_PER_MESSAGE, 1])
    const large = Outbox.messages([task(0), task(1, { bytes: 2 * BYTES_PER_MESSAGE }), task(2, { bytes: BYTES_PER_MESSAGE / 2 }), task(3, { bytes: BYTES_PER_MESSAGE / 2 })])
    assert.deepStrictEqual(large.map((message) => message._tag === "Submit" && message.graph.tasks.length), [1, 1, 1, 1])
  })

  it("tell code with the first task that calls it", () => {
    const def = { digest: "d", text: "t" } as CodeDef
    const first = { ...task(0), code: { ref: 0 as CodeRef, def } } as Outbox.Row
    const [message] = Outbox.messages([first, task(1)])
    assert.deepStrictEqual(message?._tag === "Submit" && message.graph.codes, [{ ref: 0 as CodeRef, def }])
    const cut = Outbox.messages([task(1), { ...first, last: false } as Outbox.Row])
    assert.deepStrictEqual(cut.map((message) => message._tag === "Submit" && message.graph.codes.length), [0, 1])
  })
})

describe("the outbox", () => {
  const sending = (graphs: Queue.Queue<Graph>, gate: Effect.Effect<void> = Effect.void): Outbox.Sending<string> => ({
    submit: (graph) => Effect.andThen(gate, Queue.offer(graphs, graph)),
    release: () => Effect.void,
    retry: () => Effect.fail("broken"),
    detach: () => Effect.void,
    want: () => Effect.void,
    watch: () => Effect.void
  })

  it.effect("makes who submits wait while too much is on its way", () =>
    Effect.gen(function*() {
      const outbox = yield* Outbox.make
      const graphs = yield* Queue.unbounded<Graph>()
      const gate = yield* Deferred.make<void>()
      const running = yield* Effect.forkChild(outbox.run(sending(graphs, Deferred.await(gate))), { startImmediately: true })
      outbox.offer(task(0, { bytes: Outbox.ROOM_BYTES }))
      const waiting = yield* Effect.forkChild(outbox.room, { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(waiting)
      assert.strictEqual((yield* Queue.take(graphs)).tasks.length, 1)
      yield* Fiber.interrupt(running)
    }))

  it.effect("keeps nobody waiting once nothing is sent any more", () =>
    Effect.gen(function*() {
      const outbox = yield* Outbox.make
      const running = yield* Effect.forkChild(Effect.flip(outbox.run(sending(yield* Queue.unbounded<Graph>()))), { startImmediately: true })
      outbox.offer(task(0, { bytes: 2 * Outbox.ROOM_BYTES }))
      outbox.offer({ _tag: "Retry", ref: 0 as Ref })
      const flushing = yield* Effect.forkChild(outbox.flushed, { startImmediately: true })
      assert.strictEqual(yield* Fiber.join(running), "broken")
      yield* Fiber.join(flushing)
      yield* outbox.room
      yield* outbox.flushed
      outbox.offer(task(1))
    }))
})
