/**
 * Where tasks may run, from the message to the worker, the log and the answers
 * to those who look.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Queue } from "effect"
import { TestClock } from "effect/testing"
import type { Graph, SubmittedTask } from "@skein/protocol/Graph"
import { decodeFailure } from "@skein/protocol/Raised"
import type { Terms } from "@skein/protocol/Terms"
import { code, declared, key, task } from "./utils/make.ts"
import { client, endOf, layer, registered, type Rig, start } from "./utils/Rig.ts"

const terms = (more: Partial<Terms>): Terms => ({ resources: {}, workers: [], allowOtherWorkers: false, span: "", annotations: new Uint8Array(), ...more })
const graph = (tasks: ReadonlyArray<SubmittedTask>, more: Partial<Graph> = {}): Graph => ({ codes: [declared(code("train"))], tasks, last: true, ...more })
const looking = (rig: Rig) => rig.tree.desk.inspecting

/** The warnings in the log. */
const warnings = Effect.gen(function*() {
  const lines = yield* Queue.unbounded<string>()
  const logger = Logger.make(({ logLevel, message }) => logLevel === "Warn" ? void Queue.offerUnsafe(lines, String(Array.isArray(message) ? message[0] : message)) : undefined)
  return { lines, layer: Logger.layer([logger]) }
})

describe("terms of tasks", () => {
  it.effect("bring them to the worker that is meant, and are shown with the task", () =>
    Effect.gen(function*() {
      const rig = yield* start()
      const one = yield* registered(rig, "one", { host: "here", resources: { GPU: 1 } })
      const two = yield* registered(rig, "two", { host: "there" })
      const { rpc } = yield* client(rig)
      yield* rpc.Submit({
        graph: graph([task(0, "on a host", [], { terms: 0 }), task(1, "with a GPU", [], { terms: 1 }), task(2, "anywhere")], {
          terms: [terms({ workers: ["there"], span: "nightly" }), terms({ resources: { GPU: 1 }, annotations: new Uint8Array([7]) })]
        })
      })
      assert.strictEqual((yield* one.next("Compute")).rows[0]?.key, key("with a GPU"))
      assert.strictEqual((yield* two.next("Compute")).rows[0]?.key, key("on a host"))
      const shown = new Map(looking(rig).tasks(null, 0).rows.map((row) => [row.key as string, row]))
      assert.deepInclude(shown.get("on a host"), { span: "nightly", workers: ["two"] })
      assert.deepStrictEqual(shown.get("with a GPU")?.annotations, new Uint8Array([7]))
      assert.notProperty(shown.get("anywhere"), "span")
      assert.notProperty(shown.get("anywhere"), "annotations")
      assert.deepStrictEqual(looking(rig).workers().map(({ resources }) => resources), [{ GPU: 1 }, {}])
    }).pipe(Effect.provide(layer)))

  for (
    const [what, wrong] of Object.entries({
      "a place among terms that are not there": graph([task(0, "a", [], { terms: 1 })], { terms: [terms({})] }),
      "a place that is none": graph([task(0, "a", [], { terms: 0.5 })], { terms: [terms({})] }),
      "a place without any terms": graph([task(0, "a", [], { terms: 0 })]),
      "more terms than tasks": graph([task(0, "a")], { terms: [terms({}), terms({})] })
    })
  ) {
    it.effect(`end the session that says ${what}, and nothing of it is kept`, () =>
      Effect.gen(function*() {
        const rig = yield* start()
        const { rpc, session } = yield* client(rig)
        yield* rpc.Submit({ graph: wrong })
        assert.strictEqual((yield* endOf(session)).kind, "protocol")
        assert.strictEqual(rig.tree.desk.tables.keys.size(), 0)
      }).pipe(Effect.provide(layer)))
  }
})

describe("a task that nobody can run", () => {
  it.effect("is warned of after ten seconds: what it wants, what there is, who has it, what to do (SKEIN3001)", () =>
    Effect.gen(function*() {
      const { layer: logging, lines } = yield* warnings
      yield* Effect.gen(function*() {
        const rig = yield* start()
        yield* registered(rig, "worker-0")
        const gpu = yield* registered(rig, "worker-1", { resources: { GPU: 1 } })
        const { rpc } = yield* client(rig)
        yield* rpc.Submit({ graph: graph([task(0, "train-6ab2", [], { terms: 0 })], { terms: [terms({ resources: { GPU: 1 } })] }) })
        yield* gpu.next("Compute")
        yield* TestClock.adjust("3 minutes")
        yield* rpc.Submit({ graph: { ...graph([task(1, "train-7c1f", [], { terms: 0 })], { terms: [terms({ resources: { GPU: 2 } })] }), codes: [] } })
        assert.strictEqual((yield* rpc.Counts()).noWorker, 1)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(
          yield* Queue.take(lines),
          "SKEIN3001 train-7c1f has waited 10 s: no connected worker offers { GPU: 2 }\n" +
            "  offers: worker-0 { }   worker-1 { GPU: 0 of 1 free — held by train-6ab2 since 3 min }\n" +
            "  It will start when a worker offers it. To fail instead:  noWorkersTimeout: \"5 minutes\"\n" +
            "  fix    skein worker … --resources GPU=2          next   client.explain(\"train-7c1f\")"
        )
      }).pipe(Effect.provide(logging))
    }).pipe(Effect.provide(layer)))

  it.effect("is told of with others that want the same, and with the time when they will fail; then they do (SKEIN3001)", () =>
    Effect.gen(function*() {
      const { layer: logging, lines } = yield* warnings
      yield* Effect.gen(function*() {
        const rig = yield* start({ noWorkersTimeoutMs: 300_000 })
        const { next, rpc } = yield* client(rig)
        yield* rpc.Submit({ graph: graph([task(0, "a", [], { terms: 0 }), task(1, "b", [], { terms: 0 })], { terms: [terms({ workers: ["alice"] })] }) })
        assert.strictEqual((yield* rpc.Counts()).noWorker, 2)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(
          yield* Queue.take(lines),
          "SKEIN3001 a and 1 other have waited 10 s: no connected worker offers room for fibers on \"alice\"\n" +
            "  offers: none, for no worker is connected\n" +
            "  It will start when a worker offers it, and fails after 5m without one.\n" +
            "  fix    skein worker … --name alice          next   client.explain(\"a\")"
        )
        yield* registered(rig, "bob", { resources: { GPU: 1 } })
        yield* TestClock.adjust("290 seconds")
        const { rows } = yield* next("Erred")
        assert.deepStrictEqual(rows.map(({ failure }) => failure), [0, 1].map(() => ({ _tag: "Unrunnable" as const, wanted: "room for fibers on \"alice\"", offers: ["bob { GPU: 1 }"] })))
        const cause = decodeFailure(rows[0]!.failure, { key: "a", task: "train" })
        const exit = Exit.failCause(cause)
        assert.strictEqual(
          Exit.isFailure(exit) && (yield* Effect.flip(exit) as Effect.Effect<Error>).message,
          "SKEIN3001 a found no connected worker that offers room for fibers on \"alice\"\n  offers: bob { GPU: 1 }\n  fix  start a worker that offers it"
        )
      }).pipe(Effect.provide(logging))
    }).pipe(Effect.provide(layer)))
})
