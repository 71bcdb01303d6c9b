/**
 * The memory of this process.
 *
 * Two limits: that of V8's old generation, which is set by
 * `--max-old-space-size` and ends the process when it is passed, and what the
 * machine or the container has. Whichever is nearer counts.
 *
 * Much of a heap's use may be garbage that nobody has had a reason to collect: V8
 * lets a heap grow up to its limit before it looks closely. So when much is in use
 * it is collected here before it is counted, for at most a quarter of the time; in
 * between all of it counts. V8 gives up before the limit is reached, and what is
 * under way when new tasks are refused must find room, and each refusal takes a
 * little itself: that is the reserve.
 */
import { totalmem } from "node:os"
import { performance } from "node:perf_hooks"
import { constrainedMemory, execArgv, memoryUsage } from "node:process"
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { Measuring } from "../scheduler/Memory.ts"

const MIB = 2 ** 20
/** From here on garbage is told from what is needed. */
const COLLECT_FROM = 0.65
/** Counts as in use always. */
const RESERVE_BYTES = 16 * MIB

/** Bytes that all processes here may have together. */
export const machineBytes = (): number => {
  const constrained = constrainedMemory()
  // Without a limit it is 0, or more than there is.
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

export const make = (): Measuring => {
  const heapLimit = heapLimitBytes()
  const machineLimit = machineBytes()
  let collect: (() => void) | undefined
  let collectAgainAt = 0
  const collected = (): number => {
    const since = performance.now()
    collect ??= collector()
    collect()
    collectAgainAt = performance.now() + 3 * (performance.now() - since)
    return ratio(inUse().old)
  }
  const ratio = (bytes: number): number => (bytes + RESERVE_BYTES) / heapLimit
  const heapRatio = (factor: number): number => {
    // What is needed of the young generation will soon be in the old one; collecting, it is there.
    const { old, young } = inUse()
    return ratio(old + young) * factor >= COLLECT_FROM && performance.now() >= collectAgainAt ? collected() : ratio(old)
  }
  return { loadRatio: (factor) => Math.max(heapRatio(factor), memoryUsage.rss() / machineLimit) }
}

/** What `--max-old-space-size` says; without it, V8's own limit, which has the young generation in it. */
const heapLimitBytes = (): number => {
  const flag = [...execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(/\s+/)].findLast((arg) => /^--max[-_]old[-_]space[-_]size=\d+$/.test(arg))
  return flag === undefined ? getHeapStatistics().heap_size_limit : Number(flag.split("=")[1]) * MIB
}

/** Bytes in use: in the spaces to which that limit applies, and in the young generation's. */
const inUse = (): { readonly old: number; readonly young: number } => {
  let old = 0
  let young = 0
  for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
    if (space_name.startsWith("new_")) young += space_used_size
    else if (!space_name.startsWith("read_only")) old += space_used_size
  }
  return { old, young }
}

/** V8 gives its collector to contexts that are made while it is told to. */
const collector = (): () => void => {
  setFlagsFromString("--expose-gc")
  const gc: unknown = runInNewContext("gc")
  setFlagsFromString("--no-expose-gc")
  return typeof gc === "function" ? () => void gc() : () => {}
}
