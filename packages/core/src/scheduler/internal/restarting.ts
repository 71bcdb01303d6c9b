/**
 * The cluster begins anew: for whoever cannot tell any more what it is doing.
 *
 * Tasks of all clients are cancelled and results dropped, so nothing is computed
 * again behind anybody's back; and every worker is ended, for what it runs and
 * holds is nobody's now. Whoever watches a worker starts it again. Workers that
 * come meanwhile are new ones, and stay.
 *
 * Source: dask.distributed `scheduler.py`, `Scheduler.restart`; there futures are
 * cancelled by their clients, each for itself.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Of } from "../Event.ts"
import type { Task } from "../State.ts"
import { answerWhenWorkers, isOpen } from "./asks.ts"
import type { Draft } from "./draft.ts"
import { close } from "./load.ts"
import { transition } from "./transition.ts"

/** What tasks that were under way or in memory fail of. */
export const RESTARTED = "the cluster was restarted"

export const onRestartAsked = (draft: Draft, event: Of<"RestartAsked">): void => {
  const client = draft.client(event.client)
  if (client === undefined || isOpen(draft, client.id, event.ask)) return
  const inMemory: Array<TaskId> = []
  const underWay: Array<TaskId> = []
  Vector.forEach(draft.state.tasks, (task) => {
    if (task.status._tag === "Memory") inMemory.push(task.id)
    else if (isUnderWay(task)) underWay.push(task.id)
  })
  const failure = { _tag: "Cancelled", by: client.name, note: RESTARTED, atMs: draft.at } as const
  // What is under way first: a result may go once nothing that was given to a worker needs it.
  for (const id of underWay) transition(draft, id, { _tag: "Erred", failure, origin: id, stop: true })
  for (const id of inMemory) {
    const task = draft.task(id)
    if (task === undefined) continue
    if (IntSet.size(task.whoWants) > 0) transition(draft, id, { _tag: "Erred", failure, origin: id, stop: true })
    else draft.toDrop.push(id)
  }
  endWorkers(draft)
  answerWhenWorkers(draft, client.id, event.ask, event.workers)
}

/** It is computed, or will be: its graph may not be whole yet. */
const isUnderWay = ({ status, whoWants }: Task): boolean =>
  status._tag === "Released" ? IntSet.size(whoWants) > 0 : status._tag !== "Erred"

const endWorkers = (draft: Draft): void =>
  Vector.forEach(draft.state.workers, ({ id }) => {
    const worker = draft.worker(id)
    if (worker === undefined || worker.ending) return
    close(draft, worker)
    draft.editWorker(worker).ending = true
    draft.send({ _tag: "EndWorker", worker: id, reason: RESTARTED })
  })
