/**
 * The thread that outlives nobody: it ends this process when its parent is gone.
 *
 * A worker whose loop spins never sees the end of a pipe, so the watching is
 * done by a thread. It asks five times a second whether the parent is still
 * the one that started it. (It used to block in a read of a pipe from the
 * parent, which tells at once; but such a thread cannot be terminated, and a
 * process waits for its threads: every `process.exit()` hung, measured.
 * `Atomics.wait` can be terminated.)
 *
 * It kills the whole group, so that what the child has started dies with it.
 */
import { Worker } from "node:worker_threads"

const source = `
const { workerData: parent } = require("node:worker_threads")
const never = new Int32Array(new SharedArrayBuffer(4))
do {
  if (process.ppid === parent) continue
  try { process.kill(-process.pid, "SIGKILL") } catch { process.kill(process.pid, "SIGKILL") }
} while (Atomics.wait(never, 0, 0, 200) === "timed-out")
`

/**
 * Watches `parent` from now on. A parent that died before this began is
 * noticed too. Called once, first thing, by a child's main.ts.
 */
export const watch = (parent: number): void => {
  // Without this process's flags: it would preload all that this process does.
  new Worker(source, { eval: true, workerData: parent, name: "watchdog", execArgv: [] }).unref()
}
