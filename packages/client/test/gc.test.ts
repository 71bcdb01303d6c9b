/**
 * Release by the real collector, which only a process of its own can be made to show.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

const program = new URL("./gc/program.ts", import.meta.url).pathname

describe("the garbage collector", () => {
  it("releases futures to which nothing points, and none that is awaited or needed", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program], { timeout: 60_000 })
    const seen = new Map(stdout.trim().split("\n").map((line) => JSON.parse(line) as [string, unknown]))
    for (const way of ["result", "await", "changes", "progress", "gather", "gatherExits", "wait", "asCompleted", "results", "completions", "withProgress"]) {
      const name = `one that is awaited by ${way} is not, until that is over`
      assert.deepStrictEqual(seen.get(name), [false, true], way)
      seen.delete(name)
    }
    assert.deepStrictEqual([...seen], [
      ["futures to which nothing points are released", 200],
      ["its effects keep it, too", [0, 9]],
      ["the input of a task that is not sent yet is kept", 0],
      ["and may go once it is sent, for then the scheduler keeps it", [1, 1, "pending"]]
    ])
  }, 90_000)
})
