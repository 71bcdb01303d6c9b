/**
 * README's programs are run as they stand, and print what README says.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Readable } from "node:stream"
import { promisify } from "node:util"

const root = resolve(import.meta.dirname, "../../..")
const skein = join(root, "apps/cli/src/main.ts")
const readme = readFileSync(join(root, "README.md"), "utf8")

/** The programs, by the name in their first line. */
const files = [...readme.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map((match) => ({ name: match[1]!, text: match[2]! }))
/** What README says that they print. */
const runs = [...readme.matchAll(/```\n\$ node (\S+)\n([\s\S]*?)```/g)].map((match) => ({ name: match[1]!, output: match[2]! }))

/** What README says of the command, but for simulations: its arguments, and what it prints. */
const commands = [...readme.matchAll(/```\n\$ skein ((?:run|local) .*)\n([\s\S]*?)```/g)].map((match) => ({ args: match[1]!.split(" "), output: match[2]! }))

/** Programs that are simulated, and what the papers say of that. */
const simulations = ["README.md", "docs/simulation.md"].flatMap((paper) => {
  const text = readFileSync(join(root, paper), "utf8")
  const programs = new Map([...text.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map((match) => [match[1]!, match[2]!]))
  return [...text.matchAll(/```\n\$ skein sim run (\S+) --workers 3 --seed 1\n([\s\S]*?)```/g)].map((match) => ({
    paper, name: match[1]!, text: programs.get(match[1]!)!, output: match[2]!
  }))
})

describe("README", () => {
  it("has programs, and says what they print", () => {
    assert.deepStrictEqual(files.map(({ name }) => name), ["main.ts", "tasks.ts", "pages.ts", "sums.ts", "nested.ts", "primes.ts", "billing.ts"])
    assert.deepStrictEqual(runs.map(({ name }) => name), ["main.ts", "pages.ts", "nested.ts"])
  })

  for (const { name, output } of runs) {
    it(`${name} prints what README says`, async () => {
      const folder = folderOf(files)
      try {
        const { stdout } = await promisify(execFile)(process.execPath, [name], { cwd: folder, timeout: 60_000 })
        assert.strictEqual(stdout, output)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }, 60_000)
  }

  it("the command prints what README says, on a cluster of its own and on one that stays", async () => {
    assert.deepStrictEqual(commands.map(({ args }) => args[0]), ["run", "local", "run"])
    const [alone, staying, there] = commands
    const folder = folderOf(files)
    const local = spawn(process.execPath, [skein, ...staying!.args, "--port", "0"], { cwd: folder })
    try {
      const said = await linesUntil(local.stdout, "Ctrl-C ends it\n")
      assert.strictEqual(anyPort(said), anyPort(staying!.output))
      for (const { args, output } of [there!, alone!]) {
        assert.strictEqual((await promisify(execFile)(process.execPath, [skein, ...args], { cwd: folder, timeout: 60_000 })).stdout, output)
      }
      const ended = new Promise((resume) => local.on("exit", resume))
      local.kill("SIGINT")
      assert.strictEqual(await ended, 130)
    } finally {
      local.kill("SIGKILL")
      rmSync(folder, { recursive: true, force: true })
    }
  }, 120_000)

  for (const { name, paper, text, output } of simulations) {
    it(`a simulation of ${name} goes as ${paper} says`, async () => {
      const folder = folderOf([{ name, text }])
      try {
        const said = await promisify(execFile)(process.execPath, [skein, "sim", "run", name, "--workers", "3", "--seed", "1"], { cwd: folder, timeout: 120_000 }).then(
          ({ stdout }) => stdout,
          (failed: { readonly stderr: string }) => failed.stderr
        )
        assert.deepStrictEqual(outline(said), outline(output))
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }, 120_000)
  }
})

/** With these files; beside the packages, so that their names mean what they mean to whoever installed them. */
function folderOf(files: ReadonlyArray<{ readonly name: string; readonly text: string }>): string {
  const folder = mkdtempSync(join(root, ".readme-"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  for (const file of files) writeFileSync(join(folder, file.name), file.text)
  return folder
}

/** All that a process has printed once it has printed `last`. */
function linesUntil(stream: Readable, last: string): Promise<string> {
  return new Promise((resume, fail) => {
    let said = ""
    stream.on("data", (chunk) => (said += String(chunk)).endsWith(last) ? resume(said) : undefined)
    stream.on("end", () => fail(new Error(`it ended after: ${said}`)))
  })
}

/** Ports and threads are the machine's. */
function anyPort(said: string): string {
  return said.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:#").replace(/of \d+ threads?/, "of # threads")
}

/**
 * What stays the same when a change of the product lets a seed go another way: who failed and of what, that one fault was enough, and what
 * the story tells of tasks; not when, and not on which worker.
 */
function outline(said: string): ReadonlyArray<string> {
  const lines = said.split("\n").map((line) => line.trim())
  const found = lines.flatMap((line) => /^(Error failed under seed 1|saw {5}Error: charged were|needs .*this fault:|case {4}|again {3}skein sim replay|\d+ runs, seeds|virtual time|faults {8}\d)/.exec(line)?.[0] ?? [])
  const told = new Set(lines.flatMap((line) => /worker-\d {3}(runs charge|charge has ended)/.exec(line)?.[1] ?? []))
  return [...found.map((line) => line.replace(/\d+/g, "#")), ...[...told].sort()]
}
