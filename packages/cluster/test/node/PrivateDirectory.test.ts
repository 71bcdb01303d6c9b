import { assert, describe, it } from "@effect/vitest"
import { make } from "@skein/cluster/node/PrivateDirectory"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A temporary folder of this test alone. */
const ownTmp = Effect.acquireRelease(
  Effect.sync(() => {
    const before = process.env["TMPDIR"]
    const folder = mkdtempSync(join(tmpdir(), "cluster-test-"))
    process.env["TMPDIR"] = folder
    return { before, folder }
  }),
  ({ before, folder }) =>
    Effect.sync(() => {
      if (before === undefined) delete process.env["TMPDIR"]
      else process.env["TMPDIR"] = before
      rmSync(folder, { recursive: true, force: true })
    })
).pipe(Effect.map(({ folder }) => folder))

const left = (folder: string, name: string, owner: string) => {
  mkdirSync(join(folder, name))
  writeFileSync(join(folder, name, "owner"), owner)
  return join(folder, name)
}

describe("a cluster's directory", () => {
  it.live("can be entered by nobody else, and goes with its scope", () =>
    Effect.gen(function*() {
      const folder = yield* ownTmp
      const path = yield* Effect.scoped(Effect.tap(make, (path) => Effect.sync(() => assert.strictEqual(statSync(path).mode & 0o777, 0o700))))
      assert.isFalse(existsSync(path))
      assert.deepStrictEqual(readdirSync(folder), [])
    }))

  it.live("is removed by the next cluster if its owner was killed, and no other is", () =>
    Effect.gen(function*() {
      const folder = yield* ownTmp
      const gone = spawnSync(process.execPath, ["--version"]).pid
      const abandoned = left(folder, "skein-Aban0d", String(gone))
      const kept = [left(folder, "skein-a1ive0", String(process.pid)), left(folder, "skein-odd000", "no number"), left(folder, "somebodys", String(gone))]
      yield* Effect.scoped(make)
      assert.isFalse(existsSync(abandoned))
      assert.deepStrictEqual(kept.filter((path) => !existsSync(path)), [])
    }))

  it.live("cannot be made where this user may not write, and the error says what to do", () =>
    Effect.gen(function*() {
      const folder = yield* ownTmp
      process.env["TMPDIR"] = join(folder, "missing")
      const error = yield* Effect.flip(Effect.scoped(make))
      assert.include(error.message, "Set TMPDIR")
    }))
})
