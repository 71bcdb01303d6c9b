import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { version } from "@skein/protocol/Version"

it("the version is that of package.json", () => {
  const { version: written } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string }
  assert.strictEqual(version, written)
})
