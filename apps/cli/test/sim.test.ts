/**
 * `skein sim`, as it is typed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder, refuses } from "./command.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const skein = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) =>
    execFile(process.execPath, [main, ...args], { env: { ...process.env, NO_COLOR: "1" } }, (failed, out, err) =>
      resolve({ code: failed === null ? 0 : Number(failed.code), out, err })))

const WITHIN = 120_000

describe("skein sim", () => {
  it("runs a program under many seeds, and says what was done to it", async () => {
    const { code, err, out } = await skein("sim", "run", here("report.ts"), "--seeds", "5", "--seed", "3")
    assert.strictEqual(err, "")
    assert.match(out, /^5 runs, seeds 3 to 7: nothing failed\nvirtual time {2}[\d.]+ minutes\nfaults {8}\d+/)
    assert.strictEqual(code, 0)
  }, WITHIN)

  it("ends with 1 and the shortest story at the first failure, which a replay of its case shows again", async () => {
    const found = await skein("sim", "run", here("charge.ts"), "--seed", "1", "--seeds", "20")
    assert.strictEqual(found.code, 1)
    assert.match(found.err, /6 customers were charged \d+ times/)
    const [, kept] = /case {4}(\S+)/.exec(found.err) ?? []
    assert.isDefined(kept)
    const again = await skein("sim", "replay", kept!, here("charge.ts"))
    assert.strictEqual(again.code, 1)
    assert.match(again.out, /worker-\d {3}runs charge/)
    assert.match(again.err, /6 customers were charged \d+ times/)
  }, WITHIN)

  it("tells the whole run of a seed that went well", async () => {
    const { code, out } = await skein("sim", "replay", "3", here("report.ts"))
    assert.match(out, /\d+ steps, [\d.]+ ms of virtual time, hash [0-9a-f]{16}\nnothing failed\n$/)
    assert.strictEqual(code, 0)
  }, WITHIN)

  it.effect("says what is wrong with a file that is not there, and with one without a program", () =>
    Effect.gen(function*() {
      yield* refuses(["sim", "run", "nowhere.ts"], `✖ there is no file nowhere.ts in ${process.cwd()}`)
      const at = yield* folder
      writeFileSync(join(at, "none.mjs"), "export const program = 1\n")
      yield* refuses(["sim", "replay", "1", join(at, "none.mjs")], `✖ ${join(at, "none.mjs")} has no program: it has no default export\n  fix  export default an Effect that needs Client, Cluster or Sim, or a function that gives one`)
    }), WITHIN)

  it("says what is wrong with a case that is none", async () => {
    const { code, err } = await skein("sim", "replay", here("report.ts"), here("report.ts"))
    assert.strictEqual(code, 2)
    assert.match(err, /^✖ .*report\.ts is no case: /)
  }, WITHIN)
})
