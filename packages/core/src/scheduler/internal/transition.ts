/**
 * How a task's status changes: the table, and the loop that runs follow-ups dry.
 *
 * Each row of the table is one file: every way *out of* that status. A pair that
 * is not in the table goes through `Released`, as in Dask.
 *
 * A transition does not call the next one; it leaves follow-ups in the draft. Of
 * these, work that is needed goes before the release of what is not: what loses
 * its last reader may get it back in the same breath (a retry), and must not be
 * dropped in between.
 *
 * Source: dask.distributed `scheduler.py`, `SchedulerState._transition` and
 * `_transitions`; there follow-ups are a dict that is emptied from its end, and
 * the outcome depends on the order of insertion.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Status, Task } from "../State.ts"
import { arrivingOf, isData, lost } from "./data.ts"
import { type Draft, noTask } from "./draft.ts"
import { type Edges, isNeeded, type Target } from "./edges.ts"
import { erred } from "./transitions/erred.ts"
import { memory } from "./transitions/memory.ts"
import { noWorker } from "./transitions/noWorker.ts"
import { processing } from "./transitions/processing.ts"
import { queued } from "./transitions/queued.ts"
import { released } from "./transitions/released.ts"
import { waiting } from "./transitions/waiting.ts"

/** Every change of status there is. */
export const table = {
  Released: released,
  Waiting: waiting,
  NoWorker: noWorker,
  Queued: queued,
  Processing: processing,
  Memory: memory,
  Erred: erred
} satisfies Record<Status["_tag"], Edges>

/** Brings a task to another status. Does nothing if it is not known or is there already. */
export const transition = (draft: Draft, id: TaskId, target: Target): void => {
  const task = draft.task(id)
  if (task === undefined || task.status._tag === target._tag) return
  if (take(draft, task, target)) return
  if (task.status._tag === "Released") return
  const stop = "stop" in target ? target.stop : true
  take(draft, task, { _tag: "Released", stop })
  const after = draft.task(id)
  if (after !== undefined) take(draft, after, target)
}

/** Runs the follow-ups dry. */
export const settle = (draft: Draft): void => {
  const { toCompute, toDrop, toFail } = draft
  let computed = 0
  let failed = 0
  let dropped = 0
  for (;;) {
    if (computed < toCompute.length) computeIfNeeded(draft, toCompute[computed++])
    else if (failed < toFail.length) failWithDependency(draft, toFail[failed++])
    else if (dropped < toDrop.length) dropIfUnneeded(draft, toDrop[dropped++])
    else break
  }
  // To set a length costs much more than to see that it need not be set.
  if (computed > 0) toCompute.length = 0
  if (failed > 0) toFail.length = 0
  if (dropped > 0) toDrop.length = 0
}

const take = (draft: Draft, task: Task, target: Target): boolean => {
  // The cast joins the halves of one lookup: the edge found under a tag takes the target of that tag.
  const edge = (table[task.status._tag] as Edges)[target._tag] as
    | ((draft: Draft, task: Task, target: Target) => void)
    | undefined
  if (edge === undefined) return false
  edge(draft, task, target)
  return true
}

const computeIfNeeded = (draft: Draft, id: TaskId = noTask): void => {
  const task = draft.task(id)
  if (task?.status._tag !== "Released" || !isNeeded(task)) return
  if (isData(draft, id)) return arrivingOf(draft, id) === undefined ? transition(draft, id, lost(id)) : undefined
  const failed = failedDependency(draft, task)
  if (failed === undefined) transition(draft, id, toWaiting)
  else transition(draft, id, failed)
}

const failWithDependency = (draft: Draft, id: TaskId = noTask): void => {
  const task = draft.task(id)
  if (task?.status._tag !== "Waiting") return
  const failed = failedDependency(draft, task)
  if (failed !== undefined) transition(draft, id, failed)
}

/** The failure of a dependency, which is the task's own. */
const failedDependency = (draft: Draft, task: Task): Target | undefined => {
  if (task.dependencies.length === 0) return undefined
  for (const id of task.dependencies) {
    const status = draft.task(id)?.status
    if (status?._tag === "Erred") {
      return { _tag: "Erred", failure: status.failure, origin: status.origin, stop: false }
    }
  }
  return undefined
}

/**
 * What nobody needs is released, and forgotten if no known task depends on it:
 * as long as one does, it may have to be computed again. A failure is kept for
 * those that failed with it.
 */
const dropIfUnneeded = (draft: Draft, id: TaskId = noTask): void => {
  const task = draft.task(id)
  if (task === undefined || isNeeded(task)) return
  const isLeaf = IntSet.size(task.dependents) === 0
  if (task.status._tag === "Erred" && !isLeaf) return
  transition(draft, id, toReleased)
  if (isLeaf) transition(draft, id, toForgotten)
}

const toWaiting = { _tag: "Waiting" } as const
const toReleased = { _tag: "Released", stop: true } as const
const toForgotten = { _tag: "Forgotten" } as const
