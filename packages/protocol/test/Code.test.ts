import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { digestOf, moduleIdOf } from "@skein/protocol/Code"

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest())

describe("the identity of code", () => {
  const code = { name: "inc", module: "app/src/tasks.ts", text: "(n) => n + 1", version: 1 }
  it("is the same for the same code and 32 digits long", () => {
    assert.strictEqual(digestOf(code, sha256), digestOf({ ...code }, sha256))
    assert.match(digestOf(code, sha256), /^[0-9a-f]{32}$/)
  })
  it("differs with what is captured", () => {
    const digests = [undefined, new Uint8Array(), new Uint8Array([1]), new Uint8Array([2])].map((captures) => digestOf({ ...code, captures }, sha256))
    // No captures and an empty record of them are told apart by the record's own bytes.
    assert.strictEqual(new Set(digests).size, 3)
  })
  it("differs with name, module, text and version, and no part can pass for another", () => {
    const others = [{ name: "dec" }, { module: null }, { text: "(n) => n + 2" }, { version: 2 }, { name: "in", module: "capp/src/tasks.ts" }, { name: "inc16:app/src/tasks.ts", module: "" }]
    const digests = new Set([code, ...others.map((other) => ({ ...code, ...other }))].map((identity) => digestOf(identity, sha256)))
    assert.strictEqual(digests.size, others.length + 1)
  })
})

describe("a module's name", () => {
  const packages: Record<string, string> = { "file:///home/a/app/": "app", "file:///home/a/app/node_modules/@x/lib/": "@x/lib", "file:///home/a/app/src/inner/": "" }
  const id = (url: string) => moduleIdOf(url, (folder) => packages[folder])
  it("is that of its nearest package and the path inside it, wherever that is", () => {
    assert.strictEqual(id("file:///home/a/app/src/tasks.ts"), "app/src/tasks.ts")
    assert.strictEqual(id("file:///home/a/app/node_modules/@x/lib/index.js?v=1#x"), "@x/lib/index.js")
    assert.strictEqual(id("file:///home/a/app/src/inner/t.ts"), "/t.ts")
  })
  it("is that of its file, in no package", () => {
    assert.strictEqual(id("file:///tmp/t.ts"), "t.ts")
  })
})
