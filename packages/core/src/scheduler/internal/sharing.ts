/**
 * Who else would miss a task.
 *
 * Cancelling a task fails all that waits for it. So a task is shared if another
 * client wants it, or wants anything in play that depends on it; then it goes on.
 *
 * Source: dask.distributed `scheduler.py`, `_cancel_key`, which asks the same of
 * each dependent in turn.
 */
import type { ClientId, TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"

/**
 * Tells of tasks whether a client other than this one would miss them. What has
 * been found out is remembered, so that asking about all tasks of a graph costs
 * as much as the graph is large. Valid until the draft is changed.
 */
export const makeIsShared = (draft: Draft, client: ClientId): (id: TaskId) => boolean => {
  if (draft.state.clients.size <= 1) return () => false
  const known = new Map<TaskId, boolean>()
  const isWantedByOthers = (task: Task): boolean => IntSet.some(task.whoWants, (other) => other !== client)
  return (id) => {
    // A list and not recursion, for chains may be long. A task is decided when it is met again below its dependents.
    const path: Array<TaskId> = [id]
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const task = draft.task(at)
      if (task === undefined || known.has(at)) {
        path.pop()
        continue
      }
      const dependents = task.waiters === 0 ? [] : IntSet.toArray(task.dependents).filter((id) => isInPlay(draft, id))
      const open = isWantedByOthers(task) ? [] : dependents.filter((id) => !known.has(id))
      if (open.length > 0) path.push(...open.slice(-1))
      else {
        known.set(at, isWantedByOthers(task) || dependents.some((id) => known.get(id) === true))
        path.pop()
      }
    }
    return known.get(id) === true
  }
}

const isInPlay = (draft: Draft, id: TaskId): boolean => {
  const status = draft.task(id)?.status._tag
  return status === "Waiting" || status === "NoWorker" || status === "Queued" || status === "Processing"
}
