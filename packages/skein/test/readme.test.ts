/**
 * README's programs are run as they stand, and print what README says.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { promisify } from "node:util"

const root = resolve(import.meta.dirname, "../../..")
const readme = readFileSync(join(root, "README.md"), "utf8")

/** The programs, by the name in their first line. */
const files = [...readme.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map((match) => ({ name: match[1]!, text: match[2]! }))
/** What README says that they print. */
const runs = [...readme.matchAll(/```\n\$ node (\S+)\n([\s\S]*?)```/g)].map((match) => ({ name: match[1]!, output: match[2]! }))

describe("README", () => {
  it("has programs, and says what they print", () => {
    assert.deepStrictEqual(files.map(({ name }) => name), ["main.ts", "tasks.ts", "pages.ts"])
    assert.deepStrictEqual(runs.map(({ name }) => name), ["main.ts", "pages.ts"])
  })

  for (const { name, output } of runs) {
    it(`${name} prints what README says`, async () => {
      // Beside the packages, so that their names mean what they mean to whoever installed them.
      const folder = mkdtempSync(join(root, ".readme-"))
      try {
        writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
        for (const file of files) writeFileSync(join(folder, file.name), file.text)
        const { stdout } = await promisify(execFile)(process.execPath, [name], { cwd: folder, timeout: 60_000 })
        assert.strictEqual(stdout, output)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }, 60_000)
  }
})
