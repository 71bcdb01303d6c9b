/**
 * docs/errors.md lists what the sources can say, and says it in their words.
 *
 * The example of each code is the whole text of an error of that kind (errors.ts).
 * Elsewhere stand the tests that provoke them.
 */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { texts } from "./errors.ts"

const root = resolve(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(resolve(root, path), "utf8")
const codesIn = (text: string): ReadonlyArray<string> => [...new Set(text.match(/SKEIN\d{4}/g) ?? [])]

const sources = globSync(["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"], { cwd: root })
const tests = globSync(["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts"], { cwd: root }).filter((path) => path !== "packages/skein/test/errors.test.ts")

interface Entry {
  readonly code: string
  readonly text: string
  /** What stands in its first block of code. */
  readonly example: string
}
const entries: ReadonlyArray<Entry> = read("docs/errors.md").split(/^### /m).slice(1).map((section) => ({
  code: /^SKEIN\d{4}/.exec(section)?.[0] ?? section.slice(0, 40),
  text: section,
  example: /```text\n([^]*?)\n```/.exec(section)?.[1] ?? ""
}))

describe("docs/errors.md", () => {
  it("has every code of the sources, in order and once, and no other", () => {
    const known = [...new Set(sources.flatMap((path) => codesIn(read(path))))].sort()
    assert.isAbove(known.length, 30)
    assert.deepStrictEqual(entries.map(({ code }) => code), known)
  })

  it("says of each what it means, why it comes about and what to do", () => {
    for (const { code, text } of entries) {
      for (const word of ["**Means**", "**Comes about**", "**Fix**"]) assert.include(text, word, code)
    }
  })

  it("shows each as it is, word for word", () => {
    for (const { code, example } of entries) {
      assert.match(example, new RegExp(`^${code} `), code)
      const text = texts[code]
      if (text !== undefined) assert.strictEqual(example, text, code)
    }
  })

  it("leaves no code without a test that meets it, but those that nothing raises yet", () => {
    const met = new Set(tests.flatMap((path) => codesIn(read(path))))
    const unmet = entries.filter(({ code }) => !met.has(code))
    assert.deepStrictEqual(unmet.map(({ code }) => code), ["SKEIN1010", "SKEIN1011", "SKEIN2002"])
    for (const { code, text } of unmet) assert.include(text, "Nothing in this release raises it", code)
  })

  it("knows each code by one name", () => {
    const definitions = new Map<string, Set<string>>()
    for (const path of sources) {
      for (const [, name, code] of read(path).matchAll(/(\w+)(?::| =) "(SKEIN\d{4})"/g)) definitions.set(code!, (definitions.get(code!) ?? new Set()).add(name!))
    }
    assert.deepStrictEqual([...definitions].filter(([, names]) => names.size > 1), [])
  })
})
