/**
 * The books of slots: what waits for one, what holds one, what runs without.
 *
 * Who may end the process is noted beside them (notes.ts), because the note must
 * be written whichever way a body ends.
 */
import type { Isolation, Millis, RunId, TaskId } from "@skein/protocol/Ids"
import type { Assignment } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import type { State, Stopping } from "../State.ts"
import type { Draft } from "./draft.ts"
import { act, rest } from "./notes.ts"

/** How many bodies of this isolation may hold slots at once. A thread's queue counts: what is in it has been given away. */
export const slots = (state: State, isolation: Isolation): number =>
  isolation === "thread" ? state.nthreads * (1 + threadQueue(state)) : state.nfibers

/** As many jobs as are little work, for a long one would keep many waiting. */
const threadQueue = ({ config, threadMs }: State): number =>
  threadMs === undefined ? 0 : Math.min(config.threadQueue, Math.floor(config.threadQueueMs / threadMs))

/** A body in a thread has ended by itself after so long: the latest count most. */
export const learnThreadMs = (draft: Draft, ms: number): void => {
  const { threadMs } = draft.next
  draft.next.threadMs = threadMs === undefined ? ms : threadMs + (ms - threadMs) / LATELY
}

/** Bodies that make up about two thirds of the average. */
const LATELY = 8

export const slotsTaken = (state: State, isolation: Isolation): number =>
  isolation === "thread" ? state.threads : state.fibers

export const readyQueue = (state: State, isolation: Isolation): Ranked.Ranked<TaskId> =>
  isolation === "thread" ? state.readyThreads : state.readyFibers

/** The place of a ready task: its rank, or the next that is free, should another task have the same. */
export const readyPosition = (draft: Draft, assignment: Assignment): Ranked.Position =>
  freePosition(readyQueue(draft.next, assignment.isolation), assignment)

/** `position`, or the next that is free. */
export const freePosition = (queue: Ranked.Ranked<TaskId>, { priority, rank }: Ranked.Position): Ranked.Position => {
  let free = rank
  while (Ranked.get(queue, { priority, rank: free }) !== undefined) free++
  return { priority, rank: free }
}

export const enqueue = (draft: Draft, isolation: Isolation, position: Ranked.Position, id: TaskId): void => {
  const { next, owner } = draft
  if (isolation === "thread") next.readyThreads = Ranked.add(next.readyThreads, owner, position, id)
  else next.readyFibers = Ranked.add(next.readyFibers, owner, position, id)
}

export const dequeue = (draft: Draft, isolation: Isolation, position: Ranked.Position): void => {
  const { next, owner } = draft
  if (isolation === "thread") next.readyThreads = Ranked.remove(next.readyThreads, owner, position)
  else next.readyFibers = Ranked.remove(next.readyFibers, owner, position)
}

export const takeSlot = (draft: Draft, isolation: Isolation): void => {
  if (isolation === "thread") draft.next.threads++
  else draft.next.fibers++
}

export const freeSlot = (draft: Draft, isolation: Isolation): void => {
  if (isolation === "thread") draft.next.threads--
  else draft.next.fibers--
}

/** Something of a body runs from here on. */
export const beginRun = (draft: Draft, run: RunId, alone: boolean): void => {
  draft.next.running++
  if (alone) draft.next.lone = run
  act(draft, run, alone)
}

/** Nothing of it runs any more. `waited`: it had rested before. */
export const endRun = (draft: Draft, run: RunId, alone: boolean, waited = false): void => {
  draft.next.running--
  leaveAlone(draft, run)
  if (!waited) rest(draft, run, alone)
}

/** If nothing was to start beside this one, others may again. */
export const leaveAlone = (draft: Draft, run: RunId): void => {
  if (draft.next.lone === run) draft.next.lone = undefined
}

/** It was interrupted: what is still there at the deadlines is stopped by other means. */
export const watchStop = (draft: Draft, id: TaskId, stopping: Stopping): void => {
  const { next, owner } = draft
  next.stopping = IntSet.add(next.stopping, owner, id)
  draft.wakeBy(stopDeadline(next, stopping) ?? Infinity)
}

/** When something is next to be done about it; undefined if nothing is left to do but wait. */
export const stopDeadline = ({ config, ending }: State, stopping: Stopping): Millis | undefined => {
  if (stopping.isolation === "thread" && !stopping.terminated) return stopping.since + config.terminateMs
  return ending ? undefined : stopping.since + config.endProcessMs
}
