/**
 * The process that a worker lives in, as far as it tells others of it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Host extends Context.Service<Host, {
  readonly pid: number
  /** Memory of the process, threads included. */
  readonly memoryBytes: Effect.Effect<number>
}>()("@skein/runtime/worker/Host") {}
