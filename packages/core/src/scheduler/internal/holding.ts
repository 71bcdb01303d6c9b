/**
 * Results in workers' records: what each has, and how much that is.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Memory, Worker } from "../State.ts"
import type { Draft } from "./draft.ts"

/** Holders named in one message at most: a worker that cannot reach any of them asks again. */
const namedHolders = 16

/** The first few that have the result. */
export const holders = (memory: Memory): ReadonlyArray<WorkerId> =>
  IntSet.size(memory.whoHas) <= namedHolders
    ? IntSet.toArray(memory.whoHas)
    : firstOf(memory.whoHas, namedHolders)

/** Writes into the worker's record that it has a result of this size. */
export const hold = (draft: Draft, worker: Worker, id: TaskId, nbytes: number): void => {
  const edited = draft.editWorker(worker)
  edited.hasWhat = IntSet.add(edited.hasWhat, draft.owner, id)
  edited.nbytes += nbytes
}

/** The same for a result that it has no longer. Does nothing if it has left. */
export const unhold = (draft: Draft, id: WorkerId, task: TaskId, nbytes: number): void => {
  const worker = draft.worker(id)
  if (worker === undefined) return
  const edited = draft.editWorker(worker)
  edited.hasWhat = IntSet.remove(edited.hasWhat, draft.owner, task)
  edited.nbytes -= nbytes
}

const firstOf = <Id extends number>(set: IntSet.IntSet<Id>, count: number): ReadonlyArray<Id> => {
  const ids: Array<Id> = []
  for (const id of IntSet.values(set)) {
    if (ids.length === count) break
    ids.push(id)
  }
  return ids
}
