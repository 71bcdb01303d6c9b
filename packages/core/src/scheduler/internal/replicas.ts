/**
 * Who has which result.
 *
 * A worker that computes a task may have been told of holders that are gone by
 * the time it fetches. It is told anew when one is lost, and may ask.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Task, Worker } from "../State.ts"
import type { Draft } from "./draft.ts"
import { hold, holders, unhold } from "./holding.ts"
import { transition } from "./transition.ts"

/**
 * A worker says that it holds the result of this run. If that is the result we
 * know, it is one more holder; if not, nobody will ever want it.
 */
export const addReplica = (draft: Draft, worker: Worker, id: TaskId, run: RunId): void => {
  const task = draft.task(id)
  if (task === undefined || task.status._tag !== "Memory" || task.status.run !== run) {
    return draft.send({ _tag: "FreeKey", worker: worker.id, id, run })
  }
  const { status } = task
  if (IntSet.has(status.whoHas, worker.id)) return
  hold(draft, worker, id, status.nbytes)
  draft.editTask(task).status = { ...status, whoHas: IntSet.add(status.whoHas, draft.owner, worker.id) }
}

/**
 * A worker does not hold the result of this run any more.
 *
 * With the last copy goes the result: it is computed again if somebody needs
 * it, and so does all that was about to use it. Those that had been given to a
 * worker are taken from it, for it could wait long for the input.
 *
 * Source: dask.distributed `scheduler.py`, `remove_replica` and `_transition_memory_released`.
 */
export const removeReplica = (draft: Draft, worker: WorkerId, id: TaskId, run: RunId): void => {
  const task = draft.task(id)
  if (task === undefined || task.status._tag !== "Memory") return
  const { status } = task
  if (status.run !== run || !IntSet.has(status.whoHas, worker)) return
  unhold(draft, worker, id, status.nbytes)
  const whoHas = IntSet.remove(status.whoHas, draft.owner, worker)
  const edited = draft.editTask(task)
  edited.status = { ...status, whoHas }
  if (IntSet.size(whoHas) > 0) return tellReaders(draft, edited)
  transition(draft, id, { _tag: "Released", stop: true })
  IntSet.forEach(edited.whoWants, (client) => draft.send({ _tag: "ReportPending", client, id }))
  IntSet.forEach(edited.dependents, (dependent) => missAgain(draft, dependent, id))
  draft.toCompute.push(id)
}

/** Tells a worker who has the result of this run now: nobody, if it is not the present one. */
export const tellHolders = (draft: Draft, worker: WorkerId, id: TaskId, run: RunId): void => {
  const status = draft.task(id)?.status
  const whoHas = status?._tag === "Memory" && status.run === run
    ? holders(status).filter((holder) => holder !== worker)
    : []
  draft.send({ _tag: "TellHolders", worker, id, run, whoHas })
}

/** Tells those who may be about to fetch a result who has it now. */
const tellReaders = (draft: Draft, task: Task): void => {
  const { status } = task
  if (status._tag !== "Memory" || task.waiters === 0) return
  const told = new Set<WorkerId>()
  IntSet.forEach(task.dependents, (id) => {
    const reader = draft.task(id)?.status
    if (reader?._tag !== "Processing" || told.has(reader.worker) || IntSet.has(status.whoHas, reader.worker)) return
    told.add(reader.worker)
    tellHolders(draft, reader.worker, task.id, status.run)
  })
}

/** A dependency of `id` has been lost. */
const missAgain = (draft: Draft, id: TaskId, dependency: TaskId): void => {
  const task = draft.task(id)
  if (task === undefined) return
  const { status } = task
  if (status._tag === "Waiting") {
    draft.editTask(task).status = { ...status, waitingOn: IntSet.add(status.waitingOn, draft.owner, dependency) }
  } else if (status._tag === "NoWorker" || status._tag === "Queued" || status._tag === "Processing") {
    transition(draft, id, { _tag: "Released", stop: true })
    draft.toCompute.push(id)
  }
}
