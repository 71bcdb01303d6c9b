/**
 * The job, and the program around it as `npm start` runs it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { promisify } from "node:util"
import { type Part, verdict } from "../src/job.ts"

const part = (results: Part["results"]): Part => ({ name: "chains", tasks: 1, ms: 1, results })
const main = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, [resolve(import.meta.dirname, "../src/main.ts"), ...args], { timeout: 60_000 })

describe("the verdict", () => {
  it.effect("is good when every result is the one expected", () => verdict([part([{ what: "sum", found: 3, expected: 3 }])]))

  it.effect("names the part in which a result is wrong, or missing", () =>
    Effect.gen(function*() {
      for (const results of [[{ what: "sum", found: 4, expected: 3 }], [{ what: "sum", found: NaN, expected: 3 }], []]) {
        const error = yield* Effect.flip(verdict([part(results)]))
        assert.deepStrictEqual(error.parts, ["chains"])
      }
    }))
})

describe("npm start", () => {
  it("does its job on a small scale, and says that all results are right", async () => {
    const { stdout } = await main("--chains", "10", "--numbers", "5", "--limit-ms", "2", "--scale-to", "2", "--workers", "1")
    // Ten chains and their sum, the sum of the tree, the sum in completion order.
    assert.match(stdout, /all 13 results are right/)
    assert.match(stdout, /sum of the chains = 145\n/)
  }, 60_000)

  it("refuses a flag that it does not know, with exit code 1", async () => {
    const failure = await main("--chians", "10").then(() => undefined, (error: { readonly code: number; readonly stderr: string; readonly stdout: string }) => error)
    assert(failure !== undefined, "it was accepted")
    assert.strictEqual(failure.code, 1)
    assert.include(failure.stderr + failure.stdout, "chians")
  }, 60_000)
})
