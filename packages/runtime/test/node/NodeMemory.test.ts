import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"

const module = new URL("../../src/node/NodeMemory.ts", import.meta.url).href

/** What a process with a small heap counts, after each of these steps. */
const loadsOf = (steps: ReadonlyArray<string>): ReadonlyArray<number> => {
  const program = `
    import { make } from ${JSON.stringify(module)}
    const memory = make(), loads = []
    let kept = []
    const fill = (mebibytes) => Array.from({ length: mebibytes * 128 }, () => new Array(1_024).fill(0.5))
    ${steps.map((step) => `${step}; loads.push(memory.loadRatio(1))`).join("\n")}
    console.log(JSON.stringify(loads))`
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--max-old-space-size=100", "--input-type=module", "-e", program], { encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
  return JSON.parse(stdout) as ReadonlyArray<number>
}

describe("a process's memory", () => {
  it("counts what is needed, and not what is garbage", () => {
    const [first, garbage, full, released] = loadsOf([
      "",
      "for (let n = 0; n < 15; n++) fill(8)",
      "kept = fill(72)",
      // Until it is counted anew.
      "kept = []; while (memory.loadRatio(1) > 0.5);"
    ])
    assert.isBelow(first!, 0.5)
    assert.isBelow(garbage!, 0.75)
    assert.isAbove(full!, 0.8)
    assert.isBelow(released!, 0.5)
  })
})
