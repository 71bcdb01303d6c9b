/**
 * Every way out of `Processing`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_processing_memory`,
 * `_transition_processing_erred` and `_transition_processing_released`.
 */
import * as IntSet from "../../../persistent/IntSet.ts"
import type { Task } from "../../State.ts"
import { endTakingBack } from "../assignment.ts"
import { amountsDemanded, vacate } from "../demands.ts"
import type { Draft } from "../draft.ts"
import { unassign } from "../load.ts"
import { becomeErred, becomeMemory, becomeReleased, leaveDependencies } from "../play.ts"
import { stop } from "../stopping.ts"

import type { Edges, Target } from "../edges.ts"

/** The task leaves its worker. What has to be stopped first keeps its slot until it has. */
const leaveWorker = (draft: Draft, task: Task, hasToStop: boolean): void => {
  const { status } = task
  if (status._tag !== "Processing") return
  endTakingBack(draft, task, status)
  if (task.trials.suspect) draft.state.suspects = IntSet.remove(draft.state.suspects, draft.owner, task.id)
  const worker = draft.worker(status.worker)
  if (worker === undefined) return
  const edited = draft.editWorker(worker)
  edited.processing = IntSet.remove(edited.processing, draft.owner, task.id)
  if (task.demand !== undefined && !hasToStop) vacate(edited, amountsDemanded(draft, task))
  if (hasToStop) stop(draft, task, status)
  // A task that was given back leaves the others there no better off.
  else if (!status.seceded) unassign(draft, edited, task.isolation, status.expectedMs, status.takingBackFor === undefined)
}

const toMemory = (draft: Draft, task: Task, target: Extract<Target, { readonly _tag: "Memory" }>): void => {
  leaveWorker(draft, task, false)
  leaveDependencies(draft, task)
  becomeMemory(draft, task, target)
}

const toErred = (draft: Draft, task: Task, target: Extract<Target, { readonly _tag: "Erred" }>): void => {
  leaveWorker(draft, task, target.stop)
  leaveDependencies(draft, task)
  becomeErred(draft, task, target)
}

const toReleased = (draft: Draft, task: Task, target: Extract<Target, { readonly _tag: "Released" }>): void => {
  leaveWorker(draft, task, target.stop)
  leaveDependencies(draft, task)
  becomeReleased(draft, task)
}

export const processing = { Memory: toMemory, Erred: toErred, Released: toReleased } satisfies Edges
