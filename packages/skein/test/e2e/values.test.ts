/**
 * Values arrive as they were: by the codec alone, and from a client through a
 * worker's fiber, a worker's thread and back.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Equal, Result } from "effect"
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
})
