/**
 * Shows that the checks can fail: applies each planted bug (a patch of a few
 * lines, kept under the tests) to a copy of the sources, and runs the check that
 * must catch it.
 *
 * A patch begins with `# caught by: <file>: <what>`, and may say on a second line
 * where the bug is from. The file is either a test, and `what` the name of a
 * test in it; or `packages/simulation/test/reducers/batch.ts`, and `what` the
 * invariant that must break in a batch of seeds through the reducers, `*` for any
 * of them. `a|b` names alternatives. A batch also runs a canary, so that one which
 * cannot fail is noticed; and before all else the unchanged sources must pass it.
 * The case that breaks is made small, within two minutes: to ten tasks, three
 * workers and four faults at most, or the bug counts as not caught.
 *
 * The copies live in a temporary folder with the repository's own node_modules;
 * nothing in the checkout is touched. Two checks run at a time. Exits 1 if a bug
 * survives, if its case does not become small, or if a patch no longer applies.
 *
 *     npm run mutants                       all of them
 *     npm run mutants -- worker             those whose path contains "worker"
 *     npm run mutants -- --jobs 1 worker    one at a time
 */
import { spawn } from "node:child_process"
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { parseArgs } from "node:util"

const root = resolve(import.meta.dirname, "..")
const { positionals: wanted, values: { jobs } } = parseArgs({ allowPositionals: true, options: { jobs: { type: "string", default: "2" } } })
const patches = globSync("packages/*/test/**/mutants/*.patch", { cwd: root }).sort()
  .filter((path) => wanted.length === 0 || wanted.some((word) => path.includes(word)))
const batchFile = "packages/simulation/test/reducers/batch.ts"
/** Seeds that a batch has to find a bug. */
const seedsTried = 6_000
/** What a case that breaks is made small to, at most. The batch stops at what it has come to after two minutes. */
const bounds = { tasks: 10, workers: 3, faults: 4 }
/** Seeds in which the unchanged sources must pass. */
const seedsOfControl = 500

interface Ran {
  readonly status: number | null
  readonly out: string
}

/** How long a check may take: one takes seconds, and minutes on a machine that has much else to do. */
const LIMIT_MS = 20 * 60_000

/** Runs a program to its end, or to the limit. */
const run = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<Ran> =>
  new Promise((done) => {
    const child = spawn(command, [...args], { cwd, timeout: LIMIT_MS, env: { ...process.env, NO_COLOR: "1" } })
    let out = ""
    child.stdout.on("data", (chunk) => out += chunk)
    child.stderr.on("data", (chunk) => out += chunk)
    child.on("error", (error) => done({ status: null, out: error.message }))
    child.on("close", (status) => done({ status, out }))
  })

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

interface Verdict {
  readonly caught: boolean
  readonly detail: string
  /** Seeds that a batch took, and what its case was made small to. */
  readonly seeds?: number
  readonly shrunk?: Shrunk
}

interface Shrunk {
  readonly tasks: number
  readonly workers: number
  readonly faults: number
  readonly operations: number
  readonly runs: number
  readonly seconds: number
}

/** What the check said of the bug. */
const judge = async (copy: string, patch: string): Promise<Verdict> => {
  const header = /^# caught by: (\S+): (.+)$/m.exec(readFileSync(join(root, patch), "utf8"))
  if (header === null) return { caught: false, detail: "its first line must be `# caught by: <file>: <test or invariant>`" }
  const [, file, what] = header
  const applied = await run("patch", ["-p1", "--no-backup-if-mismatch", "-i", join(root, patch)], copy)
  if (applied.status !== 0) return { caught: false, detail: `does not apply any more: ${applied.out}` }
  try {
    return await (file === batchFile ? judgeBySeeds(copy, what!) : judgeByTest(copy, file!, what!))
  } finally {
    await run("patch", ["-p1", "-R", "--no-backup-if-mismatch", "-i", join(root, patch)], copy)
  }
}

const batch = (copy: string, seeds: number): Promise<Ran> => run(process.execPath, [batchFile, "--shrink", "--seeds", String(seeds)], copy)

