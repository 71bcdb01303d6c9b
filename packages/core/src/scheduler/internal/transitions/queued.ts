/**
 * Every way out of `Queued`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_queued_processing`,
 * `_transition_queued_released` and `_transition_queued_erred`.
 */
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import { becomeProcessing } from "../assignment.ts"
import { becomeErred, becomeNoWorker, becomeReleased, leaveDependencies, unqueue } from "../play.ts"
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

/** The last worker has left that may run it. */
const toNoWorker = (draft: Draft, task: Task): void => {
  unqueue(draft, task)
  becomeNoWorker(draft, task)
}

export const queued = { NoWorker: toNoWorker, Processing: toProcessing, Erred: toErred, Released: toReleased } satisfies Edges
