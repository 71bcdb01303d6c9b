/**
 * What the shell says of the bodies that it runs.
 *
 * A body that is being stopped counts as stopped whichever way it ends: nobody
 * waits for its result or its failure any more.
 */
import type { RunId, TaskId } from "@skein/protocol/Ids"
import type { Of } from "../../Event.ts"
import type { StatusTag, Task } from "../../State.ts"
import { type Draft, type Owned, released } from "../draft.ts"
import { act, rest } from "../notes.ts"
import { settle } from "../routing.ts"
import { enqueue, leaveAlone, learnThreadMs, readyPosition } from "../slots.ts"
import { watchTime } from "../timing.ts"
import { transition } from "../transition.ts"

/** Its time runs from here on. */
export const onExecuteBegun = (draft: Draft, event: Of<"ExecuteBegun">): void => {
  const task = runningTask(draft, event)
  if (task !== undefined) watchTime(draft, task)
}

/** A result is here. One that nobody asked for is dropped. */
export const onExecuteSucceeded = (draft: Draft, event: Of<"ExecuteSucceeded">): void => {
  const { id, run, nbytes, ms, inline } = event
  const task = runningTask(draft, event)
  if (task !== undefined) {
    if (task.assignment?.isolation === "thread") learnThreadMs(draft, ms)
    draft.send({ _tag: "ReportFinished", id, run, nbytes, ms, inline })
    transition(draft, task, { _tag: "Memory", nbytes, ms, inline })
    task.assignment = undefined
    return settle(draft)
  }
  const known = draft.task(id)
  if (known?.status._tag !== "Memory" || known.run !== run) draft.send({ _tag: "Drop", id, run })
  endStopping(draft, event)
}

export const onExecuteFailed = (draft: Draft, event: Of<"ExecuteFailed">): void => {
  const { id, run, ms, failure, retryable } = event
  const task = runningTask(draft, event)
  if (task === undefined) return endStopping(draft, event)
  if (task.assignment?.isolation === "thread") learnThreadMs(draft, ms)
  draft.send({ _tag: "ReportFailed", id, run, ms, failure, retryable })
  fail(draft, task)
}

/** A death with one culprit. */
export const onExecuteExited = (draft: Draft, event: Of<"ExecuteExited">): void => {
  const { id, run, attempt } = event
  const task = runningTask(draft, event)
  if (task === undefined) return endStopping(draft, event)
  draft.send({ _tag: "ReportKilled", id, run, attempt })
  fail(draft, task)
}

/** Nothing of it runs any more, even if nobody here had asked for that. */
export const onExecuteStopped = (draft: Draft, event: Of<"ExecuteStopped">): void => {
  const { id, run } = event
  const task = runningTask(draft, event)
  if (task === undefined) return endStopping(draft, event)
  draft.send({ _tag: "ReportStopped", id, run })
  leave(draft, task)
}

/** It had not begun in its thread, and is the scheduler's again; or it had, or has ended. */
export const onExecuteRetracted = (draft: Draft, event: Of<"ExecuteRetracted">): void => {
  const { id, retracted, run } = event
  const task = retracted ? runningTask(draft, event) : undefined
  draft.send({ _tag: "ReportTakeBack", id, run, returned: task !== undefined })
  if (task !== undefined) leave(draft, task)
  else if (retracted) endStopping(draft, event)
}

/** The task goes back to the scheduler. */
export const onExecuteRescheduled = (draft: Draft, event: Of<"ExecuteRescheduled">): void => {
  const { id, run } = event
  const task = runningTask(draft, event)
  if (task === undefined) return endStopping(draft, event)
  draft.send({ _tag: "ReportRescheduled", id, run })
  leave(draft, task)
}

/** The slot is free for another. A body that is being stopped keeps its slot until it has ended. */
export const onExecuteSeceded = (draft: Draft, event: Of<"ExecuteSeceded">): void => {
  const { id, run, waits } = event
  const task = runningTask(draft, event)
  if (task?.status._tag === "Executing") {
    transition(draft, task, { _tag: "LongRunning", since: task.status.since, waits, rejoining: undefined })
    draft.send({ _tag: "ReportSeceded", id, run })
  } else if (task?.status._tag === "LongRunning") {
    if (waits) pause(draft, task)
    else goOn(draft, task)
  }
}

/** It stands in the queue under the rank it was given, so mostly before what it has submitted and others have after it. */
export const onExecuteRejoined = (draft: Draft, event: Of<"ExecuteRejoined">): void => {
  const task = runningTask(draft, event)
  if (task?.status._tag !== "LongRunning") return
  pause(draft, task)
  queueUp(draft, task)
}

/** A body that ran on without a slot waits, for tasks of its own or for a slot. */
const pause = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, run, status } = task
  if (status._tag !== "LongRunning" || status.waits) return
  draft.next.onward--
  leaveAlone(draft, run)
  rest(draft, run, assignment?.alone === true)
  task.status = { ...status, waits: true }
}

/** A body that has waited is to run on without a slot. Suspects do so alone, so they, and who would beside one, wait for a slot and give it back. */
const goOn = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, id, run, status } = task
  if (status._tag !== "LongRunning") return
  if (status.waits) {
    if (assignment?.alone === true || draft.next.lone !== undefined) return queueUp(draft, task)
    draft.next.onward++
    act(draft, run, false)
    task.status = { ...status, waits: false }
  }
  draft.send({ _tag: "GoOn", id, run })
}

const queueUp = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, id, status } = task
  if (status._tag !== "LongRunning" || status.rejoining !== undefined || assignment === undefined) return
  const rejoining = readyPosition(draft, assignment)
  enqueue(draft, assignment.isolation, rejoining, id)
  task.status = { ...status, rejoining }
}

interface Running {
  readonly id: TaskId
  readonly run: RunId
}

/** The record of a body that runs and may do so, to be written. */
const runningTask = (draft: Draft, { id, run }: Running): Owned<Task> | undefined => {
  const task = draft.task(id)
  return task !== undefined && task.run === run && runningTags.includes(task.status._tag) ? draft.own(task) : undefined
}

const runningTags: ReadonlyArray<StatusTag> = ["Executing", "LongRunning"]

/** Confirms that a body which was being stopped has ended; if it was none, there is nothing to say. */
const endStopping = (draft: Draft, { id, run }: Running): void => {
  const task = draft.task(id)
  if (task?.status._tag !== "Stopping" || task.status.run !== run) return
  transition(draft, draft.own(task), released)
  draft.send({ _tag: "ReportStopped", id, run })
  draft.touch(id)
  settle(draft)
}

const fail = (draft: Draft, task: Owned<Task>): void => {
  transition(draft, task, { _tag: "Error" })
  leave(draft, task)
}

const leave = (draft: Draft, task: Owned<Task>): void => {
  transition(draft, task, released)
  task.assignment = undefined
  draft.touch(task.id)
  settle(draft)
}
