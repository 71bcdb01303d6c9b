/**
 * What the end-to-end tests ask the operating system.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Queue } from "effect"
import { afterAll } from "vitest"

/** Process ids of this process's children, and theirs, zombies aside. */
export const descendants = (of = process.pid): ReadonlyArray<number> => {
  const parents = new Map<number, number>()
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // pid (name) state ppid …; the name may hold anything.
      const [state, ppid] = readFileSync(`/proc/${entry}/stat`, "latin1").replace(/^.*\) /s, "").split(" ")
      if (state !== "Z") parents.set(Number(entry), Number(ppid))
    } catch {
      // It has gone meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid)
    return parent !== undefined && (parent === of || isBelow(parent))
  }
  return [...parents.keys()].filter(isBelow)
}

/** Temporary files of this test run alone, for others use the machine too; what starts from here on puts its files there. */
const temporary = mkdtempSync(join(tmpdir(), "e2e-"))
process.env["TMPDIR"] = temporary
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

/** Directories that clusters of this process have now. */
export const clusterDirectories = (): ReadonlyArray<string> => readdirSync(temporary).filter((name) => name.startsWith("skein-")).sort()

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"))
  } catch {
    return false
  }
}

/** The command line of a process; empty once it has gone. */
export const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1")
  } catch {
    return ""
  }
}

/** A program of its own under Node, its lines of output as they come; killed with the scope. */
export const program = Effect.fnUntraced(function*(file: URL, args: ReadonlyArray<string>) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [file.pathname, ...args], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const lines = yield* Queue.unbounded<string>()
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    for (const part of parts) Queue.offerUnsafe(lines, part)
  })
  return { pid: child.pid!, line: Queue.take(lines) }
})

/** A file that is not there yet, in a directory of its own that goes with the scope; `made` waits until somebody has made it. */
export const marker = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(temporary, "marker-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )
  const file = join(directory, "here")
  const made = Effect.callback<void>((resume) => {
    const watcher = watch(directory, () => look())
    const look = () => {
      if (!existsSync(file)) return
      watcher.close()
      resume(Effect.void)
    }
    look()
    return Effect.sync(() => watcher.close())
  })
  return { file, made }
})
