/**
 * Drives the shrinker: runs what it proposes, as long as that may cost.
 */
import type { Case } from "../Case.ts"
import type { Violation } from "../cases/Checks.ts"
import { shrink, type Shrinking } from "../cases/Shrink.ts"
import { breathe } from "./Breathing.ts"

export interface Limits {
  /** @default 2000 */
  readonly runs?: number
  /** Wall clock, milliseconds. @default 120_000 */
  readonly ms?: number
}

/** What is known of a run: whether a check failed, and which. */
export interface Judged {
  readonly violation: (Violation & { readonly atMs: number }) | undefined
}

export interface Shrunk<Outcome extends Judged> {
  readonly smallest: Case
  readonly outcome: Outcome
  readonly runs: number
  readonly ms: number
}

/** The smallest case found that fails the same check as this one does. */
export const shrinkFailing = async <Outcome extends Judged>(
  failing: Case,
  first: Outcome,
  run: (of: Case) => Outcome,
  limits: Limits = {}
): Promise<Shrunk<Outcome>> => {
  const { ms: mostMs = 120_000, runs: mostRuns = 2_000 } = limits
  const began = performance.now()
  const wanted: Violation | undefined = first.violation
  const shrinking: Shrinking = shrink(failing, first.violation?.atMs)
  let best = { smallest: failing, outcome: first }
  let runs = 0
  let step = shrinking.next()
  while (step.done !== true && runs < mostRuns && performance.now() - began < mostMs) {
    const outcome = run(step.value)
    runs++
    const isSame = outcome.violation !== undefined && outcome.violation.id === wanted?.id
    if (isSame) best = { smallest: step.value, outcome }
    step = shrinking.next(isSame)
    await breathe()
  }
  return { ...best, runs, ms: performance.now() - began }
}
