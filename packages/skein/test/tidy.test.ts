/**
 * The house rules that a compiler cannot hold, as data: who may import whom,
 * which words a package may not say, and that no file lies about unused.
 *
 * Project references do not refuse a wrong-way import under npm workspaces, so
 * the table of ARCHITECTURE.md stands here, where breaking it breaks the tests.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../../..")

/** What each package may import of ours. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  protocol: [],
  core: ["protocol"],
  transport: ["protocol"],
  client: ["protocol", "transport"],
  runtime: ["protocol", "transport", "core"],
  cluster: ["protocol", "transport", "core", "runtime", "client"],
  simulation: ["protocol", "transport", "core", "runtime", "client", "cluster"],
  // The command goes with the package that `npx skein` looks into.
  skein: ["protocol", "client", "cluster", "simulation", "cli"]
}

/** Programs that put packages together which otherwise know nothing of each other. */
const composes: Readonly<Record<string, ReadonlyArray<string>>> = {
  "runtime/src/worker/main.ts": ["client"]
}

/** Where Node and its platform package may be imported from; everywhere else the code runs in a browser, or under simulation. */
const nodeAllowed: ReadonlyArray<RegExp> = [
  /^transport\/src\/node\//,
  /^client\/src\/node\//,
  /^runtime\/src\/.*node\//,
  /^runtime\/src\/(scheduler|worker)\/main\.ts$/,
  /^cluster\/src\/node\//,
  /^simulation\/src\/.*node\//
]

