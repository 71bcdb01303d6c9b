/**
 * Where a task belongs, given what is known of it.
 *
 * Handlers change what is known (who needs it, who has it, whether it is to be
 * computed here) and touch the record; `settle` moves each touched record to
 * where one rule says that it belongs. So it does not matter in which order
 * things become known, and no handler has to think of every status.
 *
 * It runs dry at once: a task that moves touches its dependents or its inputs,
 * and those touch no more.
 */
import type { TaskId } from "@skein/protocol/Ids"
import type { Assignment } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Status, Task } from "../State.ts"
import { type Draft, type Owned, released } from "./draft.ts"
import { fetchPosition, setHolders } from "./holders.ts"
import { readyPosition } from "./slots.ts"
import { transition } from "./transition.ts"

/** Moves every record that was touched, until none is. */
export const settle = (draft: Draft): void => {
  for (let id = draft.takeTouched(); id !== undefined; id = draft.takeTouched()) {
    const task = draft.task(id)
    if (task !== undefined && isMisplaced(draft, task)) reroute(draft, draft.own(task))
  }
}

/** Takes a task from whatever it is doing to where it belongs; forgets it if nobody here needs it. */
export const reroute = (draft: Draft, task: Owned<Task>): void => {
  if (task.assignment !== undefined) {
    const waitingOn = absentInputs(draft, task.assignment)
    return transition(
      draft,
      task,
      IntSet.size(waitingOn) > 0
        ? { _tag: "Waiting", waitingOn }
        : {
          _tag: "Ready",
          isolation: task.assignment.isolation,
          position: readyPosition(draft, task.assignment)
        }
    )
  }
  if (IntSet.size(task.dependents) > 0) {
    return transition(
      draft,
      task,
      IntSet.size(task.whoHas) > 0
        ? { _tag: "Fetch", position: fetchPosition(draft, task) }
        : missing
    )
  }
  if (task.status._tag !== "Released") transition(draft, task, released)
  setHolders(draft, task, IntSet.empty())
  draft.forgetTask(task)
}

/** What runs, flies or is in memory stays until something happens to it. */
const isMisplaced = (draft: Draft, task: Task): boolean => {
  switch (task.status._tag) {
    case "Released":
      return true
    case "Waiting":
      return task.assignment === undefined || IntSet.size(task.status.waitingOn) === 0
    case "Ready":
      return task.assignment === undefined || IntSet.size(absentInputs(draft, task.assignment)) > 0
    case "Fetch":
      return task.assignment !== undefined || IntSet.size(task.dependents) === 0 || IntSet.size(task.whoHas) === 0
    case "Missing":
      return task.assignment !== undefined || IntSet.size(task.dependents) === 0 || IntSet.size(task.whoHas) > 0
    default:
      return false
  }
}

const missing: Status = { _tag: "Missing" }

const absentInputs = (draft: Draft, assignment: Assignment): IntSet.IntSet<TaskId> => {
  let absent = IntSet.empty<TaskId>()
  for (const { id } of assignment.dependencies) {
    if (draft.task(id)?.status._tag !== "Memory") absent = IntSet.add(absent, draft.owner, id)
  }
  return absent
}
