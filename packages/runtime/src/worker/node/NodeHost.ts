/**
 * This process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Host } from "../Host.ts"

export const layer: Layer.Layer<Host> = Layer.sync(Host, () => ({
  pid: process.pid,
  memoryBytes: Effect.sync(() => process.memoryUsage.rss()),
  cpuMs
}))

const cpuMs = (): number => {
  // Node 22 does not know the thread's own.
  const { system, user } = typeof process.threadCpuUsage === "function" ? process.threadCpuUsage() : process.cpuUsage()
  return (system + user) / 1_000
}
