/**
 * TABLE.md tells the truth: every case of Dask's stands in it once, with a test
 * that is there and says so in its name, or with what it waits for, or with why it
 * cannot be.
 *
 * Tests are looked for in the sources as the parser sees them, so that a name in a
 * comment is no test.
 */
import { assert, describe, it } from "@effect/vitest"
import { parse } from "acorn"
import { existsSync, readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { resolve } from "node:path"

const root = resolve(import.meta.dirname, "../../../..")
const read = (name: string) => readFileSync(resolve(import.meta.dirname, name), "utf8")

const cases = read("dask-cases.txt").split("\n").filter((line) => line !== "" && !line.startsWith("#"))

/** What a row may say, and what has to stand beside it. */
const kinds = ["covered", "later", "cannot apply", "missing"]
interface Row {
  readonly dask: string
  readonly kind: string
  readonly cell: string
  /** For "covered": file, then the test's name in quotation marks; several with <br> between. */
  readonly tests: ReadonlyArray<{ readonly file: string; readonly name: string }>
}
const rows: ReadonlyArray<Row> = read("TABLE.md").split("\n").filter((line) => line.startsWith("| `")).map((line) => {
  const [, first, second, third] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
  const cell = third ?? ""
  const tests = cell.split("<br>").flatMap((part) => {
    const found = /^`([^`]+)` “(.+)”$/.exec(part.trim())
    return found === null ? [] : [{ file: found[1]!, name: found[2]!.replaceAll("\\|", "|") }]
  })
  return { dask: (first ?? "").replaceAll("`", ""), kind: second ?? "", cell, tests }
})

/** Whatever the parser gives: nodes within nodes. */
interface Node {
  readonly type: string
  readonly [field: string]: unknown
}
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
const children = (node: Node): ReadonlyArray<Node> => Object.values(node).flatMap((value) => Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [])

/** `it`, `test`, and their members. */
const isTester = (callee: Node): boolean =>
  callee.type === "Identifier" ? callee["name"] === "it" || callee["name"] === "test"
    : callee.type === "MemberExpression" ? isTester(callee["object"] as Node)
    : callee.type === "CallExpression" && isTester(callee["callee"] as Node)

/** Names of the tests of a file, those with holes as they are written. */
const testsOf = (file: string): ReadonlySet<string> => {
  const code = stripTypeScriptTypes(readFileSync(resolve(root, file), "utf8"))
  const names = new Set<string>()
  const visit = (node: Node): void => {
    if (node.type === "CallExpression" && isTester(node["callee"] as Node)) {
      const [first] = node["arguments"] as ReadonlyArray<Node>
      if (first?.type === "Literal" && typeof first["value"] === "string") names.add(first["value"])
      if (first?.type === "TemplateLiteral") names.add(code.slice((first["start"] as number) + 1, (first["end"] as number) - 1))
    }
    for (const child of children(node)) visit(child)
  }
  visit(parse(code, { ecmaVersion: "latest", sourceType: "module" }) as unknown as Node)
  return names
}

/** Whether a test's name says that it mirrors this case: in full, or `::test_x` after another of the same file. */
const mirrors = (name: string, dask: string): boolean => {
  const [file, test] = dask.split("::") as [string, string]
  const said = [...name.matchAll(/(test_\w+\.py)((?:(?:, )?::\w+)+)/g)].flatMap(([, from, tests]) =>
    [...tests!.matchAll(/::(\w+)/g)].map(([, one]) => `${from}::${one}`))
  return said.includes(`${file}::${test}`)
}

describe("TABLE.md", () => {
  it("has every case of Dask's once, and no other", () => {
    assert.isAbove(cases.length, 80)
    assert.deepStrictEqual(rows.map(({ dask }) => dask), cases)
    assert.strictEqual(new Set(cases).size, cases.length)
  })

  it("says of each what is the matter, in words that are known", () => {
    for (const { cell, dask, kind, tests } of rows) {
      assert.include(kinds, kind, dask)
      assert.isAbove(cell.length, 10, dask)
      assert.strictEqual(tests.length > 0, kind === "covered", dask)
      if (kind === "covered") assert.strictEqual(tests.length, cell.split("<br>").length, `${dask}: a part of the cell is no test`)
      if (kind === "later") assert.match(cell, /issue \d+|next stage/, dask)
    }
  })

  it("names tests that are there, which name the case in turn", () => {
    const known = new Map<string, ReadonlySet<string>>()
    for (const { dask, tests } of rows) {
      for (const { file, name } of tests) {
        assert.isTrue(existsSync(resolve(root, file)), `${dask}: there is no ${file}`)
        const names = known.get(file) ?? testsOf(file)
        known.set(file, names)
        assert.isTrue(names.has(name), `${dask}: ${file} has no test “${name}”`)
        assert.isTrue(mirrors(name, dask), `${dask}: “${name}” does not say that it mirrors it`)
      }
    }
  })
})
