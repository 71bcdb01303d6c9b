/**
 * What outlives nobody: it ends this process when its parent is gone.
 *
 * A child's own loop asks five times a second whether the parent is still the
 * one that started it. That is enough until the child is up, or is to load what
 * others have written: nothing that runs in it keeps the loop busy for long.
 *
 * From then on somebody must watch who has a life of his own, for a loop that
 * spins never sees anything. A shell does it: it waits for the end of the
 * descriptor that notices are written to, whose other end nobody but the parent
 * has. It takes 7 ms of processor, and a thread 60, which is more than Node
 * itself takes and was a fifth of a cluster's start. Where there is no such shell
 * a thread asks. (It cannot wait as the shell does: a thread that blocks in a
 * read cannot be terminated, and a process waits for its threads, so that every
 * `process.exit()` hung, measured. `Atomics.wait` can be terminated.)
 *
 * Each of them kills the whole group, so that what the child has started dies
 * with it. So does the shell, which is of the group.
 */
import { spawn } from "node:child_process"
import { fstatSync } from "node:fs"
import { Worker } from "node:worker_threads"
import { noticesFd } from "../nanny/Notices.ts"

/** Milliseconds between two looks. */
const EVERY_MS = 200

const killGroup = (): void => {
  try {
    process.kill(-process.pid, "SIGKILL")
  } catch {
    process.kill(process.pid, "SIGKILL")
  }
}

/** Whom the loop watches, and whether somebody else does. */
let watching: { readonly parent: number; isFromOutside: boolean } | undefined

/**
 * Watches `parent` from now on. A parent that died before this began is
 * noticed too. Called once, first thing, by a child's main.ts.
 */
export const watch = (parent: number): void => {
  setInterval(() => process.ppid === parent || killGroup(), EVERY_MS).unref()
  watching = { parent, isFromOutside: false }
}

/** From now on the loop may be kept busy. Does nothing in a process that watches nobody, or is watched so already. */
export const watchFromOutside = (shell = "/bin/sh"): void => {
  if (watching === undefined || watching.isFromOutside) return
  watching.isFromOutside = true
  if (!startShell(shell)) startThread(watching.parent)
}

/** What the shell runs: nobody writes what it reads. 0 is the group that it is of. The loop goes on asking, should somebody end the shell. */
const waiting = "read -r _; kill -s KILL 0"

/** Whether there is one now. */
const startShell = (path: string): boolean => {
  try {
    // Of a pipe that leads one way it would see the end at once.
    if (!fstatSync(noticesFd).isSocket()) return false
    const shell = spawn(path, ["-c", waiting, "skein-watchdog"], { stdio: [noticesFd, "ignore", "ignore"], env: {} })
    shell.on("error", () => {}).unref()
    return shell.pid !== undefined
  } catch {
    return false
  }
}

/** Without this process's flags: it would preload all that this process does. */
const startThread = (parent: number): void => new Worker(asking, { eval: true, workerData: parent, name: "watchdog", execArgv: [] }).unref()

/** What the thread runs. It is given `killGroup` as text, for it loads nothing of ours. */
const asking = `
const { workerData: parent } = require("node:worker_threads")
const killGroup = ${String(killGroup)}
const never = new Int32Array(new SharedArrayBuffer(4))
do {
  if (process.ppid !== parent) killGroup()
} while (Atomics.wait(never, 0, 0, ${EVERY_MS}) === "timed-out")
`
