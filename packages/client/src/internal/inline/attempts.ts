/**
 * All attempts at one task of a client without a cluster: retries, their delays
 * and limits of time.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Failure from "@skein/protocol/Failure"
import type { AttemptRules } from "@skein/protocol/Graph"
import { type Attempt, attempt, type Attempted, INLINE } from "./attempt.ts"

export interface AttemptsOptions extends Omit<Attempt, "attempt"> {
  /** How often a failed attempt is repeated. */
  readonly retries: number
  readonly rules: AttemptRules | undefined
}

export type Outcome =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly failure: Failure.Failure }

const noRules: AttemptRules = { timeoutMs: Infinity, delayMs: 0, factor: 1, maxDelayMs: 0 }

/** The first that succeeds, or the last. */
export const attempts = Effect.fnUntraced(function*({ retries, rules = noRules, ...options }: AttemptsOptions): Effect.fn.Return<Outcome> {
  const clock = yield* Clock.Clock
  const before: Array<Failure.Attempt> = []
  let delayMs = Math.min(rules.delayMs, rules.maxDelayMs)
  for (let number = 1, left = retries;; number++) {
    const startedAtMs = clock.currentTimeMillisUnsafe()
    const ended = yield* within(rules.timeoutMs, attempt({ ...options, attempt: number }))
    if (ended?._tag === "Succeeded") return ended
    if (ended?._tag === "Rescheduled") {
      // There is no other place; others run in between.
      yield* Effect.yieldNow
      continue
    }
    const record: Failure.Attempt = {
      worker: INLINE,
      startedAtMs,
      endedAtMs: clock.currentTimeMillisUnsafe(),
      ended: ended === undefined ? "timeout" : "failed",
      detail: "",
      peakMemoryBytes: Option.none(),
      logTail: []
    }
    if (ended?.retryable === false || left-- <= 0) {
      const failure: Failure.Failure = ended === undefined
        ? { _tag: "TimedOut", limitMs: rules.timeoutMs, attempts: [...before, record] }
        : { _tag: "Raised", body: ended.body, ...(before.length === 0 ? {} : { before }) }
      return { _tag: "Failed", failure }
    }
    before.push(record)
    if (delayMs > 0) yield* Effect.sleep(delayMs)
    delayMs = Math.min(delayMs * rules.factor, rules.maxDelayMs)
  }
})

/** Undefined: it has taken too long, and has been stopped. */
const within = (limitMs: number, once: Effect.Effect<Attempted>): Effect.Effect<Attempted | undefined> =>
  limitMs === Infinity ? once : Effect.map(Effect.timeoutOption(once, Duration.millis(limitMs)), Option.getOrUndefined)
