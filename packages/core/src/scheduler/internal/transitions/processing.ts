/**
 * Every way out of `Processing`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_processing_memory`,
 * `_transition_processing_erred` and `_transition_processing_released`.
 */
import * as IntSet from "../../../persistent/IntSet.ts"
import type { Task } from "../../State.ts"
import { endTakingBack } from "../assignment.ts"
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
  const worker = draft.worker(status.worker)
  if (worker === undefined) return
  const edited = draft.editWorker(worker)
  edited.processing = IntSet.remove(edited.processing, draft.owner, task.id)
  if (hasToStop) stop(draft, task, status)
  else if (!status.seceded) unassign(draft, edited, task.isolation, status.expectedMs)
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
