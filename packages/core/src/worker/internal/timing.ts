/**
 * Bodies that may not run for as long as they like.
 *
 * The time runs from when the body was called, on the wall's clock: waiting in
 * queues does not count, waiting without a slot does, for whoever limits a task
 * wants to hear of it by then. What has taken too long is reported at once and
 * then stopped like what was cancelled; so the scheduler knows of it even if
 * nothing but the end of this process stops it, and blames nobody for that.
 */
import type { Millis } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Task } from "../State.ts"
import type { Draft, Owned } from "./draft.ts"
import { interrupt } from "./stopping.ts"

/** The body has been called: if it has a limit of time, that is watched. */
export const watchTime = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, id, status } = task
  if (assignment?.timeoutMs === undefined || (status._tag !== "Executing" && status._tag !== "LongRunning")) return
  task.status = { ...status, since: draft.at }
  draft.next.timed = IntSet.add(draft.next.timed, draft.owner, id)
  draft.wakeBy(draft.at + assignment.timeoutMs)
}

/** When a body whose time is watched has had it. */
export const timeLimit = (task: Task | undefined): Millis | undefined =>
  task?.assignment?.timeoutMs !== undefined && (task.status._tag === "Executing" || task.status._tag === "LongRunning")
    ? task.status.since + task.assignment.timeoutMs
    : undefined

/** Stops the bodies that have run for too long. */
export const timeOut = (draft: Draft): void => {
  // A copy: whoever is stopped is timed no more.
  for (const id of IntSet.toArray(draft.next.timed)) {
    const task = draft.task(id)
    const limit = timeLimit(task)
    if (task === undefined || limit === undefined || limit > draft.at) continue
    const { timeoutMs = 0 } = task.assignment ?? {}
    draft.send({ _tag: "ReportTimedOut", id, run: task.run, ms: draft.at - limit + timeoutMs })
    interrupt(draft, draft.own(task))
  }
}
