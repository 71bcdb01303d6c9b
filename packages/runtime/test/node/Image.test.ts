/**
 * An image is there when it can be, up to date or not used, and what it does not have is as it was.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { cacheFolder } from "@skein/runtime/node/caches"
import * as Image from "../../src/node/Image.ts"

/** A folder for programs, and a cache of its own, for as long as the effect runs. */
const withFolder = <A, E>(use: (folder: string) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = { cache: process.env["XDG_CACHE_HOME"], coverage: process.env["NODE_V8_COVERAGE"] }
      const folder = mkdtempSync(join(tmpdir(), "skein-image-"))
      process.env["XDG_CACHE_HOME"] = join(folder, "cache")
      delete process.env["NODE_V8_COVERAGE"]
      return { before, folder }
    }),
    ({ folder }) => use(folder),
    ({ before, folder }) =>
      Effect.sync(() => {
        for (const [name, value] of [["XDG_CACHE_HOME", before.cache], ["NODE_V8_COVERAGE", before.coverage]] as const) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
        rmSync(folder, { recursive: true, force: true })
      })
  )

const entryIn = (folder: string): string => pathToFileURL(join(folder, "entry.mjs")).href
const run = (folder: string, image: string): string => execFileSync(process.execPath, ["--require", image, join(folder, "entry.mjs")], { encoding: "utf8" })
const program = (folder: string, says: string): void => {
  writeFileSync(join(folder, "entry.mjs"), "import { says } from './says.mjs'; console.log(says)")
  writeFileSync(join(folder, "says.mjs"), `export const says = "${says}"`)
}

/** The image that this script runs. */
const linkedIn = (preload: string): string => join(dirname(preload), /"([0-9a-f]{16})"/.exec(readFileSync(preload, "utf8"))![1]!, "skein-image.cjs")

