/**
 * Every way out of `Released`.
 *
 * Source: dask.distributed `scheduler.py`, `_transition_released_waiting`,
 * `_transition_released_erred` and `_transition_released_forgotten`.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../../persistent/IntSet.ts"
import type { Task } from "../../State.ts"
import { forgetData } from "../data.ts"
import { giveUpDemand } from "../demands.ts"
import type { Draft } from "../draft.ts"
import { becomeErred, becomeMemory, waitingForNothing } from "../play.ts"
import type { Edges } from "../edges.ts"
import { remember } from "../remembering.ts"

/** It is to be computed: it needs its dependencies, and so they are to be computed too. */
const toWaiting = (draft: Draft, task: Task): void => {
  let waitingOn = IntSet.empty<TaskId>()
  for (const id of task.dependencies) {
    const dependency = draft.task(id)
    if (dependency === undefined) continue
    const edited = draft.editTask(dependency)
    edited.waiters++
    if (edited.status._tag === "Memory") continue
    waitingOn = IntSet.add(waitingOn, draft.owner, id)
    if (edited.status._tag === "Released") draft.toCompute.push(id)
  }
  const isReady = IntSet.size(waitingOn) === 0
  draft.move(task, isReady ? waitingForNothing : { _tag: "Waiting", waitingOn })
  if (isReady) draft.ready.push(task.id)
}

/** Nothing is left of it, and its dependencies have one reason less to be kept. */
const toForgotten = (draft: Draft, task: Task): void => {
  remember(draft, task)
  draft.removeTask(task)
  giveUpDemand(draft, task.demand)
  forgetData(draft, task.id)
  draft.send({ _tag: "Forgotten", id: task.id })
  for (const id of task.dependencies) {
    const dependency = draft.task(id)
    if (dependency === undefined) continue
    const edited = draft.editTask(dependency)
    edited.dependents = IntSet.remove(edited.dependents, draft.owner, task.id)
    draft.toDrop.push(id)
  }
}

export const released = {
  Waiting: toWaiting,
  /** A worker joined that had the result. */
  Memory: becomeMemory,
  /** A dependency failed, or it was cancelled before its graph was whole. */
  Erred: becomeErred,
  Forgotten: toForgotten
} satisfies Edges
