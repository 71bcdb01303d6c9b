/**
 * Attempts that may not be made yet.
 *
 * A task whose attempt has failed may have asked for a pause before the next. It
 * waits like any other that is not ready: it needs its inputs, holds no slot, and
 * can be cancelled or released. Once they are there it waits for the time alone,
 * which comes with the events; the shell is asked to wake us for the next one.
 *
 * Source of the growing delay: Effect's `Schedule.exponential`, with a bound.
 */
import type { AttemptRules } from "@skein/protocol/Graph"
import type { Millis, TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"

/**
 * Milliseconds between the nth failed attempt and the next.
 *
 *   delayMs * factor^(n - 1), at most maxDelayMs, and never more than half a lifetime
 */
export const delayAfter = ({ delayMs, factor, maxDelayMs }: AttemptRules, nth: number): number =>
  // Not 0 * ∞.
  delayMs === 0 ? 0 : Math.min(maxDelayMs, LONGEST_MS, delayMs * factor ** (nth - 1))

/** A time that clocks and timers can be told. */
const LONGEST_MS = 2 ** 40

/** Whether everything a waiting task needs is there, and the time has come. */
export const isReadyToPlace = (draft: Draft, { id, status }: Task): boolean =>
  status._tag === "Waiting" && IntSet.size(status.waitingOn) === 0 && Vector.get(draft.state.delays, id) === undefined

/** Lets those go on whose time has come, and asks to be woken for the next. */
export const endDelays = (draft: Draft): void => {
  for (let id = Ranked.first(draft.state.delayed); id !== undefined; id = Ranked.first(draft.state.delayed)) {
    const until = Vector.get(draft.state.delays, id) ?? 0
    if (until > draft.at) return draft.wake(until)
    draft.endDelay(id)
    draft.ready.push(id)
  }
}

/** The place of a task in the order of their times, and of ranks among equal ones. */
export const placeOf = (id: TaskId, until: Millis): Ranked.Position => ({ priority: -until, rank: id })
