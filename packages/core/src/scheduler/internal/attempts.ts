/**
 * Attempts that failed or took too long: whether there is another, when, and what
 * is remembered of them. Those that may have ended a worker are blame.ts's.
 */
import * as Option from "effect/Option"
import type { Attempt, Failure } from "@skein/protocol/Failure"
import type { WorkerId } from "@skein/protocol/Ids"
import { ATTEMPTS_KEPT, type Task } from "../State.ts"
import { delayAfter } from "./delays.ts"
import type { Draft } from "./draft.ts"
import { transition } from "./transition.ts"

/** One of its retries is used up, and the task is to be computed again, perhaps not at once. `stop`: something of the attempt still runs. */
export const tryAgain = (draft: Draft, task: Task, attempt: Attempt, stop: boolean): void => {
  transition(draft, task.id, { _tag: "Released", stop })
  const { attempt: number, retries, retriesLeft, rules } = task.trials
  draft.editTrials(task, { attempt: number + 1, retriesLeft: retriesLeft - 1 })
  draft.setTried(task.id, [...draft.triedOf(task.id), attempt].slice(-ATTEMPTS_KEPT))
  const delayMs = rules === undefined ? 0 : delayAfter(rules, retries - retriesLeft + 1)
  if (delayMs > 0) draft.setDelay(task.id, draft.at + delayMs)
  draft.toCompute.push(task.id)
}

/** An attempt that its worker says has ended, after so many milliseconds. */
export const attemptOf = (draft: Draft, worker: WorkerId, ms: number, ended: Attempt["ended"], detail: string): Attempt => ({
  worker: draft.worker(worker)?.name ?? "",
  startedAtMs: draft.at - (ms > 0 && ms < Infinity ? ms : 0),
  endedAtMs: draft.at,
  ended,
  detail,
  peakMemoryBytes: Option.none(),
  logTail: []
})

/** All that are remembered, whichever way they ended, in their order. */
export const attemptsBefore = (draft: Draft, task: Task): ReadonlyArray<Attempt> =>
  [...draft.triedOf(task.id), ...task.trials.deaths].sort((a, b) => a.endedAtMs - b.endedAtMs)

/** The failure of a body, with the attempts that came before it. */
export const raised = (draft: Draft, task: Task, body: Uint8Array): Failure => {
  const before = attemptsBefore(draft, task)
  return before.length === 0 ? { _tag: "Raised", body } : { _tag: "Raised", body, before }
}
