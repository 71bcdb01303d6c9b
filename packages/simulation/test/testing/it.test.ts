/**
 * What a user writes, and what it comes to.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Client } from "@skein/client/Client"
import { it } from "@skein/simulation/testing/it"
import { Sim } from "@skein/simulation/testing/Sim"
import * as tasks from "./tasks.ts"

const report = Effect.gen(function*() {
  const client = yield* Client
  const days = yield* client.map(tasks.load, [1, 2, 3, 4, 5, 6])
  const sums = []
  for (const day of days) sums.push(yield* client.submit(tasks.sum, day))
  return yield* client.submit(tasks.total, ...sums)
})

describe("it.sim", () => {
  it.sim("a report survives what a cluster promises to survive", () => Effect.gen(function*() {
    const sim = yield* Sim
    const future = yield* report
    assert.deepStrictEqual(yield* Effect.exit(future.result), yield* sim.oracle(future))
    yield* sim.sometimes("it took more than five seconds", (yield* sim.virtualMs) > 5_000)
  }), { workers: 3, threadsPerWorker: 2, faults: "default", seeds: 30, seed: 1 })

  it("may be skipped, run alone, be run for each of some cases, and draw its values, which are made small where it fails", { timeout: 120_000 }, () => {
    const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
    const { status, stderr, stdout } = spawnSync(process.execPath, [at("../../../../node_modules/vitest/vitest.mjs"), "run", "--config", at("fixture/vitest.config.ts"), "--reporter", "tap-flat", "--allowOnly"], {
      encoding: "utf8", env: { ...process.env, NO_COLOR: "1" }
    })
    const lines = stdout.split("\n").flatMap((line) => /^(?:not )?ok \d+ - \S+ > (.+?)(?: # time=.*)?$/.exec(line) === null ? [] : [line.replace(/ \d+ - \S+ >/, "").replace(/ # time=.*/, "")])
    assert.deepStrictEqual(lines.sort(), [
      "not ok case 2",
      "not ok numbers are small",
      "ok case 1",
      "ok case 3",
      "ok is left out # SKIP",
      "ok is skipped # SKIP",
      "ok numbers are numbers",
      "ok runs alone"
    ], stdout + stderr)
    assert.match(stdout, /RangeError failed under seed 5/)
    assert.match(stdout, /with \{\\?"n\\?":-?10\}/)
    assert.strictEqual(status, 1)
  })
})
