import { assert, describe, it } from "@effect/vitest"
import * as CodeTable from "@skein/runtime/scheduler/CodeTable"
import { Violation } from "@skein/runtime/scheduler/Violation"
import { code, sha256 } from "./utils/make.ts"

describe("CodeTable", () => {
  it("gives equal code one id", () => {
    const table = CodeTable.make(sha256)
    const first = table.declare(code("inc"))
    assert.strictEqual(table.declare(code("inc")).code, first.code)
    assert.notStrictEqual(table.declare(code("double")).code, first.code)
    assert.deepStrictEqual(table.defOf(first.code), code("inc"))
  })

  it("refuses a text under another's digest", () => {
    const table = CodeTable.make(sha256)
    for (const change of [{ text: "() => steal()" }, { name: "other" }, { version: 2 }, { module: { id: "a/b.ts", url: "file:///b.ts" } }]) {
      assert.throws(() => table.declare({ ...code("inc"), ...change }), Violation)
    }
    assert.throws(() => table.declare({ ...code("inc"), text: null, digest: "not a digest" }), Violation)
    assert.strictEqual(table.size(), 0)
  })

  it("takes a text for code of which it had none, and tells so", () => {
    const table = CodeTable.make(sha256)
    const known = table.declare({ ...code("inc"), text: null })
    table.takeDeclared()
    assert.strictEqual(table.declare(code("inc")).code, known.code)
    assert.deepStrictEqual(table.takeDeclared(), [{ code: known.code, def: code("inc") }])
    table.declare({ ...code("inc"), text: null })
    assert.isNotNull(table.defOf(known.code)?.text)
  })

  it("forgets what nobody calls beyond the 1,024 called last, and nothing that is called", () => {
    const table = CodeTable.make(sha256)
    const all = Array.from({ length: 2_000 }, (_, n) => table.declare(code(`f${n}`)))
    table.again(all[0]!)
    const called = all[1]!.code
    const gone = table.trim((one) => one === called ? 1 : 0)
    // 1,999 are not called; the first was the last to be.
    assert.deepStrictEqual(gone, all.slice(2, 2 + 1_999 - CodeTable.UNUSED_KEPT).map(({ code }) => code))
    assert.strictEqual(table.size(), CodeTable.UNUSED_KEPT + 1)
    assert.isDefined(table.defOf(all[0]!.code))
    assert.isDefined(table.defOf(called))
    assert.deepStrictEqual(table.trim(() => 0), [])
  })

  it("gives a forgotten code a new id when it is called again", () => {
    const table = CodeTable.make(sha256)
    const first = table.declare(code("first"))
    for (let n = 0; n < 1_100; n++) table.declare(code(`f${n}`))
    assert.include(table.trim(() => 0), first.code)
    assert.isUndefined(table.defOf(first.code))
    const again = table.again(first)
    assert.notStrictEqual(again.code, first.code)
    assert.deepStrictEqual(table.defOf(again.code), code("first"))
    assert.strictEqual(table.again(again), again)
  })
})
