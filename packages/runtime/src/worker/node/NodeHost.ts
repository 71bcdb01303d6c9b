/**
 * This process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Host } from "../Host.ts"

export const layer: Layer.Layer<Host> = Layer.sync(Host, () => ({
  pid: process.pid,
  memoryBytes: Effect.sync(() => process.memoryUsage.rss())
}))
