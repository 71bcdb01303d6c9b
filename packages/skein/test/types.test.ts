/**
 * The design's programs and type assertions are compiled by `tsc -b` as part of
 * the tests, in a project of their own, for some name what they do not use. This
 * test sees that they are still those, wherever the design is at hand.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"

const design = resolve(import.meta.dirname, "../../../../shared/design/api")
const program = (path: string) =>
  readFileSync(path, "utf8").split("\n").filter((line) => !/^\/\/ (Imports "skein"|A copy of)/.test(line)).join("\n").replace("\"../api.ts\"", "\"skein\"")

describe("the design's", () => {
  for (const name of ["examples/tasks.ts", "examples/futures.ts", "types/core.ts", "examples/local.ts"]) {
    it.skipIf(!existsSync(design))(`${name} is checked word for word`, () => {
      assert.strictEqual(program(resolve(import.meta.dirname, "types", name.split("/")[1]!)), program(resolve(design, name)))
    })
  }
})