const judgeBySeeds = async (copy: string, what: string): Promise<Verdict> => {
  const { out, status } = await batch(copy, seedsTried)
  const said = lastJson(out)
  if (status === 0) return { caught: false, detail: `survived ${said?.seeds} seeds` }
  if (said?.invariant === undefined) return { caught: false, detail: `the batch did not even run:\n${out.slice(-2_000)}` }
  const isNamed = what === "*" || what.split("|").some((name) => said.invariant?.includes(name.trim()))
  if (!isNamed) return { caught: false, detail: `broke "${said.invariant}" and not "${what}"` }
  const { seeds, shrunk } = said
  if (shrunk === undefined) return { caught: false, detail: `${said.invariant}, and its case was not made small` }
  const tooMuch = Object.entries(bounds).filter(([name, most]) => shrunk[name as keyof typeof bounds] > most).map(([name, most]) => `${most} ${name}`)
  return tooMuch.length === 0
    ? { caught: true, detail: said.invariant, seeds, shrunk }
    : { caught: false, detail: `${said.invariant}, but its case did not come down to ${tooMuch.join(" and ")}: ${tellShrunk(shrunk)}` }
}

const tellShrunk = ({ faults, operations, runs, seconds, tasks, workers }: Shrunk): string =>
  `${tasks} tasks, ${workers} workers, ${faults} faults, ${operations} operations, in ${runs} runs and ${seconds.toFixed(1)} s`

/** The named test alone: what else catches the bug is not asked, and would take minutes. */
const judgeByTest = async (copy: string, file: string, what: string): Promise<Verdict> => {
  const named = what.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const { out, status } = await run(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--config", "vitest.workspace.ts", file, "-t", named], copy)
  if (status === 0) return { caught: false, detail: `survived "${what}"` }
  const failures = [...out.matchAll(/^.*(?:FAIL|×)\s+(.+)$/gm)].map((match) => match[1]!)
  return failures.some((failure) => failure.includes(what))
    ? { caught: true, detail: what }
    : { caught: false, detail: `"${what}" did not even run:\n${out.slice(-2_000)}` }
}

const lastJson = (out: string): { readonly seeds: number; readonly invariant?: string; readonly shrunk?: Shrunk } | undefined => {
  const line = out.split("\n").findLast((line) => line.startsWith("{"))
  try {
    return line === undefined ? undefined : JSON.parse(line)
  } catch {
    return undefined
  }
}

if (!/^[1-9]\d?$/.test(jobs)) throw new Error(`--jobs is a whole number from 1 to 99, not "${jobs}"`)
const copies = Array.from({ length: Number(jobs) }, copyTree)
const verdicts = new Map<string, Verdict>()
try {
  const control = await batch(copies[0]!, seedsOfControl)
  if (control.status !== 0) {
    console.log(`the unchanged sources do not pass, so nothing can be said of the others:\n${control.out.slice(-2_000)}`)
    process.exitCode = 1
  } else {
    const rest = [...patches]
    await Promise.all(copies.map(async (copy) => {
      for (let patch = rest.shift(); patch !== undefined; patch = rest.shift()) {
        const verdict = await judge(copy, patch)
        verdicts.set(patch, verdict)
        console.log(`${verdict.caught ? "caught  " : "SURVIVED"} ${patch}\n         ${verdict.detail}${verdict.seeds === undefined ? "" : `, after ${verdict.seeds} seeds`}${verdict.shrunk === undefined ? "" : `; small: ${tellShrunk(verdict.shrunk)}`}`)
      }
    }))
    const all = [...verdicts.values()]
    const caught = all.filter((verdict) => verdict.caught)
    const seeds = all.flatMap((verdict) => verdict.caught && verdict.seeds !== undefined ? [verdict.seeds] : []).sort((a, b) => a - b)
    if (seeds.length > 0) console.log(`${seeds.length} by seeds: the median took ${seeds[seeds.length >> 1]}, the slowest ${seeds.at(-1)}`)
    const small = all.flatMap(({ shrunk }) => shrunk ?? [])
    const most = (of: (shrunk: Shrunk) => number): number => Math.max(...small.map(of))
    if (small.length > 0) {
      console.log(`made small to ${most(({ tasks }) => tasks)} tasks, ${most(({ workers }) => workers)} workers and ${most(({ faults }) => faults)} faults at most, within ${most(({ seconds }) => seconds).toFixed(1)} s`)
    }
    console.log(`${caught.length} of ${patches.length} planted bugs caught`)
    if (caught.length < patches.length || patches.length === 0) process.exitCode = 1
  }
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
}
