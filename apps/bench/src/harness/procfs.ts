/**
 * What Linux tells about processes; elsewhere there is nothing, and rows say so
 * by leaving processor times out.
 */
import { readdirSync, readFileSync } from "node:fs"
import { loadavg } from "node:os"

/** Microseconds of processor that the threads of a process have used which are alive now; undefined if it cannot be known. */
export const cpuOf = (pid: number): number | undefined => {
  try {
    let nanos = 0
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ", 1)[0])
    }
    return nanos / 1_000
  } catch {
    return undefined
  }
}

/** Bytes of resident memory; undefined if the process is gone. */
export const rssOf = (pid: number): number | undefined => {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

/** Processes that this one has started and that are alive. */
export const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1").split(" ").filter((child) => child !== "").map(Number)
    )
  } catch {
    return []
  }
}

/** Load average of the last minute. */
export const load = (): number => loadavg()[0] ?? 0
