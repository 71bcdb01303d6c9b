/**
 * Moving tasks that were given to a worker and have not begun.
 *
 * Prefetched tasks wait behind others while a worker elsewhere has nothing to do.
 * Whenever an event leaves a worker idle and nothing queued, the task that would
 * be begun last on the worker with the longest wait is asked back. If it had not
 * begun, the idle worker gets it. Each idle slot has one such question under way
 * at most, and so has each task.
 *
 * How long a task waits is first estimated, from others of its kind. A body may
 * take for ever all the same, so time is watched while a worker is idle and tasks
 * wait elsewhere: where nothing has ended for a while, the wait is at least that.
 *
 * A suspect waits for a moment in which nothing else runs on its worker, so it
 * moves only to a worker that has nothing at all to do.
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
import { mayRunOn } from "./demands.ts"
import type { Draft } from "./draft.ts"
import { missingBytes } from "./estimates.ts"
import { refresh, waitMs } from "./load.ts"

/** Workers compared at most to find one that has too much to do. */
const victimsCompared = 16

/** Asks tasks back for workers that are idle. */
export const balance = (draft: Draft): void => {
  balanceIn(draft, "fiber")
  balanceIn(draft, "thread")
  balanceSuspects(draft)
}

/** Time went by: looks how long tasks have been waiting where nothing moves. */
export const noticeStalls = (draft: Draft): void => {
  noticeStallsIn(draft, "fiber")
  noticeStallsIn(draft, "thread")
}

const noticeStallsIn = (draft: Draft, isolation: Isolation): void => {
  for (const id of [...IntSet.values(draft.pool(isolation).watched)]) {
    const worker = draft.worker(id)
    if (worker === undefined) continue
    const stalledMs = draft.at - worker[isolation].movedAt
    if (stalledMs < draft.config.stallMs || stalledMs === worker[isolation].stalledMs) continue
    const edited = draft.editWorker(worker)
    edited[isolation].stalledMs = stalledMs
    refresh(draft, edited, isolation)
  }
}

const balanceIn = (draft: Draft, isolation: Isolation): void => {
  const pool = draft.pool(isolation)
  if (pool.queue.size > 0 || IntSet.size(pool.watched) + IntSet.size(pool.laden) === 0) return
  for (;;) {
    const thief = draft.worker(IntSet.min(pool.idle) ?? nobody)
    if (thief === undefined) return
    const victim = mostLaden(draft, isolation, pool.laden)
    if (victim === undefined) break
    // What this one may not have, where tasks demand something, may be another's.
    if (!takeFrom(draft, isolation, victim, thief) && (draft.state.demands.size === 0 || !takeForAny(draft, isolation))) break
  }
  if (IntSet.size(pool.watched) > 0) draft.wake(draft.at + draft.config.stallMs)
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
    if ((last !== undefined && !isLater(task, last.task)) || !mayRunOn(draft, task, thief)) return
    if (gainMs(draft, task, task.status, victim, thief) > 0) last = { task, status: task.status }
  })
  if (last === undefined) return false
  takeBack(draft, last.task, last.status, victim, thief)
  return true
}

/** Looks at several laden workers, and for what they have at any idle worker that may have it. */
const takeForAny = (draft: Draft, isolation: Isolation): boolean => {
  let compared = 0
  for (const id of IntSet.values(draft.pool(isolation).laden)) {
    const victim = compared++ === victimsCompared ? undefined : draft.worker(id)
    if (victim === undefined) break
    for (const task of oneOfEachDemand(draft, isolation, victim)) {
      const thief = idleFor(draft, task)
      if (thief !== undefined && takeFrom(draft, isolation, victim, thief)) return true
    }
  }
  return false
}

const oneOfEachDemand = (draft: Draft, isolation: Isolation, victim: Worker): Iterable<Task> => {
  const found = new Map<number | undefined, Task>()
  IntSet.forEach(victim.processing, (id) => {
    const task = draft.task(id)
    if (task !== undefined && task.isolation === isolation && !found.has(task.demand)) found.set(task.demand, task)
  })
  return found.values()
}

/** An idle worker that may have this task, the first that will do. */
const idleFor = (draft: Draft, task: Task, willDo: (worker: Worker) => boolean = () => true): Worker | undefined => {
  for (const id of IntSet.values(draft.pool(task.isolation).idle)) {
    const worker = draft.worker(id)
    if (worker !== undefined && mayRunOn(draft, task, worker) && willDo(worker)) return worker
  }
  return undefined
}

/** A suspect moves by other rules. */
const mayMove = (task: Task, status: Processing): boolean =>
  !task.trials.suspect && !status.started && !status.seceded && status.takingBackFor === undefined

const isLater = (a: Task, b: Task): boolean => a.priority < b.priority || (a.priority === b.priority && a.rank > b.rank)

/** What the task waits for the others where it is, less the question and what it lacks where it could go. */
const gainMs = (draft: Draft, task: Task, status: Processing, victim: Worker, thief: Worker): number => {
  const { bytesPerMs, takeBackMs } = draft.config
  return waitMs(victim[task.isolation], status.expectedMs) - takeBackMs - missingBytes(draft, task, thief.id) / bytesPerMs
}

/** Asks back what is to run alone and has company, for workers that have none. */
const balanceSuspects = (draft: Draft): void => {
  if (IntSet.size(draft.state.suspects) === 0) return
  for (const id of [...IntSet.values(draft.state.suspects)]) {
    const task = draft.task(id)
    if (task?.status._tag !== "Processing" || task.status.seceded || task.status.takingBackFor !== undefined) continue
    const victim = draft.worker(task.status.worker)
    if (victim === undefined || victim.ending || IntSet.size(victim.processing) + IntSet.size(victim.stopping) === 1) continue
    const thief = idleFor(draft, task, isDeserted)
    if (thief === undefined && task.demand === undefined) return
    if (thief === undefined) continue
    const dueAt = task.status.since + draft.config.stallMs
    if (draft.at < dueAt) draft.wake(dueAt)
    else takeBack(draft, task, task.status, victim, thief)
  }
}

/** It has nothing to do and will get nothing. */
const isDeserted = ({ fiber, processing, stopping, thread }: Worker): boolean =>
  IntSet.size(processing) + IntSet.size(stopping) + fiber.coming + thread.coming === 0

/** No id. */
const nobody = -1
