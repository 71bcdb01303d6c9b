/**
 * The command as a user calls it: real processes, few runs.
 */
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { Json } from "@skein/simulation/Case"
import { draw } from "@skein/simulation/cases/Draw"
import { canaryCase } from "@skein/simulation/node/Batch"
import { runFleet } from "@skein/simulation/node/Fleet"
import { main } from "@skein/simulation/node/simulate"

/** Runs the command in a folder of its own; what it printed, and its exit code. */
const command = async (args: (folder: string) => ReadonlyArray<string>, look: (folder: string) => void = () => {}) => {
  const folder = mkdtempSync(join(tmpdir(), "skein-simulate-"))
  const streams = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write }))
  let printed = ""
  for (const { stream } of streams) {
    stream.write = ((text: string) => {
      printed += text
      return true
    }) as typeof stream.write
  }
  try {
    const code = await main(args(folder))
    look(folder)
    return { code, printed }
  } finally {
    for (const { stream, write } of streams) stream.write = write
    rmSync(folder, { recursive: true, force: true })
  }
}

const file = (folder: string, text: string): string => {
  const path = join(folder, "case.json")
  writeFileSync(path, text)
  return path
}

describe("npm run simulate", { timeout: 120_000 }, () => {
  it("runs seeds in processes of its own, reports them, and leaves none behind", async () => {
    const { code, printed } = await command(() => ["--runs", "6", "--profile", "light", "--processes", "2", "--seed", "5"])
    assert.strictEqual(code, 0, printed)
    assert.match(printed, /light 6 \(/)
    assert.match(printed, /machines alone \d+ cases/)
    assert.match(printed, /all states +\d+ of \d+ small clusters/)
    assert.match(printed, /2 canaries caught/)
    assert.match(printed, /no check failed in 6 runs/)
  })

  it("writes what it did as JSON", async () => {
    let written: { readonly seed: number; readonly tally: { readonly runs: unknown } } | undefined
    const { code } = await command((folder) => ["--runs", "2", "--profile", "light", "--processes", "1", "--seed", "9", "--json", join(folder, "out.json")], (folder) => {
      written = JSON.parse(readFileSync(join(folder, "out.json"), "utf8")) as typeof written
    })
    assert.strictEqual(code, 0)
    assert.isDefined(written)
    assert.strictEqual(written.seed, 9)
    assert.deepStrictEqual(written.tally.runs, { light: 2, full: 0 })
  })

  it("--replay runs a kept case again, fails as it did, and says how", async () => {
    const { code, printed } = await command((folder) => ["--replay", file(folder, Schema.encodeSync(Json)(canaryCase(3)))])
    assert.strictEqual(code, 1)
    assert.match(printed, /FAILED {2}C2: task \d+, future 0 of client-\d, ended with the value/)
  })

  it("--replay of a case in which nothing fails any more succeeds", async () => {
    const { code, printed } = await command((folder) => ["--replay", file(folder, Schema.encodeSync(Json)(draw(7, "light")))])
    assert.strictEqual(code, 0, printed)
    assert.match(printed, /all checks hold/)
  })

  it("--replay refuses what is no case, and says what is wrong with it", async () => {
    const { code, printed } = await command((folder) => ["--replay", file(folder, "{\"version\":1}")])
    assert.strictEqual(code, 2)
    assert.match(printed, /is no case/)
    assert.match(printed, /seed/)
  })

  it("--help says what it takes", async () => {
    for (const option of ["--help", "-h"]) {
      const { code, printed } = await command(() => [option])
      assert.strictEqual(code, 0)
      for (const name of ["--minutes", "--gate", "--scenario", "--replay", "--level"]) assert.include(printed, name)
    }
  })

  it("refuses what it does not understand, and says what would be right", async () => {
    const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [["--minuts", "3"], /Unknown option '--minuts'/],
      [["--minutes", "soon"], /--minutes is a number above 0, not "soon"/],
      [["--runs", "1.5"], /--runs is a whole number from 1, not "1.5"/],
      [["--processes", "0"], /--processes is a whole number from 1, not "0"/],
      [["--profile", "heavy"], /--profile is light, full or mixed, not "heavy"/],
      [["--level", "cluster"], /--level is reducers or states, not "cluster"/],
      [["--trace"], /--trace tells one run: it goes with --replay FILE/],
      [["--seeds", "9"], /--seeds goes with --scenario/],
      [["--scenario", "all", "--level", "states"], /leave --replay or --scenario out/],
      [["--gate", "--level", "reducers"], /leave --level out/],
      [["--scenario", "#9999"], /no scenario has "#9999" in its name; there are:\n {2}#5379/],
      [["--replay", "/nowhere/case.json"], /cannot be read: ENOENT/]
    ]
    for (const [args, says] of wrong) {
      const { code, printed } = await command(() => args)
      assert.strictEqual(code, 2, args.join(" "))
      assert.match(printed, says)
    }
  })

  it("--scenario runs what has gone wrong elsewhere, by name, at either level", async () => {
    const whole = await command(() => ["--scenario", "#5128", "--seeds", "2"])
    assert.strictEqual(whole.code, 0, whole.printed)
    assert.match(whole.printed, /2 seeds, .* s of CPU {2}#5128, #6689/)
    const machines = await command(() => ["--scenario", "dask#5", "--seeds", "3", "--level", "reducers"])
    assert.strictEqual(machines.code, 0, machines.printed)
    assert.match(machines.printed, /no check failed in 6 scenarios of 3 seeds each/)
  })

  it("--level reducers runs the machines alone, and tells how fast", async () => {
    const { code, printed } = await command(() => ["--level", "reducers", "--runs", "4"])
    assert.strictEqual(code, 0, printed)
    assert.match(printed, /^4 cases of up to 30 tasks from seed 0/)
    assert.match(printed, /all .* events, .* rows, .* checked steps/)
  })

  it("--level states goes through small clusters, as far as it may, and tells how fast", async () => {
    const { code, printed } = await command(() => ["--level", "states", "--runs", "60"])
    assert.strictEqual(code, 0, printed)
    assert.match(printed, /states\/s {2}a join of three on two workers, one of which crashes at any moment \(not all of them\)/)
    assert.match(printed, /states in .* s of CPU/)
  })
})

describe("a fleet", { timeout: 120_000 }, () => {
  it("ends with the tally of all its processes", async () => {
    const ended = await runFleet({ seed: 1, processes: 2, profile: "light", runs: 4, forMs: undefined, explores: false, onProgress: () => {} })
    assert.strictEqual(ended._tag, "Done", JSON.stringify(ended))
    assert.strictEqual(ended.tally.runs.light, 4)
  })
})
