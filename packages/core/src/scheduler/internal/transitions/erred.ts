/**
 * The way out of `Erred`: a retry, or nobody wants to know.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_erred_released`. Which
 * tasks a retry reaches is in on/client.ts.
 */
import type { Task } from "../../State.ts"
import type { Draft } from "../draft.ts"
import type { Edges } from "../edges.ts"
import { becomeReleased } from "../play.ts"
import { remember } from "../remembering.ts"

/** It has been stopped for what it did, if it did anything: whoever has heard of that and asks for it again gives it another chance. */
const toReleased = (draft: Draft, task: Task): void => {
  const { status } = task
  const last = task.trials.deaths.at(-1)
  const isUnheard = last !== undefined && last.endedAtMs >= draft.unheardSince
  if (isUnheard && status._tag === "Erred" && status.failure._tag === "Killed" && status.origin === task.id) remember(draft, task, status.failure)
  becomeReleased(draft, task)
  if (task.trials.deaths.length > 0) draft.editTrials(task, { deaths: [] })
}

export const erred = { Released: toReleased } satisfies Edges
