/**
 * The settings in which every end-to-end test runs: workers as processes or as
 * fibers of this one, over a unix socket or TCP.
 */
import type { LocalClusterOptions } from "skein"

export interface Setting {
  readonly name: string
  readonly options: LocalClusterOptions
}

const tasks = new URL("./tasks.ts", import.meta.url)
const shared = { workers: 2, threadsPerWorker: 1, tasks }

export const settings: ReadonlyArray<Setting> = [
  { name: "processes over a unix socket", options: { ...shared, processes: true, protocol: "unix" } },
  { name: "processes over TCP", options: { ...shared, processes: true, protocol: "tcp" } },
  { name: "fibers over a unix socket", options: { ...shared, processes: false, protocol: "unix" } },
  { name: "fibers over TCP", options: { ...shared, processes: false, protocol: "tcp" } }
]
export const withProcesses = settings.filter(({ options }) => options.processes === true)
export const [overUnix] = settings as readonly [Setting, ...Array<Setting>]
