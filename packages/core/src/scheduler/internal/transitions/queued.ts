/**
 * Every way out of `Queued`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_queued_processing`,
 * `_transition_queued_released` and `_transition_queued_erred`.
 */
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import { becomeProcessing } from "../assignment.ts"
import { becomeErred, becomeReleased, leaveDependencies, unqueue } from "../play.ts"
import type { Edges, Target } from "../edges.ts"

const toProcessing = (draft: Draft, task: Task, target: Extract<Target, { readonly _tag: "Processing" }>): void => {
  unqueue(draft, task)
  becomeProcessing(draft, task, target)
}

/** It was cancelled. */
const toErred = (draft: Draft, task: Task, target: Extract<Target, { readonly _tag: "Erred" }>): void => {
  unqueue(draft, task)
  leaveDependencies(draft, task)
  becomeErred(draft, task, target)
}

const toReleased = (draft: Draft, task: Task): void => {
  unqueue(draft, task)
  leaveDependencies(draft, task)
  becomeReleased(draft, task)
}

export const queued = { Processing: toProcessing, Erred: toErred, Released: toReleased } satisfies Edges
