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
export const holders = (memory: Memory): ReadonlyArray<WorkerId> => IntSet.firstFew(memory.whoHas, namedHolders)

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
