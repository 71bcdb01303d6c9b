/**
 * Notices that a body has held the worker's event loop, and says which.
 *
 * Bodies that are no plain functions share one event loop. One that computes
 * there without yielding makes everything late: cancellations, signs of life,
 * results for peers. That it happened shows when a timer comes late; who it was
 * is known of a first step, which the executor sees to its end, and otherwise it
 * was one of those that are running, if the process has computed meanwhile. A
 * process that stood still, or did not get its turn, has not.
 *
 * Source: dask.distributed `core.py`, `Server._measure_tick` (`admin.tick.limit`,
 * three seconds too).
 */
import * as Effect from "effect/Effect"
import * as SteadyTime from "../SteadyTime.ts"

/** A step shorter than this is not worth a word. */
export const LIMIT_MS = 3_000
/** How often is looked. */
const TICK_MS = 500
/** How long nothing more is said of the same tasks. */
const AGAIN_MS = 60_000
/** Tasks that are named at most. */
const NAMED = 3

export interface BlockedLoop {
  /** The body of this task has held the loop for so long, from its beginning. */
  readonly held: (task: string, ms: number) => void
  /** Looks, for ever; to be run once at a time, by a supervisor. */
  readonly run: Effect.Effect<never>
}

export interface Options {
  /** The worker's name. */
  readonly worker: string
  /** How long its thread has computed so far, in milliseconds. */
  readonly cpuMs: () => number
  /** Whether nothing but bodies computes in this event loop. */
  readonly isOwn: boolean
  /** Names of the tasks whose bodies run in it. */
  readonly bodies: () => ReadonlyArray<string>
}

export const make = ({ bodies, cpuMs, isOwn, worker }: Options): BlockedLoop => {
  /** Of the longest first step since the last look. */
  let step: { readonly task: string; readonly ms: number } | undefined
  /** What was said last, and when. */
  let said = { tasks: "", at: -Infinity }
  const look = Effect.gen(function*() {
    const since = yield* SteadyTime.millis
    const computedMs = cpuMs()
    yield* Effect.sleep(TICK_MS)
    const at = yield* SteadyTime.millis
    const lateMs = at - since - TICK_MS
    const seen = step
    step = undefined
    if (lateMs < LIMIT_MS && seen === undefined) return
    const hasComputed = cpuMs() - computedMs >= lateMs / 2
    const tasks = seen !== undefined ? [seen.task] : isOwn && hasComputed ? [...new Set(bodies())].slice(0, NAMED) : []
    const named = tasks.join()
    if (tasks.length === 0 || (said.tasks === named && at - said.at < AGAIN_MS)) return
    said = { tasks: named, at }
    yield* Effect.logWarning(warning(worker, tasks, seen?.ms ?? lateMs))
  })
  return {
    held: (task, ms) => {
      if (step === undefined || ms > step.ms) step = { task, ms }
    },
    run: Effect.forever(look)
  }
}

/** `tasks`: one of these it was, and mostly there is one only. */
export const warning = (worker: string, tasks: ReadonlyArray<string>, ms: number): string => {
  const names = tasks.map((task) => JSON.stringify(task)).join(", ")
  return `SKEIN3004 ${tasks.length === 1 ? names : `one of ${names}`} held ${worker}'s event loop for ${(ms / 1_000).toFixed(1)} s without yielding\n` +
    "  Meanwhile nothing there could be cancelled, and the worker neither answered nor said that it lives.\n" +
    `  fix 1  Task.fn(${tasks.length === 1 ? names : "…"}, f, { isolation: "thread" }), which is recommended for code that computes\n` +
    "  fix 2  yield now and then: `yield* Effect.yieldNow`"
}