describe("Image", () => {
  it.effect("is used as long as no file of it has changed, and made again then", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      program(folder, "one")
      const image = (yield* Image.make([entryIn(folder)]))!
      assert.strictEqual(run(folder, image), "one\n")
      const { mtimeMs } = statSync(image)

      assert.strictEqual(yield* Image.find([entryIn(folder)]), image)
      assert.strictEqual(statSync(image).mtimeMs, mtimeMs)

      program(folder, "two!")
      assert.isUndefined(yield* Image.find([entryIn(folder)]))
      assert.strictEqual(yield* Image.make([entryIn(folder)]), image)
      assert.strictEqual(run(folder, image), "two!\n")
    })))

  it.effect("is of one piece with the modules outside of it", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      program(folder, "one")
      const image = (yield* Image.make([entryIn(folder)]))!
      writeFileSync(join(folder, "entry.mjs"), "")
      writeFileSync(join(folder, "outside.mjs"), "export * from './says.mjs'")
      const script = `const a = await import("${pathToFileURL(join(folder, "outside.mjs")).href}"); const b = await import("${pathToFileURL(join(folder, "says.mjs")).href}"); console.log(a.says === b.says)`
      assert.strictEqual(execFileSync(process.execPath, ["--require", image, "--input-type=module", "-e", script], { encoding: "utf8" }), "true\n")
    })))

  it.effect("lets its modules, and functions that they make of a text, import others while they run, and Node has nothing to say about that", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      writeFileSync(join(folder, "later.mjs"), "export const says = 'later'")
      writeFileSync(join(folder, "says.mjs"), "export const says = async (url) => [(await import(url)).says, (await new Function('url', 'return import(url)')(url)).says]")
      writeFileSync(join(folder, "entry.mjs"), "import { says } from './says.mjs'; says(process.argv[2]).then((all) => console.log(all.join()))")
      const image = (yield* Image.make([entryIn(folder)]))!
      const { stderr, stdout } = spawnSync(process.execPath, ["--require", image, join(folder, "entry.mjs"), pathToFileURL(join(folder, "later.mjs")).href], { encoding: "utf8" })
      assert.deepStrictEqual({ stderr, stdout }, { stderr: "", stdout: "later,later\n" })
    })))

  it.effect("has the modules that its maker uses itself", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      const sibling = new URL("../../src/node/sibling.ts", import.meta.url).href
      writeFileSync(join(folder, "entry.mjs"), `import { siblingOf } from "${sibling}"; console.log(siblingOf("file:///a/b.ts", "./c.ts").href)`)
      const image = (yield* Image.make([entryIn(folder)]))!
      assert.strictEqual(run(folder, image), "file:///a/c.ts\n")
      assert.include(readFileSync(linkedIn(image), "utf8"), `// ${sibling}\n`)
    })))

  it.effect("V8's code of it is kept by the first child that runs it, and used by the next", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      writeFileSync(join(folder, "entry.mjs"), "import { called, says } from './says.mjs'; called(); console.log(says)")
      writeFileSync(join(folder, "says.mjs"), `export const called = () => { ${"Math.abs(1);".repeat(1_000)} }\nexport const says = "one"`)
      const image = (yield* Image.make([entryIn(folder)]))!
      const code = (name: string) => join(dirname(linkedIn(image)), `${name}.code`)
      assert.isFalse(existsSync(code(basename(folder))))
      assert.strictEqual(run(folder, image), "one\n")
      const kept = statSync(code(basename(folder)))
      assert.isAbove(kept.size, statSync(code("untrained")).size + 5_000)
      assert.strictEqual(run(folder, image), "one\n")
      assert.strictEqual(statSync(code(basename(folder))).ino, kept.ino)
    })))

  it.effect("V8's code of another image is not used, nor what is no code; without its files modules are loaded one by one", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      program(folder, "one")
      const before = (yield* Image.make([entryIn(folder)]))!
      run(folder, before)
      // As long as the other: V8 compares no more of a text than its length.
      program(folder, "two")
      const image = (yield* Image.make([entryIn(folder)]))!
      assert.strictEqual(run(folder, image), "two\n")
      const files = readdirSync(dirname(linkedIn(image)))
      assert.sameMembers(files, ["skein-image.cjs", "untrained.code", `${basename(folder)}.code`])
      for (const file of files.filter((name) => name.endsWith(".code"))) writeFileSync(join(dirname(linkedIn(image)), file), "nonsense")
      assert.strictEqual(run(folder, image), "two\n")
      rmSync(dirname(linkedIn(image)), { recursive: true })
      assert.strictEqual(run(folder, image), "two\n")
    })))

  it.effect("there is none of what cannot be linked, and the log says why", () =>
    withFolder((folder) => {
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => void said.push(String(message)))
      writeFileSync(join(folder, "entry.mjs"), "import './entry.mjs'")
      return Effect.gen(function*() {
        assert.isUndefined(yield* Image.make([entryIn(folder)]))
        assert.match(said.join(), /imports itself by way of others/)
      }).pipe(Effect.provide(Logger.layer([logger])))
    }))

  it.effect("there is none where it is not wanted", () =>
    withFolder((folder) =>
      Effect.gen(function*() {
        program(folder, "one")
        process.env["SKEIN_IMAGE"] = "off"
        assert.isUndefined(yield* Image.make([entryIn(folder)]))
      }).pipe(Effect.ensuring(Effect.sync(() => delete process.env["SKEIN_IMAGE"])))))

  it.effect("the oldest ones go", () =>
    withFolder(Effect.fnUntraced(function*(folder) {
      const images = join(cacheFolder(), "images")
      for (let age = 1; age <= 12; age++) {
        mkdirSync(join(images, `old-${age}`), { recursive: true })
        utimesSync(join(images, `old-${age}`), 1e9 - age, 1e9 - age)
      }
      program(folder, "one")
      yield* Image.make([entryIn(folder)])
      assert.deepStrictEqual(readdirSync(images).filter((name) => name.startsWith("old")).sort(), ["old-1", "old-2", "old-3", "old-4", "old-5", "old-6", "old-7"])
    })))
})
