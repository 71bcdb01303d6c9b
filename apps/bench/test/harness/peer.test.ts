import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { peer } from "../../src/harness/peer.ts"

/** Real processes start in real time, and slowly where every core is busy with tests. */
const processesStart = 120_000

/** A program as those in peers/ are: says that it is ready, and answers every line but "die". */
const program = `
const say = (values) => console.log(JSON.stringify({ values, cpu: { pid: process.pid } }))
say([7])
console.log("this is no answer")
require("node:readline").createInterface(process.stdin).on("line", (line) => {
  if (line === "die") throw new TypeError("not today")
  say([line.length])
})
`
const started = peer(process.execPath, ["--eval", program])

describe("a peer's process", () => {
  it.live("is ready, does what it is told, and ends with the scope", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.scoped(Effect.gen(function*() {
        const { ask, readyMs } = yield* started
        assert.strictEqual(readyMs, 7)
        assert.deepStrictEqual((yield* ask("map")).values, [3])
        const { cpu, values } = yield* ask("merge")
        assert.deepStrictEqual(values, [5])
        return cpu["pid"]!
      }))
      assert.isFalse(existsSync(`/proc/${pid}`))
    }), processesStart)

  it.live("that ends says its last word, then and whenever it is asked", () =>
    Effect.scoped(Effect.gen(function*() {
      const { ask } = yield* started
      for (const what of ["die", "map"]) assert.include((yield* Effect.flip(ask(what))).message, "TypeError: not today")
    })), processesStart)

  it.live("that is not there is an error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(peer("/nowhere/python", ["on_dask.py"])))
      assert.match(error.message, /^on_dask\.py: .*ENOENT/)
    }))
})
