/**
 * What outlives nobody: it ends this process when its parent is gone.
 *
 * A worker whose loop spins never sees the end of a pipe, so the watching is
 * done by a thread. It asks five times a second whether the parent is still
 * the one that started it. (It used to block in a read of a pipe from the
 * parent, which tells at once; but such a thread cannot be terminated, and a
 * process waits for its threads: every `process.exit()` hung, measured.
 * `Atomics.wait` can be terminated.)
 *
 * A thread takes 35 ms of processor to start, a tenth of what a child needs to
 * be up. So until then, or until it is to load what others have written, the
 * child's own loop asks: nothing that runs in it keeps the loop busy for long.
 *
 * It kills the whole group, so that what the child has started dies with it.
 */
import { Worker } from "node:worker_threads"

/** Milliseconds between two looks. */
const EVERY_MS = 200

const killGroup = (): void => {
  try {
    process.kill(-process.pid, "SIGKILL")
  } catch {
    process.kill(process.pid, "SIGKILL")
  }
}

/** What the thread runs. It is given `killGroup` as text, for it loads nothing of ours. */
const source = `
const { workerData: parent } = require("node:worker_threads")
const killGroup = ${String(killGroup)}
const never = new Int32Array(new SharedArrayBuffer(4))
do {
  if (process.ppid !== parent) killGroup()
} while (Atomics.wait(never, 0, 0, ${EVERY_MS}) === "timed-out")
`

/** While the loop asks. */
let asking: { readonly parent: number; readonly timer: NodeJS.Timeout } | undefined

/**
 * Watches `parent` from now on. A parent that died before this began is
 * noticed too. Called once, first thing, by a child's main.ts.
 */
export const watch = (parent: number): void => {
  const timer = setInterval(() => process.ppid === parent || killGroup(), EVERY_MS)
  asking = { parent, timer: timer.unref() }
}

/** From now on the loop may be kept busy. Does nothing in a process that watches nobody, or has a thread for it. */
export const watchFromThread = (): void => {
  if (asking === undefined) return
  // Without this process's flags: it would preload all that this process does.
  new Worker(source, { eval: true, workerData: asking.parent, name: "watchdog", execArgv: [] }).unref()
  clearInterval(asking.timer)
  asking = undefined
}
