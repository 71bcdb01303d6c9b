/**
 * What the files of transitions/ share: a task is *in play* while it waits, is
 * queued, has no worker or is processing. Then it needs its dependencies.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import type { Status, Task } from "../State.ts"
import { expectNoMore } from "./data.ts"
import { type Draft, released } from "./draft.ts"
import { endDetached } from "./detaching.ts"
import { isNeeded, type Target } from "./edges.ts"
import { hold } from "./holding.ts"

/** The task is in play no longer: what nobody else needs of its dependencies may go. */
export const leaveDependencies = (draft: Draft, task: Task): void => {
  for (const id of task.dependencies) {
    const dependency = draft.task(id)
    if (dependency === undefined) continue
    const edited = draft.editTask(dependency)
    edited.waiters--
    if (!isNeeded(edited)) draft.toDrop.push(id)
  }
}

/** Takes a queued task out of the queue. */
export const unqueue = (draft: Draft, task: Task): void => {
  const line = lineOf(draft, task)
  line.queue = Ranked.remove(line.queue, draft.owner, task)
}

/** Where it queues: with those that demand the same, or with all that demand nothing. */
const lineOf = (draft: Draft, task: Task): { queue: Ranked.Ranked<TaskId> } => {
  const demand = task.demand === undefined ? undefined : draft.demand(task.demand)
  return demand === undefined ? draft.pool(task.isolation) : draft.editDemand(demand)
}

export const becomeReleased = (draft: Draft, task: Task): void => {
  draft.move(task, released)
}

export const becomeNoWorker = (draft: Draft, task: Task): void => {
  draft.state.noWorker = IntSet.add(draft.state.noWorker, draft.owner, task.id)
  draft.move(task, { _tag: "NoWorker", since: draft.at })
  draft.watchLacking(draft.at + Math.min(draft.config.warnAfterMs, draft.config.noWorkersTimeoutMs))
}

export const becomeQueued = (draft: Draft, task: Task): void => {
  const line = lineOf(draft, task)
  line.queue = Ranked.add(line.queue, draft.owner, task, task.id)
  draft.move(task, queued)
}

const queued: Status = { _tag: "Queued" }

/** Until the end of the event, when it is placed. */
export const waitingForNothing: Status = { _tag: "Waiting", waitingOn: IntSet.empty() }

const noAttempts: ReadonlyArray<never> = []

/** The result is there: clients hear of it, and what waited for nothing else can be placed. */
export const becomeMemory = (
  draft: Draft,
  task: Task,
  { nbytes, run, worker }: Extract<Target, { readonly _tag: "Memory" }>
): void => {
  const holder = draft.worker(worker)
  if (holder !== undefined) hold(draft, holder, task.id, nbytes)
  expectNoMore(draft, task.id)
  const moved = draft.move(task, { _tag: "Memory", run, nbytes, whoHas: IntSet.add(IntSet.empty(), draft.owner, worker) })
  draft.setTried(moved.id, noAttempts)
  draft.tryAnew(moved)
  endDetached(draft, moved.id)
  const { dependents, id, whoWants } = moved
  for (let client = IntSet.min(whoWants); client !== undefined; client = IntSet.next(whoWants, client)) {
    draft.send({ _tag: "ReportInMemory", client, id, run, nbytes, worker })
  }
  for (let id = IntSet.min(dependents); id !== undefined; id = IntSet.next(dependents, id)) {
    const dependent = draft.task(id)
    if (dependent?.status._tag !== "Waiting") continue
    const waitingOn = IntSet.remove(dependent.status.waitingOn, draft.owner, task.id)
    draft.editTask(dependent).status = IntSet.size(waitingOn) === 0 ? waitingForNothing : { _tag: "Waiting", waitingOn }
    if (IntSet.size(waitingOn) === 0) draft.ready.push(id)
  }
  if (!isNeeded(moved)) draft.toDrop.push(id)
}

/** Clients hear of it, and so do the tasks that wait for this one. */
export const becomeErred = (
  draft: Draft,
  task: Task,
  { failure, origin }: Extract<Target, { readonly _tag: "Erred" }>
): void => {
  const moved = draft.move(task, { _tag: "Erred", failure, origin })
  endDetached(draft, moved.id, { failure, origin })
  const { id } = moved
  expectNoMore(draft, id)
  IntSet.forEach(moved.whoWants, (client) => draft.send({ _tag: "ReportErred", client, id, failure, origin }))
  if (moved.waiters > 0) IntSet.forEach(moved.dependents, (dependent) => void draft.toFail.push(dependent))
  if (!isNeeded(moved)) draft.toDrop.push(id)
}
