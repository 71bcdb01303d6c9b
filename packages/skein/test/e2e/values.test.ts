/**
 * Values arrive as they were: by the codec alone, and from a client through a
 * worker's fiber, a worker's thread and back.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Equal, Redacted, Result, Stream } from "effect"
import { Client, LocalCluster } from "skein"
import { named } from "@skein/protocol/TaskValues"
import * as Value from "@skein/protocol/Value"
import * as values from "./values.ts"

/** Effect's data is equal by its own measure; all else field by field, prototypes and signs of zeros included. */
const assertSame = (found: unknown, expected: unknown, name: string) => {
  if (!Equal.equals(found, expected)) assert.deepStrictEqual(found, expected, name)
}

describe("by the codec", () => {
  for (const [name, value] of Object.entries(values.samples)) {
    it(`${name}: as it was`, () => {
      assertSame(Result.getOrThrow(Value.decode(Result.getOrThrow(Value.encode(value)), { named: named() })), value, name)
    })
  }
})

/** Milliseconds: other tests have the cores, too. */
const WITHIN = 60_000

layer(LocalCluster.layer({ workers: 1, threadsPerWorker: 1, processes: false, tasks: new URL("./values.ts", import.meta.url) }), {
  excludeTestServices: true,
  timeout: WITHIN
})("through a cluster", (it) => {
  for (const [where, task] of [["a worker's fiber", values.throughFiber], ["a worker's thread", values.throughThread]] as const) {
    it.effect(`${where} gets every value as it was, and gives it back so`, () =>
      Effect.gen(function*() {
        const client = yield* Client
        const back: Readonly<Record<string, unknown>> = yield* (yield* client.submit(task, values.samples)).result
        for (const [name, value] of Object.entries(values.samples)) assertSame(back[name], value, `${where}: ${name}`)
        assert.deepStrictEqual(Object.keys(back), Object.keys(values.samples))
      }), WITHIN)
  }

  it.effect("instances and errors that only a worker has made arrive as such", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const point = yield* (yield* client.submit(values.makesPoint, 4)).result
      assert.deepStrictEqual([point instanceof values.Point, point.double], [true, 8])
      const error = yield* Effect.flip((yield* client.submit(values.failsTooFar, 2n)).result)
      assert.deepStrictEqual([error instanceof values.TooFar, error.message], [true, "too far by 2"])
    }), WITHIN)

  it.effect("gathered, too, they arrive as such; of a class that is nowhere to be found that is said", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const [point] = yield* client.gather(yield* client.map(values.makesPlace, [4]))
      assert.deepStrictEqual([point instanceof values.Place, point?.twice], [true, 8])
      const hidden = yield* client.submit(values.makesHidden, 1)
      const error = yield* Effect.flip(hidden.result)
      assert.include(error.message, "the class values/Hidden is not known in this process; `Portable.register` it where it is defined, or give the task a `success` schema")
    }), WITHIN)

  it.effect("a body may scatter too, and what it scattered goes with it", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const before = (yield* client.inspect.counts).memory
      const future = yield* client.submit(values.scattersInside, 70_000)
      assert.strictEqual(yield* future.result, 70_004)
      yield* future.release
      yield* client.inspect.counts.pipe(Effect.repeat({ until: ({ memory }) => memory <= before }))
    }), WITHIN)

  /** The whole text of what a submission is refused with. */
  const refusal = <A, E extends Error, R>(submission: Effect.Effect<A, E, R>) => Effect.map(Effect.flip(submission), ({ message }) => message)
  const notData = "  Arguments are copied to another process, so they must be data: values, not things with behaviour.\n"

  it.effect("what is no data is refused before it is sent, by its path and name", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const cycle: { self?: unknown } = {}
      cycle.self = cycle
      class Socket {}
      const refused: ReadonlyArray<readonly [value: unknown, path: string, found: string]> = [
        [{ call: () => 1 }, `["0"]["call"]`, "a function (call)"],
        [[cycle], `["0"]["0"]["self"]`, "something that contains itself"],
        [new Map([["s", Stream.make(1)]]), `["0"]["s"]`, "a Stream"],
        [[(function*() {})()], `["0"]["0"]`, "a generator (which can be read once only)"],
        [Promise.resolve(1), `["0"]`, "a Promise"],
        [Symbol("s"), `["0"]`, `the symbol "s" (this process's own; one made by Symbol.for can travel)`],
        [new WeakMap(), `["0"]`, "a WeakMap"],
        [Redacted.make("hunter2"), `["0"]`, "a Redacted value (its secret stays where it is; have workers read theirs from their environment)"]
      ]
      for (const [value, path, found] of refused) {
        assert.strictEqual(
          yield* refusal(client.submit((value: unknown) => value, value as never)),
          `SKEIN1003 the arguments of anonymous are not valid\n  at ${path}: expected data, found ${found}\n${notData}  fix  send the data it is made of`
        )
      }
      assert.strictEqual(
        yield* refusal(client.submit(values.throughFiber, { socket: new Socket() })),
        `SKEIN1003 the arguments of throughFiber are not valid\n  at ["0"]["socket"]: expected data, found an instance of Socket (a class that is not registered)\n${notData}` +
          "  fix 1  send the data it is made of\n  fix 2  say how instances travel, in a module that workers import too: `Portable.register(TheClass, schema)`"
      )
    }), WITHIN)

  it.effect("a payload that its contract does not take is refused, with where that was made", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const text = yield* refusal(client.submit(values.Resize, { width: 12.5 }))
      assert.strictEqual(
        text.replace(/file:\S*\/(values\.ts):\d+:\d+/, "$1"),
        "SKEIN1003 the payload of Resize is not valid\n  at [\"width\"]: expected an integer, got 12.5\n  contract: values.ts\n  fix  give it what its contract takes"
      )
    }), WITHIN)

  it.effect("a result that cannot leave its worker says where in it, and what", () =>
    Effect.gen(function*() {
      const client = yield* Client
      for (
        const [what, path, found] of [
          ["function", `["connection"]["socket"]`, "a function (socket)"],
          ["promise in a map", `["p"]`, "a Promise"],
          ["cycle", `["0"]["self"]`, "something that contains itself"]
        ] as const
      ) {
        const future = yield* client.submit(values.returns, what)
        assert.strictEqual(
          yield* refusal(future.result),
          `SKEIN1004 ${future.key} finished but its result cannot leave worker-0\n  at ${path}: ${found} has no encoding\n` +
            "  Results are stored and may be moved between workers, so they must be data.\n  fix 1  return what you need from it\n" +
            "  fix 2  add a Schema: `Task.make(name, { success })` or `Task.fn(name, body, { success })`; of a class, `Portable.register(TheClass, schema)`"
        )
      }
    }), WITHIN)

  it.effect("arguments that are too large for a graph say how large they are, where, and what to do", () =>
    Effect.gen(function*() {
      const client = yield* Client
      assert.strictEqual(
        yield* refusal(client.submit((label: string, data: Uint8Array) => label.length + data.length, "x", new Uint8Array(9 << 20))),
        "SKEIN1006 the arguments take 9.0 MiB, 8.0 MiB is the limit\n  at [\"1\"]: 9.0 MiB\n" +
          "  Everything in a graph is kept by the scheduler and sent with every attempt.\n" +
          "  fix 1  send it once, to a worker, and pass the future: `client.submit(task, yield* client.scatter(data))`\n" +
          "  fix 2  have a task make or load the data, and pass its future"
      )
    }), WITHIN)

  it.effect("a future of another client is refused, wherever it stands", () =>
    Effect.gen(function*() {
      const client = yield* Client
      const [foreign, other] = yield* Effect.provide(
        Effect.flatMap(Client, (other) => Effect.map(other.scatter(1), (future) => [future, other] as const)),
        Client.layerCluster
      )
      assert.strictEqual(
        yield* refusal(client.submit((values: ReadonlyArray<number>) => values.length, [foreign])),
        `SKEIN1005 the future "${foreign.key}" belongs to a client of ${other.address}, and was passed to another\n` +
          "  fix  gather it there first, and scatter its value here"
      )
    }), WITHIN)
})
