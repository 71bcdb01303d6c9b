/**
 * Shows that the laws can fail: applies each mutant (a one-line patch kept under
 * the tests) to a copy of the sources, and runs the law file that must catch it.
 *
 * A patch's first line is `# caught by: <test file>: <law>`. The copy lives in a
 * temporary folder with the repository's own node_modules; nothing in the
 * checkout is touched. Exits 1 if a mutant survives or a patch no longer applies.
 *
 *     npm run mutants            all of them
 *     npm run mutants -- worker  those whose path contains "worker"
 */
import { spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const wanted = process.argv.slice(2)
const patches = globSync("packages/*/test/**/mutants/*.patch", { cwd: root }).sort()
  .filter((path) => wanted.length === 0 || wanted.some((word) => path.includes(word)))

const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  spawnSync(command, [...args], { cwd, encoding: "utf8", timeout: 300_000, env: { ...process.env, NO_COLOR: "1" } })

/** A copy of what is needed to run the tests. */
const copyTree = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "skein-mutant-"))
  for (const path of ["package.json", "tsconfig.base.json", "vitest.workspace.ts", "packages", "apps"]) {
    cpSync(join(root, path), join(copy, path), {
      recursive: true,
      filter: (source) => !["dist", "node_modules"].includes(basename(source))
    })
  }
  // Everything installed is shared, but our own packages must be the copy's.
  mkdirSync(join(copy, "node_modules", "@skein"), { recursive: true })
  for (const entry of globSync("node_modules/{*,.bin,@*/*}", { cwd: root })) {
    const name = entry.slice("node_modules/".length)
    if (name.startsWith("@skein") || name === "skein" || (name.startsWith("@") && !name.includes("/"))) continue
    if (name.includes("/")) mkdirSync(join(copy, "node_modules", name.split("/")[0]!), { recursive: true })
    symlinkSync(join(root, entry), join(copy, entry))
  }
  for (const entry of globSync("packages/*", { cwd: copy })) {
    const { name } = JSON.parse(readFileSync(join(copy, entry, "package.json"), "utf8")) as { readonly name: string }
    symlinkSync(join(copy, entry), join(copy, "node_modules", name))
  }
  return copy
}

/** What the law said of the mutant. */
const judge = (copy: string, patch: string): { readonly caught: boolean; readonly detail: string } => {
  const header = /^# caught by: (\S+): (.+)$/m.exec(readFileSync(join(root, patch), "utf8"))
  if (header === null) return { caught: false, detail: "its first line must be `# caught by: <test file>: <law>`" }
  const [, file, law] = header
  const applied = run("patch", ["-p1", "--no-backup-if-mismatch", "-i", join(root, patch)], copy)
  if (applied.status !== 0) return { caught: false, detail: `does not apply any more: ${applied.stdout}${applied.stderr}` }
  try {
    // The named law alone: what else catches the mutant is not asked, and would take minutes.
    const named = law!.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    const tested = run(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--config", "vitest.workspace.ts", file!, "-t", named], copy)
    if (tested.status === 0) return { caught: false, detail: `survived "${law}"` }
    const failures = [...tested.stdout.matchAll(/^.*(?:FAIL|×)\s+(.+)$/gm)].map((match) => match[1]!)
    return failures.some((failure) => failure.includes(law!))
      ? { caught: true, detail: law! }
      : { caught: false, detail: `"${law}" did not even run:\n${tested.stdout.slice(-2_000)}\n${tested.stderr.slice(-2_000)}` }
  } finally {
    run("patch", ["-p1", "-R", "--no-backup-if-mismatch", "-i", join(root, patch)], copy)
  }
}

const copy = copyTree()
let survived = 0
try {
  for (const patch of patches) {
    const { caught, detail } = judge(copy, patch)
    if (!caught) survived++
    console.log(`${caught ? "caught  " : "SURVIVED"} ${patch}\n         ${detail}`)
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.log(`${patches.length - survived} of ${patches.length} mutants caught`)
process.exit(survived === 0 && patches.length > 0 ? 0 : 1)
