/**
 * How long a task will take, and how much must be fetched for it.
 *
 * Source: dask.distributed `scheduler.py`, `TaskPrefix.add_duration` (the first
 * sample as it is, then half new and half old), `get_task_duration` and
 * `get_comm_cost`. Dask's kinds are prefixes of keys, ours the code called.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { CodeId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"

/** A task of this code ran for `ms`. What is no duration is not learnt from. */
export const learn = (draft: Draft, code: CodeId, ms: number): void => {
  if (!(ms >= 0 && ms < Infinity)) return
  const kind = draft.editKind(code)
  kind.meanMs = kind.meanMs === undefined ? ms : 0.5 * kind.meanMs + 0.5 * ms
}

/**
 * What the task adds to the worker's occupancy: computing, and fetching what it lacks there.
 *
 * In whole 1024ths of a millisecond, of which sums are exact: so an occupancy is
 * always the sum of its parts, and 0 when there are none.
 */
export const expectedMs = (draft: Draft, task: Task, worker: WorkerId): number => {
  const duration = draft.kind(task.code)?.meanMs ?? draft.config.unknownDurationMs
  const transfer = task.dependencies.length === 0 ? 0 : missingBytes(draft, task, worker) / draft.config.bytesPerMs
  return Math.round((duration + transfer) * 1024) / 1024
}

/** Bytes of the dependencies that the worker does not hold, each counted once. */
export const missingBytes = (draft: Draft, task: Task, worker: WorkerId): number => {
  let bytes = 0
  for (const id of distinctDependencies(task)) {
    const status = draft.task(id)?.status
    if (status?._tag === "Memory" && !IntSet.has(status.whoHas, worker)) bytes += status.nbytes
  }
  return bytes
}

/** Each dependency once, however many holes it fills. */
export const distinctDependencies = ({ dependencies }: Task): ReadonlyArray<TaskId> => {
  if (dependencies.length > IntSet.maxSmall) return [...new Set(dependencies)]
  for (let at = 1; at < dependencies.length; at++) {
    const id = dependencies[at]
    for (let before = 0; before < at; before++) {
      if (dependencies[before] === id) return [...new Set(dependencies)]
    }
  }
  return dependencies
}
