/**
 * Which versions of Node are told to be too old, and how.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { tooOld } from "../src/nodeVersion.ts"

describe("the version of Node", () => {
  it("is refused below what package.json says, with what to do", () => {
    assert.strictEqual(
      tooOld("20.20.2"),
      "✖ skein needs Node 22.19 or later, and this is Node 20.20.2\n" +
        "  fix  npm install --save-dev node@24, which gives npx a Node of its own, or install a later one from https://nodejs.org"
    )
    assert.isDefined(tooOld("22.18.9"))
    for (const enough of ["22.19.0", "22.20.1", "24.0.0"]) assert.isUndefined(tooOld(enough), enough)
    const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly engines: { readonly node: string } }
    assert.strictEqual(engines.node, ">=22.19.0")
  })
})
