import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { folder, lastWord, probe, probed, start } from "../../src/harness/processes.ts"

/** Real processes start in real time, and slowly where every core is busy with tests. */
const processesStart = 120_000

const isAlive = (pid: number) => existsSync(`/proc/${pid}`)

describe("processes of the benchmark", () => {
  it.live("are up with their first line, tell of their heap and their copies, and end with the scope", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.scoped(Effect.gen(function*() {
        const at = yield* folder
        const { env, nodeArgs } = probed(at)
        const program = "console.log('up'); new Uint8Array(4).set(new Uint8Array(4)); new Uint8Array(1000).slice(); setInterval(() => {}, 1000)"
        const started = yield* start("a program", nodeArgs, ["--eval", program], { ...env, NODE_SKEIN_BENCH_COPIES: "1" })
        assert.strictEqual(started.line, "up")
        assert.strictEqual(started.exited(), undefined)
        const { copied, heapUsed } = yield* probe(at, started.pid, "collect")
        assert.isAbove(heapUsed, 1_000_000)
        // The copy of four bytes is too small to count.
        assert.strictEqual(copied, 1_000)
        return started.pid
      }))
      assert.isFalse(isAlive(pid))
    }), processesStart)

  it.live("fail with their last word if they end before that", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(start("a program", [], ["--eval", "throw new TypeError('not today')"])))
      assert.strictEqual(error.message, "a program: ended (1) before it was up: TypeError: not today")
    }), processesStart)

  it.live("that end later say so to who watches them", () =>
    Effect.scoped(Effect.gen(function*() {
      const { ended, exited } = yield* start("a program", [], ["--eval", "console.log('up'); throw new TypeError('not today')"])
      assert.strictEqual((yield* Effect.flip(ended)).message, "a program: ended (exit code 1): TypeError: not today")
      assert.strictEqual(exited(), "exit code 1: TypeError: not today")
    })), processesStart)

  it("the last word of a process is what it died of", () => {
    assert.strictEqual(lastWord("<--- Last few GCs --->\nFATAL ERROR: heap out of memory\n 1: 0x1 node::OOMErrorHandler"), "FATAL ERROR: heap out of memory")
    assert.strictEqual(lastWord("  throw\nRangeError: too much\n    at x\n\nNode.js v24"), "RangeError: too much")
    assert.strictEqual(lastWord("one\ntwo\n"), "two")
    assert.strictEqual(lastWord(""), "")
  })
})
