/** What operators, tests and the shell ask of a worker's state. */
import type { Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../persistent/IntSet.ts"
import * as Vector from "../persistent/Vector.ts"
import { slots, slotsTaken } from "./internal/slots.ts"
import type { State, StatusTag, Task } from "./State.ts"

/** One task, for people. */
export interface TaskView {
  readonly id: TaskId
  readonly run: RunId
  readonly status: StatusTag
  /** Whether it is to be computed here, or is being computed. */
  readonly assigned: boolean
  /** Inputs that it waits for. */
  readonly waitingOn: ReadonlyArray<TaskId>
  /** Tasks here that wait to use its result. */
  readonly dependents: ReadonlyArray<TaskId>
  /** Peers known to have its result, if it is to come from one. */
  readonly whoHas: ReadonlyArray<WorkerId>
  readonly nbytes: number
}

/** Slots taken, and slots there are. Of threads more may be taken than there are when bodies become longer. */
export interface Slots {
  readonly taken: number
  readonly all: number
}

/** How many tasks have each status. Constant time. */
export const counts = (state: State): Readonly<Record<StatusTag, number>> => state.counts

/** Slots for plain bodies, the queues of threads included, and for effects. */
export const slotsOf = (state: State): { readonly thread: Slots; readonly fiber: Slots } => ({
  thread: { taken: slotsTaken(state, "thread"), all: slots(state, "thread") },
  fiber: { taken: slotsTaken(state, "fiber"), all: slots(state, "fiber") }
})

/** Bytes of all results in memory. */
export const managedBytes = (state: State): number => state.nbytes

/** All results in memory, as they are offered when the worker registers again. */
export const holds = (state: State): ReadonlyArray<Held> =>
  [...Vector.values(state.tasks)].flatMap(({ id, run, status }) =>
    status._tag === "Memory" ? [{ id, run, nbytes: status.nbytes }] : [])

/** Runs of which something runs now, those that are being stopped included. */
export const running = (state: State): ReadonlyArray<{ readonly id: TaskId; readonly run: RunId; readonly since: Millis }> =>
  [...Vector.values(state.tasks)].flatMap(({ id, run, status }) =>
    status._tag === "Executing" || status._tag === "LongRunning"
      ? [{ id, run, since: status.since }]
      : status._tag === "Stopping"
      ? [{ id, run: status.run, since: status.since }]
      : [])

/** All tasks that anything is known of, by id. */
export const tasks = (state: State): ReadonlyArray<TaskView> => [...Vector.values(state.tasks)].map(view)

/** What is known of one task; undefined if nothing is. */
export const task = (state: State, id: TaskId): TaskView | undefined => {
  const found = Vector.get(state.tasks, id)
  return found === undefined ? undefined : view(found)
}

/** Whether it has nothing to do, holds nothing, and waits for nothing. */
export const isEmpty = (state: State): boolean => state.tasks.size === 0 && state.peers.size === 0

const view = ({ assignment, dependents, id, nbytes, run, status, whoHas }: Task): TaskView => ({
  id,
  run,
  status: status._tag,
  assigned: assignment !== undefined,
  waitingOn: status._tag === "Waiting" ? IntSet.toArray(status.waitingOn) : [],
  dependents: IntSet.toArray(dependents),
  whoHas: IntSet.toArray(whoHas),
  nbytes
})
