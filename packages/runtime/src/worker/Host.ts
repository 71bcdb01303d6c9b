/**
 * The process that a worker lives in, as far as it tells others of it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Host extends Context.Service<Host, {
  readonly pid: number
  /** Memory of the process, threads included. */
  readonly memoryBytes: Effect.Effect<number>
  /**
   * How long the event loop's thread has computed so far, in milliseconds; of the whole process where that is not known. Undefined
   * where nobody knows, and then nobody watches the loop.
   */
  readonly cpuMs: (() => number) | undefined
}>()("@skein/runtime/worker/Host") {}
