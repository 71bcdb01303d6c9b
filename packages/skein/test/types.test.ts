/**
 * The design's programs and type assertions are compiled by `tsc -b` as part of
 * the tests; this test sees that it is still those, wherever the design is at hand.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"

const design = resolve(import.meta.dirname, "../../../../shared/design/api/examples")
const program = (path: string) =>
  readFileSync(path, "utf8").split("\n").filter((line) => !/^\/\/ (Imports "skein"|A copy of)/.test(line)).join("\n").replace("\"../api.ts\"", "\"skein\"")

describe("the design's examples", () => {
  for (const name of ["tasks.ts", "futures.ts"]) {
    it.skipIf(!existsSync(design))(`${name} is checked word for word`, () => {
      assert.strictEqual(program(resolve(import.meta.dirname, "types", name)), program(resolve(design, name)))
    })
  }
})
