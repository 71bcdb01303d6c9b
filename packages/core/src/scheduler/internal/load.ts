/**
 * How much a worker has to do, and whether it should be given more.
 *
 * A worker is given more than it has slots, so that it never waits a round trip
 * for its next task: two tasks for each slot always, and up to 64 while all it
 * has is less than 20 ms of work for each slot. Tasks of a second are thus hardly
 * prefetched, and tasks that do nothing flow at full speed. The measure is work
 * and not the number of tasks of a kind, so that nothing short is put behind
 * something long.
 *
 * The cost of this: what was given may have to be taken back (takingBack.ts).
 *
 * Dask has a factor on the number of threads (`worker-saturation`, 1.1) in place
 * of this, which costs a one-thread worker a round trip for each task.
 */
import type { Isolation, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Config, Load, Worker } from "../State.ts"
import { admit, dismiss } from "./demands.ts"
import type { Draft, EditedWorker } from "./draft.ts"

/** Whether a worker with this load may be given another task. */
export const hasRoom = (config: Config, load: Load): boolean =>
  load.assigned < 2 * load.slots ||
  (load.assigned < (1 + config.prefetchTasks) * load.slots && load.occupancyMs < config.prefetchMs * load.slots)

/** Whether a worker with this load would start another task at once. */
export const isIdle = (load: Load): boolean => load.assigned + load.coming < load.slots

/** Whether with this load some task waits so long that moving it may be worth a question. */
export const isLaden = (config: Config, load: Load): boolean =>
  someWaits(load) && (load.occupancyMs > config.takeBackMs * load.slots || load.stalledMs > config.takeBackMs)

/** Whether with this load some task waits, and might yet be seen to wait longer than was expected. */
export const isWatched = (load: Load): boolean => someWaits(load) && load.stalledMs < longestStallMs

/** A stall of this length, a minute, makes any move worth its while. */
const longestStallMs = 60_000

const someWaits = (load: Load): boolean => load.assigned - load.leaving > load.slots

/**
 * Milliseconds until a worker with this load could start one more task. Dask's `occupancy / nthreads`, as long as that is
 * believable: where nothing has ended for some time, as much time again is expected to go by, as Dask expects of a task that
 * runs for longer than others of its kind. `lessMs`: of the work that is there already, what is not waited for.
 */
export const waitMs = (load: Load, lessMs = 0): number => Math.max((load.occupancyMs - lessMs) / load.slots, load.stalledMs)

/** Counts a run in. */
export const assign = (draft: Draft, worker: Worker, isolation: Isolation, expectedMs: number): EditedWorker => {
  const edited = draft.editWorker(worker)
  edited[isolation].assigned++
  edited[isolation].occupancyMs += expectedMs
  if (edited[isolation].assigned === edited[isolation].slots + 1) moved(draft, edited[isolation])
  refresh(draft, edited, isolation)
  return edited
}

/** Counts a run out. `moves`: it has left its slot to the next. */
export const unassign = (draft: Draft, worker: Worker, isolation: Isolation, expectedMs: number, moves = true): EditedWorker => {
  const edited = draft.editWorker(worker)
  if (moves) moved(draft, edited[isolation])
  edited[isolation].assigned--
  edited[isolation].occupancyMs -= expectedMs
  refresh(draft, edited, isolation)
  return edited
}

/** From now on it counts how long tasks wait: a run has ended, or the first task waits. */
const moved = (draft: Draft, load: EditedWorker[Isolation]): void => {
  load.movedAt = draft.at
  load.stalledMs = 0
}

/** Counts a worker's slots in, once it has joined. */
export const open = (draft: Draft, worker: Worker): void => {
  for (const isolation of ["fiber", "thread"] as const) {
    draft.pool(isolation).slots += worker[isolation].slots
    refresh(draft, worker, isolation)
  }
  admit(draft, worker)
}

/** Counts a worker's slots out, once: it leaves, or is to be ended. */
export const close = (draft: Draft, worker: Worker): void => {
  for (const isolation of ["fiber", "thread"] as const) {
    const pool = draft.pool(isolation)
    pool.slots -= worker[isolation].slots
    pool.open = IntSet.remove(pool.open, draft.owner, worker.id)
    pool.idle = IntSet.remove(pool.idle, draft.owner, worker.id)
    pool.laden = IntSet.remove(pool.laden, draft.owner, worker.id)
    pool.watched = IntSet.remove(pool.watched, draft.owner, worker.id)
  }
  dismiss(draft, worker)
}

/** Keeps the sets of open, idle, laden and watched workers true after a change of load. */
export const refresh = (draft: Draft, worker: Worker, isolation: Isolation): void => {
  if (worker.ending) return
  const pool = draft.pool(isolation)
  const load = worker[isolation]
  pool.open = put(draft, pool.open, worker.id, hasRoom(draft.config, load))
  pool.idle = put(draft, pool.idle, worker.id, isIdle(load))
  pool.laden = put(draft, pool.laden, worker.id, isLaden(draft.config, load))
  pool.watched = put(draft, pool.watched, worker.id, isWatched(load))
}

const put = (
  draft: Draft,
  set: IntSet.IntSet<WorkerId>,
  id: WorkerId,
  isMember: boolean
): IntSet.IntSet<WorkerId> =>
  IntSet.has(set, id) === isMember ? set : isMember ? IntSet.add(set, draft.owner, id) : IntSet.remove(set, draft.owner, id)
