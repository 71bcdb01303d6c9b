/**
 * `npm run pack [-- FOLDER]`: the packages as npm would publish them, one
 * tarball each, in FOLDER (dist/packages unless said).
 *
 * In this repository the packages' `exports` name TypeScript, which Node runs
 * as it is. Below node_modules it refuses to, so a tarball has what `tsc -b`
 * made of the sources, JavaScript and declarations, and its `exports` say so.
 * Nothing else differs.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

/** In the order in which they depend on each other. */
const packages = ["packages/protocol", "packages/core", "packages/transport", "packages/client", "packages/runtime", "packages/cluster", "packages/simulation", "apps/cli", "packages/skein"]

/** What of a package.json is read here. */
interface Description {
  readonly name: string
  readonly exports: Readonly<Record<string, string | null>>
  readonly bin?: Readonly<Record<string, string>>
  readonly devDependencies?: unknown
}

/** `./src/X.ts` → `./dist/X` with this ending; anything else in an `exports` would be found by nobody. */
const built = (path: string, ending: string): string => {
  const module = /^\.\/src\/(.+)\.ts$/.exec(path)?.[1]
  if (module === undefined) throw new Error(`${path} is not a source file`)
  return `./dist/${module}${ending}`
}

const described = ({ devDependencies: _, ...description }: Description) => ({
  ...description,
  exports: Object.fromEntries(Object.entries(description.exports).map(([name, path]) =>
    [name, path === null ? null : { types: built(path, ".d.ts"), default: built(path, ".js") }])),
  ...(description.bin === undefined ? {} : { bin: Object.fromEntries(Object.entries(description.bin).map(([name, path]) => [name, built(path, ".js")])) }),
  files: ["dist"]
})

/** Puts together what is to be packed; the folder of it. */
const stage = (path: string, into: string): string => {
  const from = join(root, path)
  const folder = join(into, path.replace("/", "-"))
  mkdirSync(folder)
  const description = JSON.parse(readFileSync(join(from, "package.json"), "utf8")) as Description // our own, and `built` refuses what it does not know
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(described(description), null, 2)}\n`)
  // By the sources, for the compiler leaves what it made of files that are gone.
  for (const source of globSync("**/*.ts", { cwd: join(from, "src") })) {
    for (const ending of [".js", ".d.ts"]) {
      const file = join("dist", source.replace(/\.ts$/, ending))
      mkdirSync(join(folder, dirname(file)), { recursive: true })
      // Source maps stay here, as the sources do.
      writeFileSync(join(folder, file), readFileSync(join(from, file), "utf8").replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n"))
    }
  }
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"))
  if (existsSync(join(from, "README.md"))) copyFileSync(join(from, "README.md"), join(folder, "README.md"))
  else if (basename(path) === "skein") copyFileSync(join(root, "README.md"), join(folder, "README.md"))
  return folder
}

const into = resolve(process.argv[2] ?? join(root, "dist/packages"))
mkdirSync(into, { recursive: true })
const staging = mkdtempSync(join(tmpdir(), "skein-pack-"))
try {
  const bin = join(root, "node_modules/.bin")
  execFileSync(process.execPath, [join(bin, "tsc"), "-b", ...packages], { cwd: root, stdio: ["ignore", 2, 2] })
  const folders = packages.map((path) => stage(path, staging))
  const names = execFileSync("npm", ["pack", "--silent", "--pack-destination", into, ...folders], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
  for (const name of names.trim().split("\n")) console.log(join(into, name))
} finally {
  rmSync(staging, { recursive: true, force: true })
}
