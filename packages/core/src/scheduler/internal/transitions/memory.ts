/**
 * The way out of `Memory`: nobody needs the result, or its last copy was lost.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_memory_released`. What
 * becomes of those who need a lost result is in replicas.ts.
 */
import * as IntSet from "../../../persistent/IntSet.ts"
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import { becomeReleased } from "../play.ts"
import { unhold } from "../holding.ts"
import type { Edges } from "../edges.ts"

const toReleased = (draft: Draft, task: Task): void => {
  const { id, status } = task
  if (status._tag !== "Memory") return
  const { run, whoHas } = status
  for (let worker = IntSet.min(whoHas); worker !== undefined; worker = IntSet.next(whoHas, worker)) {
    unhold(draft, worker, id, status.nbytes)
    draft.send({ _tag: "FreeKey", worker, id, run })
  }
  becomeReleased(draft, task)
}

export const memory = { Released: toReleased } satisfies Edges
