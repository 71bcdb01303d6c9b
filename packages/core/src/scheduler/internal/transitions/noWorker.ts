/**
 * Every way out of `NoWorker`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_no_worker_processing`,
 * `_transition_no_worker_released` and `_transition_no_worker_erred`.
 */
import * as IntSet from "../../../persistent/IntSet.ts"
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import { becomeProcessing } from "../assignment.ts"
import { becomeErred, becomeQueued, becomeReleased, leaveDependencies } from "../play.ts"
import type { Edges } from "../edges.ts"

const leaving = <Target>(become: (draft: Draft, task: Task, target: Target) => void) =>
(draft: Draft, task: Task, target: Target): void => {
  draft.state.noWorker = IntSet.remove(draft.state.noWorker, draft.owner, task.id)
  become(draft, task, target)
}

const outOfPlay = <Target>(become: (draft: Draft, task: Task, target: Target) => void) =>
  leaving<Target>((draft, task, target) => {
    leaveDependencies(draft, task)
    become(draft, task, target)
  })

export const noWorker = {
  Processing: leaving(becomeProcessing),
  Queued: leaving(becomeQueued),
  /** It was cancelled. */
  Erred: outOfPlay(becomeErred),
  Released: outOfPlay(becomeReleased)
} satisfies Edges
