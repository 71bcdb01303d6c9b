/**
 * What is said of where tasks may run and what they belong to, from `client.with`
 * and definitions to the message.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Key } from "@skein/protocol/Ids"
import { Task } from "@skein/protocol/Task"
import type { Terms } from "@skein/protocol/Terms"
import * as Value from "@skein/protocol/Value"
import { Effect, Result } from "effect"
import * as Outbox from "../src/internal/outbox.ts"
import { makeTermsOf, sizeOf } from "../src/internal/terms.ts"
import { fake } from "./utils/FakeScheduler.ts"

const inc = (n: number) => n + 1
const noBytes = new Uint8Array(0)
const none: Terms = { resources: {}, workers: [], allowOtherWorkers: false, span: "", annotations: noBytes }

describe("terms", () => {
  it.effect("are what the definition and each client.with say, field by field (test_client.py::test_annotations_resources, ::test_annotations_workers, ::test_annotations_loose_restrictions)", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const train = Task.fn("train", (n: number) => n, { resources: { GPU: 1 }, span: "nightly" })
      yield* client.submit(inc, 1)
      yield* client.submit(train, 1)
      yield* client.with({ workers: ["alice"], allowOtherWorkers: true }).with({ resources: { CPU: 2 }, annotations: { ticket: 7 } }).submit(train, 2)
      yield* client.with({ span: "daily" }).with({ workers: ["alice", "bob"] }).submit(inc, 2)
      const { tasks, terms } = yield* scheduler.submitted
      assert.deepStrictEqual(tasks.map((task) => task.terms === undefined ? undefined : terms?.[task.terms]), [
        undefined,
        { ...none, resources: { GPU: 1 }, span: "nightly" },
        { resources: { CPU: 2 }, workers: ["alice"], allowOtherWorkers: true, span: "nightly", annotations: Result.getOrThrow(Value.encode({ ticket: 7 })) },
        { ...none, workers: ["alice", "bob"], span: "daily" }
      ])
    }))

  it.effect("travel once for all items of a map, whatever their keys and priorities (test_client.py::test_restrictions_map)", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.with({ resources: { GPU: 1 }, annotations: { text: "x".repeat(10_000) } })
        .map(inc, Array.from({ length: 100 }, (_, n) => n), { keys: (n) => `item-${n}`, priority: (n) => n })
      let tasks = 0
      while (tasks < 100) {
        const graph = yield* scheduler.submitted
        tasks += graph.tasks.length
        assert.strictEqual(graph.terms?.length, 1)
        assert.isTrue(graph.tasks.every(({ terms }) => terms === 0))
      }
    }))

  it.effect("are not there at all where nobody speaks of them", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      yield* client.with({ priority: 1 }).submit(inc, 1)
      const graph = yield* scheduler.submitted
      assert.notProperty(graph, "terms")
      assert.notProperty(graph.tasks[0], "terms")
    }))

  it.effect("make a wish of workers that somebody has named, or the submission is refused (test_client.py::test_allow_restrictions)", () =>
    Effect.gen(function*() {
      const { client } = yield* fake()
      const refused = yield* Effect.flip(client.with({ allowOtherWorkers: true }).submit(inc, 1))
      assert.strictEqual(
        refused.message,
        "SKEIN1013 the option `allowOtherWorkers` is not valid: expected `workers` beside it, of which it makes a wish\n  fix  change or remove it"
      )
    }))

  it.effect("are shown with the task: its span, and annotations as they were", () =>
    Effect.gen(function*() {
      const { client, scheduler } = yield* fake()
      const row = { name: "f", status: "waiting" as const, priority: 0, workers: [], waitingOn: [], dependents: [], nbytes: null, clients: [] }
      scheduler.tasks = [
        { ...row, key: "a" as Key, span: "nightly", annotations: Result.getOrThrow(Value.encode({ at: new Date(7), ids: new Set([1]) })) },
        { ...row, key: "b" as Key, annotations: new Uint8Array([255]) }
      ]
      const [a, b] = yield* client.inspect.tasks()
      assert.deepInclude(a, { span: "nightly", annotations: { at: new Date(7), ids: new Set([1]) } })
      assert.notProperty(b, "annotations")
      assert.notProperty(b, "span")
    }))

  it("are one object for one definition and one client, so that their rows share them", () => {
    const termsOf = makeTermsOf()
    const defaults = { span: "nightly" }
    const said = { resources: { GPU: 1 } }
    const first = Result.getOrThrow(termsOf(defaults, said))
    assert.strictEqual(Result.getOrThrow(termsOf(defaults, said)), first)
    assert.notStrictEqual(Result.getOrThrow(termsOf({ span: "nightly" }, said)), first)
    assert.isUndefined(Result.getOrThrow(termsOf({ priority: 1 }, {})))
  })
})

describe("messages with terms", () => {
  const task = (ref: number, terms: Terms | undefined, last = true): Outbox.Row => ({
    _tag: "Task",
    task: { ref: ref as never, key: "k" as Key, code: 0 as never, args: noBytes, dependencies: [], priority: 0, retries: 0, isolation: "fiber" },
    code: undefined,
    last,
    ...(terms === undefined ? {} : { terms: { terms, bytes: sizeOf(terms) } })
  })
  const told = (rows: ReadonlyArray<Outbox.Row>) =>
    Outbox.messages(rows).map((message) => message._tag === "Submit" ? [message.graph.tasks.map(({ terms }) => terms), message.graph.terms?.map(({ span }) => span)] : undefined)
  const a = { ...none, span: "a" }
  const b = { ...none, span: "b" }

  it("name each once, in the order of the first task", () => {
    assert.deepStrictEqual(told([task(0, a), task(1, undefined), task(2, b), task(3, a)]), [[[0, undefined, 1, 0], ["a", "b"]]])
  })

  it("leave out what belongs to the graph that goes on in the next", () => {
    assert.deepStrictEqual(told([task(0, a), task(1, b, false), task(2, a, false)]), [[[0], ["a"]], [[0, 1], ["b", "a"]]])
  })

  it("are bounded in what terms take", () => {
    const large = (n: number): Terms => ({ ...none, span: `${n}`, workers: Array.from({ length: 1_000 }, () => "w".repeat(250)) })
    assert.deepStrictEqual(told([0, 1, 2, 3, 4, 5].map((n) => task(n, large(n)))).map((message) => message?.[1]?.length), [4, 2])
  })
})
