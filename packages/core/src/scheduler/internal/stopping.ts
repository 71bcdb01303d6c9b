/**
 * Runs that nobody needs any more, until nothing of them runs.
 *
 * A cancelled run still has its slot, and whoever cancelled it is told only once
 * it has stopped. The worker ends it by harsher and harsher means (it interrupts
 * a fiber, after 100 ms ends a thread); what has not stopped after two seconds
 * has blocked the worker itself, and costs it its process. Nobody is blamed for
 * that: the worker's other tasks are placed again.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Processing, Stopping, Task, Worker } from "../State.ts"
import { amountsDemanded, vacate } from "./demands.ts"
import type { Draft } from "./draft.ts"
import { close, unassign } from "./load.ts"

/** Has a run stopped. Its load stays with the worker until it has. */
export const stop = (draft: Draft, task: Task, status: Processing): void => {
  const worker = draft.worker(status.worker)
  if (worker === undefined) return
  const edited = draft.editWorker(worker)
  edited.stopping = IntSet.add(edited.stopping, draft.owner, task.id)
  const entry: Stopping = {
    worker: status.worker,
    run: status.run,
    rank: task.rank,
    isolation: task.isolation,
    since: draft.at,
    hasSlot: !status.seceded,
    expectedMs: status.expectedMs,
    amounts: amountsDemanded(draft, task),
    asks: []
  }
  draft.setStopping(task.id, [...draft.stoppingOf(task.id), entry])
  draft.send({ _tag: "CancelTask", worker: status.worker, id: task.id, run: status.run })
  draft.wake(draft.at + draft.config.stopWithinMs)
}

/** Nothing of this run runs any more. Does nothing if it was not being stopped. */
export const stopped = (draft: Draft, worker: WorkerId, id: TaskId, run: RunId): boolean => {
  const entries = draft.stoppingOf(id)
  const entry = entries.find((entry) => entry.worker === worker && entry.run === run)
  if (entry === undefined) return false
  forget(draft, id, entries, [entry])
  return true
}

/** The worker is gone, and with it whatever it was to stop. */
export const allStopped = (draft: Draft, worker: Worker): void =>
  IntSet.forEach(worker.stopping, (id) => {
    const entries = draft.stoppingOf(id)
    forget(draft, id, entries, entries.filter((entry) => entry.worker === worker.id))
  })

/**
 * Makes the question at `place` wait for all runs of this task that have not stopped, and returns how many they are.
 *
 * Those of an earlier life of its id too: as a rule that was the same key, released while it ran and wanted again. If it was
 * another's, the answer comes a moment later.
 */
export const awaitStopped = (draft: Draft, task: Task, place: number): number => {
  const entries = draft.stoppingOf(task.id)
  const own = entries.filter((entry) => !entry.asks.includes(place))
  if (own.length > 0) {
    draft.setStopping(
      task.id,
      entries.map((entry) => own.includes(entry) ? { ...entry, asks: [...entry.asks, place] } : entry)
    )
  }
  return own.length
}

/** Ends the workers that have not stopped something in time, and sees to it that time is watched as long as there are others. */
export const endOverdue = (draft: Draft): void => {
  const dueOf = new Map<WorkerId, number>()
  Vector.forEach(draft.state.stopping, (entries) =>
    entries.forEach(({ since, worker }) =>
      void dueOf.set(worker, Math.min(dueOf.get(worker) ?? Infinity, since + draft.config.stopWithinMs))))
  let next = Infinity
  for (const [id, due] of dueOf) {
    const worker = draft.worker(id)
    if (worker === undefined || worker.ending) continue
    if (due > draft.at) next = Math.min(next, due)
    else {
      close(draft, worker)
      draft.editWorker(worker).ending = true
      draft.send({ _tag: "EndWorker", worker: id, reason: "a cancelled task did not stop" })
    }
  }
  if (next < Infinity) draft.wake(next)
}

const forget = (draft: Draft, id: TaskId, entries: ReadonlyArray<Stopping>, gone: ReadonlyArray<Stopping>): void => {
  const left = entries.filter((entry) => !gone.includes(entry))
  draft.setStopping(id, left)
  for (const entry of gone) {
    const worker = draft.worker(entry.worker)
    if (worker !== undefined) {
      if (!left.some((other) => other.worker === entry.worker)) {
        const edited = draft.editWorker(worker)
        edited.stopping = IntSet.remove(edited.stopping, draft.owner, id)
      }
      if (entry.amounts.length > 0) vacate(draft.editWorker(worker), entry.amounts)
      if (entry.hasSlot) unassign(draft, worker, entry.isolation, entry.expectedMs)
    }
    entry.asks.forEach((place) => answerIfLast(draft, place))
  }
}

const answerIfLast = (draft: Draft, place: number): void => {
  const question = Vector.get(draft.state.asks, place)
  // Whoever asked may have gone or given up.
  if (question?._tag !== "Cancel") return
  if (question.running > 1) return draft.setAsk(place, { ...question, running: question.running - 1 })
  draft.removeAsk(place)
  const { ask, client, outcomes } = question
  draft.send({ _tag: "Reply", client, ask, answer: { _tag: "Cancelled", outcomes } })
}
