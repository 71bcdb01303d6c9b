/**
 * Moving tasks that were given to a worker and have not begun.
 *
 * Prefetched tasks wait behind others while a worker elsewhere has nothing to do.
 * Whenever an event leaves a worker idle and nothing queued, the task that would
 * be begun last on the worker with the longest wait is asked back. If it had not
 * begun, the idle worker gets it. Each idle slot has one such question under way
 * at most, and so has each task.
 *
 * A task moves only where it can begin at once, from where it waits longer than
 * a question and the fetching of its inputs take. So it does not come back: the
 * worker that it left is not idle then.
 *
 * Source: dask.distributed `stealing.py`. There, 15 buckets by the ratio of
 * transfer to computing are gone through once a second; here the question is
 * asked when it arises, for few workers are concerned at a time.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { Isolation, WorkerId } from "@skein/protocol/Ids"
import type { Processing, Task, Worker } from "../State.ts"
import { takeBack } from "./assignment.ts"
import type { Draft } from "./draft.ts"
import { missingBytes } from "./estimates.ts"
import { waitMs } from "./load.ts"

/** Workers compared at most to find one that has too much to do. */
const victimsCompared = 16

/** Asks tasks back for workers that are idle. */
export const balance = (draft: Draft): void => {
  balanceIn(draft, "fiber")
  balanceIn(draft, "thread")
}

const balanceIn = (draft: Draft, isolation: Isolation): void => {
  const pool = draft.pool(isolation)
  if (pool.queue.size > 0 || IntSet.size(pool.laden) === 0) return
  for (;;) {
    const thief = draft.worker(IntSet.min(pool.idle) ?? nobody)
    if (thief === undefined) return
    const victim = mostLaden(draft, isolation, pool.laden)
    if (victim === undefined || !takeFrom(draft, isolation, victim, thief)) return
  }
}

const mostLaden = (draft: Draft, isolation: Isolation, laden: IntSet.IntSet<WorkerId>): Worker | undefined => {
  let worst: Worker | undefined
  let compared = 0
  for (const id of IntSet.values(laden)) {
    if (compared++ === victimsCompared) break
    const worker = draft.worker(id)
    if (worker !== undefined && (worst === undefined || waitMs(worker[isolation]) > waitMs(worst[isolation]))) {
      worst = worker
    }
  }
  return worst
}

/** Asks `victim` for the task that it would begin last of those that are worth moving. */
const takeFrom = (draft: Draft, isolation: Isolation, victim: Worker, thief: Worker): boolean => {
  let last: { readonly task: Task; readonly status: Processing } | undefined
  IntSet.forEach(victim.processing, (id) => {
    const task = draft.task(id)
    if (task?.status._tag !== "Processing" || task.isolation !== isolation || !mayMove(task, task.status)) return
    if (last !== undefined && !isLater(task, last.task)) return
    if (gainMs(draft, task, task.status, victim, thief) > 0) last = { task, status: task.status }
  })
  if (last === undefined) return false
  takeBack(draft, last.task, last.status, victim, thief)
  return true
}

/** A suspect stays where it is: it waits for a quiet moment there. */
const mayMove = (task: Task, status: Processing): boolean =>
  !task.suspect && !status.started && !status.seceded && status.takingBackFor === undefined

const isLater = (a: Task, b: Task): boolean => a.priority < b.priority || (a.priority === b.priority && a.rank > b.rank)

/** What the task waits for the others where it is, less the question and what it lacks where it could go. */
const gainMs = (draft: Draft, task: Task, status: Processing, victim: Worker, thief: Worker): number => {
  const load = victim[task.isolation]
  const { bytesPerMs, takeBackMs } = draft.config
  return (load.occupancyMs - status.expectedMs) / load.slots - takeBackMs - missingBytes(draft, task, thief.id) / bytesPerMs
}

/** No id. */
const nobody = -1
