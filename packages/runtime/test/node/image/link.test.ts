/**
 * A linked program means what its modules mean.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { CannotLink, link, type Parsed, read, resolvedBy, specifiersOf } from "../../../src/node/image/link.ts"

/** What the maker of images has Node find. */
const named = (parsed: Parsed): ReadonlyArray<string> => [...specifiersOf(parsed), ...resolvedBy(parsed)]

/** What these files print, run by Node as they are and by an image of them. `entry.mjs` is run. */
const printed = (files: Readonly<Record<string, string>>): { readonly plain: string; readonly linked: string } => {
  const folder = mkdtempSync(join(tmpdir(), "skein-link-"))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const url = (name: string) => pathToFileURL(join(folder, name)).href
    const modules = Object.entries(files).filter(([name]) => !name.startsWith("outside")).map(([name, text]) => {
      const parsed = read(text)
      return { url: url(name), ...parsed, imports: new Map(named(parsed).map((from) => [from, from.startsWith("node:") ? from : url(from)])) }
    })
    writeFileSync(join(folder, "image.cjs"), `${link(modules)}(require("node:module"))`)
    const node = (...args: ReadonlyArray<string>) => execFileSync(process.execPath, [...args, join(folder, "entry.mjs")], { encoding: "utf8" })
    return { plain: node(), linked: node("--require", join(folder, "image.cjs")) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** An image of a module of this text, and of others by their names. */
const linking = (source: string, others: Readonly<Record<string, string>> = {}): string =>
  link(Object.entries({ entry: source, ...others }).map(([name, text]) => {
    const parsed = read(text)
    return { url: `file:///${name}`, ...parsed, imports: new Map(named(parsed).map((from) => [from, from.replace("./", "file:///")])) }
  }))

describe("link", () => {
  it("every kind of import and export means what it meant", () => {
    const { linked, plain } = printed({
      "entry.mjs": `
        import * as all from "./all.mjs"
        import given, { named as renamed, "with a blank" as blank } from "./all.mjs"
        import "./effects.mjs"
        import { readFileSync } from "node:fs"
        import path, * as paths from "node:path"
        console.log(Object.keys(all).sort().join(), given(), renamed, blank, all.void, all.whole.inner, typeof readFileSync, path.sep === paths.sep)
        console.log(typeof require, typeof module, typeof exports, this === undefined, new all.Class() instanceof all.Class, all.letters)
      `,
      "all.mjs": `
        export * from "./stars.mjs"
        export * as whole from "./inner.mjs"
        export { inner as passedOn, default as inherited } from "./inner.mjs"
        export default function() { return "given" }
        export const named = 1, { a, b: [c = 3, ...d] } = { a: 1, b: [undefined, 4, 5] }
        export function late() { return named }
        export class Class {}
        const word = "void"
        export { word as void, word as "with a blank" } /* a comment */
        export const letters = ["äöü → 😀 \\u0041", \`“\${ named }” … \\u2002\`, String.raw\`é\${ named }\\u2002\`, /^ö/.test("ö")].join() // “another”
      `,
      "stars.mjs": "export const star = 1; export const named = 'hidden by the own one'; export default 'not passed on'",
      "inner.mjs": "export const inner = 2; export default 'inherited'",
      "effects.mjs": "console.log('evaluated after all.mjs, before the entry')"
    })
    assert.strictEqual(linked, plain)
    assert.include(plain, "given 1 void void 2 function true")
  })

  it("has no letters beyond ASCII where they mean nothing else, nor what stripping types has left of them", () => {
    const strip = (text: string) => stripTypeScriptTypes(text)
    assert.match(linking(strip("type A = \"→\"\nexport const a = `${1} → “`, b = '…' // …")), /^[\0-\x7f]*$/)
    assert.include(linking(strip("export const a = /é/ as RegExp")), "/é/")
  })

  it("an exported variable that changes is read anew each time", () => {
    const { linked, plain } = printed({
      "entry.mjs": "import { count, raise } from './counter.mjs'; import * as all from './counter.mjs'\nraise(); raise(); console.log(count + 1, all.count, count > 1 ? 'yes' : 'no')",
      "counter.mjs": "export let count = 0; export const raise = () => { count++ }"
    })
    assert.strictEqual(linked, plain)
    assert.strictEqual(plain, "3 2 yes\n")
  })

  it("who imports a module's URL from outside gets the image's own instance, and with a query another", () => {
    const { linked, plain } = printed({
      "entry.mjs": `
        import { self, where } from "./inner.mjs"
        const load = (name) => import(new URL(name, import.meta.url).href)
        Promise.all([load("./outside.mjs"), load("./inner.mjs?again")]).then(([outside, again]) =>
          console.log(outside.self === self, again.self === self, where === again.where, again.where.endsWith("?again"))
        )
      `,
      "inner.mjs": "export const self = {}; export const where = import.meta.url",
      "outside.mjs": "export { self } from './inner.mjs'"
    })
    assert.strictEqual(linked, plain)
    assert.strictEqual(plain, "true false false true\n")
  })

  it("what a module has resolved by name is where it was when the image was made; a module may ask where itself is", () => {
    const { linked, plain } = printed({
      "entry.mjs": "import { there } from './asking.mjs'; console.log(there().map((url) => url.replace(/.*\\//, '')).join())",
      "asking.mjs": "export const there = () => [import.meta.resolve('./entry.mjs'), import.meta.resolve(\"./asking.mjs\"), import.meta.resolve('node:fs')]"
    })
    assert.strictEqual(linked, plain)
    assert.strictEqual(plain, "entry.mjs,asking.mjs,node:fs\n")
  })

  it("refuses what a script cannot mean", () => {
    assert.throws(() => linking("import './other'", { other: "import './entry'" }), CannotLink, /by way of others/)
    assert.throws(() => linking("export * from './other'", { other: "export let a = 1; a = 2" }), CannotLink, /changes/)
    assert.throws(() => linking("export { a } from './other'", { other: "export let a = 1; a = 2" }), CannotLink, /changes/)
    assert.throws(() => linking("import { a } from './other'; ((a) => a)(1)", { other: "export let a = 1; a = 2" }), CannotLink, /changes/)
    assert.throws(() => linking("import.meta.dirname"), CannotLink, /import\.meta/)
    assert.throws(() => linking("import.meta.resolve(process.argv[1])"), CannotLink, /import\.meta/)
    assert.throws(() => linking("import('./other')", { other: "" }), CannotLink, /while it runs/)
    assert.throws(() => linking("await 1"), CannotLink, /waits/)
  })
})