/** Words that stand for the real clock, chance, timers and promises. Only the edge may say them. */
const impure: ReadonlyArray<RegExp> = [
  /\bDate\.now\b/, /\bnew Date\(\)/, /\bMath\.random\b/, /\bperformance\.now\b/, /\bsetTimeout\b/, /\bsetInterval\b/,
  /\bsetImmediate\b/, /\bqueueMicrotask\b/, /\bprocess\.nextTick\b/, /\bnew Promise\b/, /\bEffect\.promise\b/,
  /\bEffect\.tryPromise\b/, /\bcrypto\.(randomUUID|subtle)\b/, /[^a-zA-Z.]import\(/
]
const simulated = ["protocol", "core", "transport", "client", "runtime", "simulation"]

/** The one place where text becomes code. */
const loaders: ReadonlyArray<RegExp> = [/^runtime\/src\/worker\/(.*\/)?(Code|ThreadCode|LoadFunction|loadFunction)[^/]*\.ts$/]
const codeLoading = [/\bnew Function\b/, /\beval\(/, /\bvm\b\./]

/** Loaded by child processes, where the barrel of effect costs 200 ms. */
const bySubPath = ["protocol", "core", "transport", "runtime", "simulation"]

interface Source {
  /** e.g. `core/src/scheduler/Reducer.ts` */
  readonly path: string
  readonly package: string
  /** Without comments. */
  readonly code: string
  readonly imports: ReadonlyArray<string>
}

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1")
const read = (folder: string, path: string): Source => {
  const code = withoutComments(readFileSync(resolve(root, folder, path), "utf8"))
  const imports = [...code.matchAll(/(?:\bfrom\s+|^\s*import\s+|\bimport\()\s*["']([^"']+)["']/gm)].map((match) => match[1]!)
  return { path, package: path.split("/")[0]!, code, imports }
}
const sources = globSync("*/src/**/*.ts", { cwd: resolve(root, "packages") }).sort().map((path) => read("packages", path))
const isEdge = (path: string) => nodeAllowed.some((allowed) => allowed.test(path))

/** Every complaint about every source. */
const complaints = (complain: (source: Source) => ReadonlyArray<string>): ReadonlyArray<string> =>
  sources.flatMap((source) => complain(source).map((what) => `${source.path}: ${what}`))

describe("the house is tidy", () => {
  it("has sources to look at", () => {
    assert.deepStrictEqual([...new Set(sources.map((source) => source.package))].sort(), Object.keys(mayImport).sort())
  })

  it("imports run in one direction", () => {
    assert.deepStrictEqual(
      complaints(({ imports, package: name, path }) =>
        imports.filter((from) => {
          const ours = /^@skein\/([^/]+)/.exec(from)?.[1] ?? (from === "skein" || from.startsWith("skein/") ? "skein" : undefined)
          return ours !== undefined && !mayImport[name]!.includes(ours) && !(composes[path] ?? []).includes(ours)
        }).map((from) => `may not import ${from}`)
      ),
      []
    )
  })

  it("Node is named at the edge only", () => {
    assert.deepStrictEqual(
      complaints(({ imports, path }) =>
        isEdge(path) ? [] : imports.filter((from) => /^(node:|@effect\/platform-node)/.test(from)).map((from) => `imports ${from}`)
      ),
      []
    )
  })

  it("the client reaches for sockets in one place", () => {
    const reaching = sources.filter(({ imports, package: name }) =>
      name === "client" && imports.some((from) => from.startsWith("@skein/transport/node"))
    )
    assert.isAtMost(reaching.length, 1, reaching.map(({ path }) => path).join(", "))
  })

  it("effect is imported by sub-path in what child processes load", () => {
    assert.deepStrictEqual(
      complaints(({ imports, package: name }) =>
        bySubPath.includes(name) && imports.includes("effect") ? ["imports the barrel of effect"] : []
      ),
      []
    )
  })

  it("nothing that is simulated names the real clock, chance, timers or promises", () => {
    assert.deepStrictEqual(
      complaints(({ code, package: name, path }) =>
        simulated.includes(name) && !isEdge(path) && !loaders.some((loader) => loader.test(path))
          ? impure.filter((word) => word.test(code)).map((word) => `says ${word.source}`)
          : []
      ),
      []
    )
  })

  it("core and protocol know no running effects", () => {
    assert.deepStrictEqual(
      complaints(({ imports, package: name }) =>
        (name === "core" || name === "protocol")
          ? imports.filter((from) => name === "core" && /^effect\/(Effect|Fiber|Queue|Clock|Random|Ref|Deferred)$/.test(from)).map((from) => `imports ${from}`)
          : []
      ),
      []
    )
  })

  it("text becomes code in the code loader alone", () => {
    assert.deepStrictEqual(
      complaints(({ code, path }) =>
        loaders.some((loader) => loader.test(path)) ? [] : codeLoading.filter((word) => word.test(code)).map((word) => `says ${word.source}`)
      ),
      []
    )
  })

  it("every file is used by another, or is an entry", () => {
    const users = [
      ...sources,
      ...globSync("*/src/**/*.ts", { cwd: resolve(root, "apps") }).map((path) => read("apps", path)),
      // What is there to put the others to the test may be used by tests alone.
      ...globSync("*/test/**/*.ts", { cwd: resolve(root, "packages") }).map((path) => read("packages", path))
        .map((test) => ({ ...test, code: "", imports: test.imports.filter((from) => from.startsWith("@skein/simulation/")) }))
    ]
    const resolved = new Set<string>()
    for (const { imports, path } of users) {
      for (const from of imports) {
        if (from.startsWith(".")) resolved.add(resolve("/", dirname(path), from).slice(1))
        const ours = /^@skein\/([^/]+)\/(.+)$/.exec(from)
        if (ours !== null) resolved.add(`${ours[1]}/src/${ours[2]}.ts`)
      }
    }
    // Laws and stories alone ask some of these so far; what they say is part of the machine all the same.
    const forLaws = /^core\/src\/(scheduler|worker)\/(Invariants|View)\.ts$/
    // An entry is started by its path rather than imported.
    const mentioned = users.map(({ code }) => code).join("\n")
    const isEntry = (path: string) => /\/(index|main|bin|testing|simulate)\.ts$/.test(path) || forLaws.test(path) || mentioned.includes(`/${path.split("/").at(-1)!}"`)
    assert.deepStrictEqual(sources.map(({ path }) => path).filter((path) => !resolved.has(path) && !isEntry(path)), [])
  })

  it("every package says what it is for", () => {
    for (const name of Object.keys(mayImport)) assert.isTrue(existsSync(resolve(root, "packages", name, "package.json")), name)
  })
})
