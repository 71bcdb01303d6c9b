/**
 * What a child loads before it is up: start-up is the loading of modules, so their number is held and not a time.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Entries from "../src/node/Entries.ts"

/** The files that these entries load, Node's own aside. */
const loadedBy = (...entries: ReadonlyArray<string>): ReadonlyArray<string> => {
  const found = new Set<string>()
  const load = (path: string): void => {
    if (found.has(path)) return
    found.add(path)
    const code = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "")
    for (const [, from, alone] of code.matchAll(/^(?:(?:import|export)\b(?! type\b)[^"';]*?\bfrom\s*["']([^"']+)["']|import\s*["']([^"']+)["'])/gm)) {
      const specifier = from ?? alone ?? ""
      if (specifier.startsWith(".")) load(resolve(dirname(path), specifier))
      else if (!specifier.startsWith("node:")) load(createRequire(path).resolve(specifier))
    }
  }
  for (const entry of entries) load(fileURLToPath(entry))
  return [...found]
}

describe("starting", () => {
  // A worker has a client in it, for bodies that submit tasks, and a client reads functions with acorn.
  it.each([["scheduler", Entries.scheduler, 340], ["worker", Entries.worker, 380]] as const)("a %s loads no more modules than it needs", (_, entry, most) => {
    const modules = loadedBy(entry)
    assert.include(modules.join("\n"), "/runtime/src/node/NodeChild.ts")
    assert.isAtMost(modules.length, most)
    // Parts of effect of which nothing is used; some came along with its RPC server once.
    assert.deepStrictEqual(modules.filter((path) => /\/effect\/dist\/(cluster|workflow|cli|sql|ai|http\/(HttpRouter|HttpServer|HttpClient)|index)\b/.test(path)), [])
    assert.deepStrictEqual(modules.filter((path) => /node_modules\/(undici|typescript)\//.test(path)), [])
    assert.strictEqual(modules.some((path) => path.includes("/node_modules/acorn/")), entry === Entries.worker)
  })

  it("the image has what modules of tasks import from skein and from effect", () => {
    const skein = new URL("../../skein/src/index.ts", import.meta.url).href
    const had = loadedBy(...Entries.all)
    assert.deepStrictEqual(loadedBy(...Entries.all, skein, import.meta.resolve("effect")).slice(had.length), [fileURLToPath(skein)])
  })
})
