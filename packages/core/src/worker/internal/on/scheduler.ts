/**
 * What the scheduler asks for, or says.
 *
 * It numbers runs upwards and its words arrive in order, so what it says of an
 * older run than one that is here, or is to be, is past and is dropped; questions
 * that it waits for are answered all the same.
 */
import type { RunId, TaskId } from "@skein/protocol/Ids"
import type { Assignment, Held, Run } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../../persistent/IntSet.ts"
import * as Vector from "../../../persistent/Vector.ts"
import type { Of } from "../../Event.ts"
import type { Task } from "../../State.ts"
import { assign, isNews, othersOf, supersede, unassign } from "../assignments.ts"
import { type Draft, released } from "../draft.ts"
import { setBusy, setHolders } from "../holders.ts"
import { settle } from "../routing.ts"
import { interrupt } from "../stopping.ts"
import { transition } from "../transition.ts"

/**
 * A new incarnation begins. It owes nothing to the one before: what that had
 * been asked is forgotten, what of it runs is stopped, and of its results those
 * remain that the scheduler was told of.
 */
export const onStarted = (draft: Draft, event: Of<"Started">): void => {
  const { next } = draft
  next.worker = event.worker
  next.nthreads = event.nthreads
  next.nfibers = event.nfibers
  const held = new Map(event.holds.map(({ id, run }) => [run, id]))
  Vector.forEach(next.tasks, (task) => leaveBehind(draft, task, held))
  settle(draft)
  for (const row of event.holds) takeOver(draft, row)
  IntSet.forEach(next.busy, (peer) => setBusy(draft, peer, undefined))
}

/** Tasks are to be computed here, as soon as their inputs are here and slots are free. */
export const onComputeAsked = (draft: Draft, event: Of<"ComputeAsked">): void => {
  for (const row of event.rows) {
    const task = draft.task(row.id)
    if (task === undefined) assign(draft, draft.addTask(row.id, row.run, 0), row)
    else if (row.run > task.run) {
      const owned = draft.own(task)
      supersede(draft, owned, row.run)
      assign(draft, owned, row)
    } else if (row.run === task.run) computeAgain(draft, task, row)
    settle(draft)
  }
}

/** Nobody needs these results: those that are here are dropped at once, and what is not computed yet need not be. */
export const onFreeAsked = (draft: Draft, event: Of<"FreeAsked">): void => {
  for (const row of event.rows) {
    const task = draft.task(row.id)
    if (task === undefined || task.run !== row.run) continue
    if (task.status._tag === "Memory") drop(draft, task)
    else if (task.assignment !== undefined) cancel(draft, row)
    settle(draft)
  }
}

/** These are not to run: answered for each row, at once or when nothing of it runs any more. */
export const onCancelAsked = (draft: Draft, event: Of<"CancelAsked">): void => {
  for (const row of event.rows) {
    cancel(draft, row)
    settle(draft)
  }
}

/** The scheduler wants these for another worker, if they have not started; answered for each row. What waits in a thread has not. */
export const onTakeBackAsked = (draft: Draft, event: Of<"TakeBackAsked">): void => {
  for (const { id, run } of event.rows) {
    const task = draft.task(id)
    if (task?.run === run && task.status._tag === "Executing" && task.assignment?.isolation === "thread") {
      draft.send({ _tag: "Retract", id, run })
      continue
    }
    const returned = task !== undefined && task.run === run && task.assignment !== undefined && !isRunning(task)
    if (returned) unassign(draft, draft.own(task))
    draft.send({ _tag: "ReportTakeBack", id, run, returned })
    settle(draft)
  }
}

/** Who has these results now: nobody else does. */
export const onHoldersTold = (draft: Draft, event: Of<"HoldersTold">): void => {
  for (const { id, run, whoHas } of event.rows) {
    const known = draft.task(id)
    if (known === undefined || (run !== known.run && !isNews(known, run))) continue
    // That nobody has an older run's result is said of what was asked for before the newer was heard of.
    if (run < known.run && whoHas.length === 0) continue
    if (known.status._tag === "Memory" && known.run === run) continue
    const task = draft.own(known)
    if (run !== task.run) supersede(draft, task, run)
    setHolders(draft, task, IntSet.fromIterable(othersOf(draft, task, whoHas)))
    settle(draft)
  }
}

/** An earlier incarnation had to do with this task. */
const leaveBehind = (draft: Draft, known: Task, held: ReadonlyMap<RunId, TaskId>): void => {
  const task = draft.own(known)
  if (task.status._tag === "Memory") return held.get(task.run) === task.id ? undefined : drop(draft, task)
  if (isRunning(task)) interrupt(draft, task)
  unassign(draft, task)
  setHolders(draft, task, IntSet.empty())
  if (task.status._tag === "Flight") transition(draft, task, released)
  draft.touch(task.id)
}

/** A result is here from an earlier incarnation. */
const takeOver = (draft: Draft, { id, run, nbytes }: Held): void => {
  const known = draft.task(id)
  if (known === undefined) {
    return transition(draft, draft.addTask(id, run, nbytes), { _tag: "Memory", nbytes, ms: 0, inline: false })
  }
  if (known.status._tag === "Memory" && known.run === run) return
  // The record is taken by a body that is still being stopped.
  draft.send({ _tag: "Drop", id, run })
  draft.send({ _tag: "ReportGone", row: { id, run } })
}

/** A run that is known here already is asked for. */
const computeAgain = (draft: Draft, task: Task, row: Assignment): void => {
  if (task.status._tag === "Memory") {
    const { nbytes, ms, inline } = task.status
    return draft.send({ _tag: "ReportFinished", id: task.id, run: task.run, nbytes, ms, inline })
  }
  // Asked twice, or cancelled since: a run number is never used again.
  if (task.assignment !== undefined || (task.status._tag === "Stopping" && task.status.run === row.run)) return
  assign(draft, draft.own(task), row)
}

const cancel = (draft: Draft, { id, run }: Run): void => {
  const task = draft.task(id)
  if (task?.status._tag === "Stopping" && task.status.run === run) return
  if (task?.run === run) {
    if (isRunning(task)) return interrupt(draft, draft.own(task))
    if (task.status._tag === "Memory") drop(draft, task)
    unassign(draft, draft.own(task))
  }
  draft.send({ _tag: "ReportStopped", id, run })
}

const drop = (draft: Draft, task: Task): void => {
  draft.send({ _tag: "Drop", id: task.id, run: task.run })
  transition(draft, draft.own(task), released)
  draft.touch(task.id)
}

const isRunning = ({ status }: Task): boolean => status._tag === "Executing" || status._tag === "LongRunning"
