/**
 * What Linux tells about processes; elsewhere there is nothing, and rows say so
 * by leaving processor times out.
 */
import { readdirSync, readFileSync } from "node:fs"
import { loadavg } from "node:os"

/** Microseconds of processor that the threads of a process have used which are alive now; undefined if it cannot be known. */
export const cpuOf = (pid: number): number | undefined => {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`))
  if (threads === undefined) return undefined
  // A thread may end while its process is looked at.
  const nanos = threads.map((thread) => attempt(() => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ", 1)[0])))
  return nanos.every((one) => one === undefined) ? undefined : nanos.reduce<number>((all, one) => all + (one ?? 0), 0) / 1_000
}

const attempt = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Bytes of resident memory; undefined if the process is gone. */
export const rssOf = (pid: number): number | undefined => {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(attempt(() => readFileSync(`/proc/${pid}/status`, "latin1")) ?? "")?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

/** The words of a process's command; none if it is gone. */
export const commandOf = (pid: number): ReadonlyArray<string> => (attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "").split("\0")

/** Processes that this one has started and that are alive. */
export const childrenOf = (pid: number): ReadonlyArray<number> =>
  (attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []).flatMap((thread) =>
    (attempt(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1")) ?? "").split(" ").filter((child) => child !== "").map(Number)
  )

/** Load average of the last minute. */
export const load = (): number => loadavg()[0] ?? 0
