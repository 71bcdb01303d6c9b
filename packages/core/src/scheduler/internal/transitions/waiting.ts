/**
 * Every way out of `Waiting`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_waiting_processing`,
 * `_transition_waiting_queued`, `_transition_waiting_no_worker` and `_transition_waiting_released`.
 */
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import { becomeProcessing } from "../assignment.ts"
import { becomeNoWorker, becomeQueued, becomeReleased, leaveDependencies } from "../play.ts"
import type { Edges } from "../edges.ts"

const toReleased = (draft: Draft, task: Task): void => {
  leaveDependencies(draft, task)
  becomeReleased(draft, task)
}

export const waiting = {
  Processing: becomeProcessing,
  Queued: becomeQueued,
  NoWorker: becomeNoWorker,
  Released: toReleased
} satisfies Edges
