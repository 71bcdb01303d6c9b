/**
 * What `npm install` brings: the packages as `npm run pack` makes them, in an
 * empty folder.
 *
 * What they depend on is linked to from this repository, for Effect's ten
 * thousand files take longer than all the rest; with PACK_FROM_REGISTRY=1 npm
 * fetches it. One folder for all tests: packing and installing is what takes the
 * time.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { globSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { delimiter, dirname, join, resolve } from "node:path"
import { promisify } from "node:util"

const root = resolve(import.meta.dirname, "../../..")
const node22 = join(root, "node_modules/node22/bin/node")

/** README's first program and what it prints. */
const readme = readFileSync(join(root, "README.md"), "utf8")
const [, program] = /```ts\n\/\/ main\.ts\n([\s\S]*?)```/.exec(readme)!
const [, output] = /```\n\$ node main\.ts\n([\s\S]*?)```/.exec(readme)!

const temporary = mkdtempSync(join(realpathSync(tmpdir()), "pack-"))
const app = join(temporary, "app")
const env = {
  ...process.env,
  // npm must not take another Node than this one, which may be too old for Effect.
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
  // Images of what is installed here are of no use to anybody else.
  XDG_CACHE_HOME: join(temporary, "cache"),
  TMPDIR: temporary,
  NO_COLOR: "1"
}

/** Whose versions our packages name exactly. */
const dependencies = ["effect", "@effect/platform-node", "acorn"]
const linked = Object.fromEntries(dependencies.map((name) => [name, `file:${realpathSync(join(root, "node_modules", name))}`]))
const description = process.env["PACK_FROM_REGISTRY"] === undefined
  // An override holds for what the packages ask for; outside of the app's folder npm makes links, and changes nothing there.
  ? { dependencies: linked, overrides: Object.fromEntries(dependencies.map((name) => [name, `$${name}`])) }
  : { dependencies: { effect: "4.1.0" } }

interface Said {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program in the folder of the app; rejects, with what it has said, if it ends with another code than 0. */
const run = (file: string, args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}): Promise<Said> =>
  promisify(execFile)(file, args, { cwd: app, env: { ...env, ...more }, timeout: 120_000 })

beforeAll(async () => {
  mkdirSync(app)
  const { stdout } = await run(process.execPath, [join(root, "scripts/pack.ts"), join(temporary, "tarballs")])
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true, type: "module", ...description }))
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", ...stdout.trim().split("\n")])
  writeFileSync(join(app, "main.ts"), program!)
  writeFileSync(join(app, "main.js"), stripTypeScriptTypes(program!))
}, 300_000)

afterAll(() => rmSync(temporary, { recursive: true, force: true }), 60_000)

describe("the packages, installed", () => {
  it("README's first program type-checks, and a mistake in it is seen", async () => {
    const compilerOptions = { module: "NodeNext", target: "ES2023", lib: ["ES2023"], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true, types: ["node"], typeRoots: [join(root, "node_modules/@types")] }
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts", "mistaken.ts"] }))
    writeFileSync(join(app, "mistaken.ts"), program!.replace("n * n", "n.toUpperCase()"))
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { stdout } = await run(process.execPath, [tsc, "--pretty", "false", "-p", "."]).catch((failed: Said) => failed)
    assert.deepStrictEqual(stdout.split("\n").filter((line) => line !== "").map((line) => line.replace(/\(.*?\)/, "")), [
      "mistaken.ts: error TS2339: Property 'toUpperCase' does not exist on type 'number'."
    ])
  }, 120_000)

  it("README's first program runs on this Node, from .ts and from .js, with an image of what is installed", async () => {
    writeFileSync(join(app, "image.js"), `
      import { Effect } from "effect"
      import * as Entries from "@skein/cluster/node/Entries"
      import * as Image from "@skein/runtime/node/Image"
      console.log(await Effect.runPromise(Image.make(Entries.all)))
    `)
    const image = (await run(process.execPath, ["image.js"])).stdout.trim()
    assert.include(readFileSync(globSync(join(dirname(image), "*", "skein-image.cjs"))[0]!, "utf8"), join(app, "node_modules/@skein/runtime/dist/worker/main.js"))
    for (const file of ["main.ts", "main.js"]) assert.deepStrictEqual(await run(process.execPath, [file]), { stdout: output!, stderr: "" }, file)
  }, 120_000)

  it("README's first program runs on Node 22, from .ts and from .js, with the same output", async () => {
    assert.match((await run(node22, ["--version"])).stdout, /^v22\./)
    // Without an image, which would be made beside the first run and outlive it.
    for (const file of ["main.ts", "main.js"]) assert.strictEqual((await run(node22, [file], { SKEIN_IMAGE: "off" })).stdout, output, file)
  }, 120_000)

  it("no package has dependencies of its own kind, such as a second effect, and the command skein is there", async () => {
    assert.deepStrictEqual(globSync("node_modules/{skein,@skein/*}/node_modules", { cwd: app }), [])
    const { stdout: version } = await run(join(app, "node_modules/.bin/skein"), ["--version"])
    assert.strictEqual(version, "skein v0.1.0\n")
    writeFileSync(join(app, "program.ts"), `import { Client } from "skein"\nimport { Effect } from "effect"\nexport default Effect.map(Client, (client) => client.cluster.schedulerAddress.startsWith("unix:"))\n`)
    assert.deepStrictEqual(await run(join(app, "node_modules/.bin/skein"), ["run", "program.ts", "--workers", "0", "--json"]), { stdout: "true\n", stderr: "" })
  }, 120_000)
})
