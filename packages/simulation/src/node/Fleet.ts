/**
 * Several processes that run seeds side by side, one for each core.
 *
 * The first failure stops all of them. A run is synchronous, so one that never
 * ends cannot be stopped from inside: a process that says nothing for three minutes is
 * ended, and the seed that it ran is the failure.
 */
import { type ChildProcess, fork } from "node:child_process"
import { siblingOf } from "@skein/runtime/node/sibling"
import { addTallies, emptyTally, type Failure, type Job, type Tally } from "./Batch.ts"
import type { Told } from "./batchMain.ts"
import type { Plan } from "./Plan.ts"

export interface FleetOptions extends Omit<Plan, "process" | "of"> {
  readonly processes: number
  /** Told about once a second what has been done in all. */
  readonly onProgress: (tally: Tally) => void
}

/** How it ended. */
export type Ended =
  | { readonly _tag: "Done"; readonly tally: Tally }
  | { readonly _tag: "Failed"; readonly tally: Tally; readonly failure: Failure }
  /** A run did not end, or its process ended by itself. */
  | { readonly _tag: "Stuck"; readonly tally: Tally; readonly job: Job | undefined; readonly why: string }

/** How long a process may be silent. */
const SILENT_MS = 180_000

/** Runs the plan in so many processes; none is left when this completes. */
export const runFleet = (options: FleetOptions): Promise<Ended> =>
  new Promise((resolve) => {
    const { onProgress, processes, ...plan } = options
    const children: Array<ChildProcess> = []
    let tally = emptyTally()
    let left = processes
    let isOver = false
    const finish = (ended: Ended) => {
      if (isOver) return
      isOver = true
      let running = 0
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        running++
        child.once("exit", () => {
          if (--running === 0) resolve(ended)
        })
        child.kill("SIGKILL")
      }
      if (running === 0) resolve(ended)
    }
    for (let process = 0; process < processes; process++) {
      const child = fork(siblingOf(import.meta.url, "./batchMain.ts"), { stdio: ["ignore", "inherit", "inherit", "ipc"] })
      children.push(child)
      let job: Job | undefined
      let isDone = false
      const silent = () => finish({ _tag: "Stuck", tally, job, why: `did not end within ${SILENT_MS / 1_000} s` })
      let watchdog = setTimeout(silent, SILENT_MS)
      child.on("message", (told: Told) => {
        clearTimeout(watchdog)
        if (isOver) return
        watchdog = setTimeout(silent, SILENT_MS)
        if (told._tag === "Running") job = told.job
        else if (told._tag === "Did") onProgress(tally = addTallies(tally, told.tally))
        else if (told._tag === "Failed") finish({ _tag: "Failed", tally, failure: told.failure })
        else {
          isDone = true
          clearTimeout(watchdog)
          child.disconnect()
          if (--left === 0) finish({ _tag: "Done", tally })
        }
      })
      child.on("exit", (code, signal) => {
        clearTimeout(watchdog)
        if (!isDone) finish({ _tag: "Stuck", tally, job, why: `its process ended: ${signal ?? `exit code ${code}`}` })
      })
      child.send({ ...plan, process, of: processes } satisfies Plan)
    }
  })
