/**
 * What clients say, and what is said of them.
 *
 * A client *wants* the tasks that it has submitted until it releases them. A task
 * is kept as long as somebody wants it or a task in play needs it, and not a
 * moment longer.
 */
import type { CancelOutcome } from "@skein/protocol/ClientRpcs"
import type { ClientId, TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../../persistent/IntSet.ts"
import * as Vector from "../../../persistent/Vector.ts"
import type { NewTask, Of } from "../../Event.ts"
import type { Client, Task } from "../../State.ts"
import { abandon, abandonAll, answerWhenStopped, answerWhenWorkers, isOpen } from "../asks.ts"
import { takeDemand } from "../demands.ts"
import { conflictOf, noConflict, reportConflict } from "../conflicts.ts"
import { type Draft, isId } from "../draft.ts"
import { detach } from "../detaching.ts"
import { isNeeded } from "../edges.ts"
import { holders } from "../holding.ts"
import { rank } from "../ordering.ts"
import { giveUp, refuse } from "../refusing.ts"
import { recall } from "../remembering.ts"
import { makeIsShared } from "../sharing.ts"
import { transition } from "../transition.ts"
import { unwant, want } from "../wanting.ts"

/** What the news of one end may lie apart. In milliseconds. */
const ABOUT_MS = 1_000

export const onClientJoined = (draft: Draft, event: Of<"ClientJoined">): void => {
  if (!isId(event.client) || draft.client(event.client) !== undefined) return
  draft.addClient(event.client, event.name)
}

/** A client is gone for good. All it wanted is released, and its questions with it. */
export const onClientLeft = (draft: Draft, event: Of<"ClientLeft">): void => {
  const client = draft.client(event.client)
  if (client === undefined) return
  // It may have gone with the worker, whose end is heard of a little sooner or later.
  if (event.silentMs !== undefined) draft.unheardSince = event.at - event.silentMs - ABOUT_MS
  abandonAll(draft, client.id)
  IntSet.forEach(client.wantsWhat, (id) => unwant(draft, client, id))
  draft.removeClient(client.id)
}

/**
 * A client submitted (a part of) a graph, and wants all its tasks.
 *
 * Before the last part nothing starts: inner tasks would be computed and forgotten
 * before their dependents arrive. A key that is known stands for what it stood for
 * before; a client that means something else by it does not get to want it. A graph
 * for which there is no room is refused as a whole (refusing.ts).
 *
 * Source: dask.distributed `scheduler.py`, `update_graph`.
 */
export const onTasksSubmitted = (draft: Draft, event: Of<"TasksSubmitted">): void => {
  const client = draft.client(event.client)
  if (client === undefined) return event.tasks.forEach(({ id }) => giveBack(draft, id))
  const accepted: Array<TaskId> = []
  let refusing = client.refusing || buildsOnRefused(draft, event.tasks)
  const noRoom = refusing || draft.state.full
  for (const task of event.tasks) {
    const outcome = accept(draft, client, task, noRoom)
    if (outcome === "refused") refusing = true
    else if (outcome === "accepted") accepted.push(task.id)
  }
  if (refusing || isStartOfTooMuch(draft, client)) giveUp(draft, client, event.last)
  else if (event.last) start(draft, client, accepted)
  else hold(draft, client, accepted)
}

export const onKeysReleased = (draft: Draft, event: Of<"KeysReleased">): void => {
  const client = draft.client(event.client)
  if (client === undefined) return
  for (const id of event.ids) unwant(draft, client, id)
}

/**
 * A client wants tasks that somebody has submitted. Those of a graph that is not whole yet do not wait for the rest of it: who asks
 * for one of them does not know of that.
 *
 * Source: dask.distributed `scheduler.py`, `client_desires_keys`; there an unknown key is waited for.
 */
export const onKeysWanted = (draft: Draft, event: Of<"KeysWanted">): void => {
  const client = draft.client(event.client)
  if (client === undefined) return
  for (const id of event.ids) {
    const task = draft.task(id)
    if (task === undefined) draft.send({ _tag: "ReportUnknown", client: client.id, id })
    else if (draft.state.full && task.status._tag === "Released") refuse(draft, client, id)
    else {
      noConflict(draft, client, id)
      want(draft, client, task)
      if (!reportPresent(draft, client.id, task)) computeNow(draft, id)
    }
  }
}

/** Tasks that the client wants are computed even if it, and everybody else, lets go of them. */
export const onKeysDetached = (draft: Draft, event: Of<"KeysDetached">): void => {
  for (const id of event.ids) {
    const task = draft.task(id)
    if (task === undefined || !isWantedBy(draft, event.client, id)) continue
    const { status } = task
    if (status._tag === "Memory") continue
    if (status._tag === "Erred") draft.send({ _tag: "TellDetachedFailed", id, failure: status.failure, origin: status.origin })
    else {
      detach(draft, task)
      computeNow(draft, id)
    }
  }
}

/**
 * A client wants tasks to stop. They fail as cancelled, and with them all that
 * waits for them; whoever wants them hears of it. The answer comes once nothing of
 * them runs any more.
 *
 * Source: dask.distributed `scheduler.py`, `stimulus_cancel` and `_cancel_key`;
 * there running work cannot be stopped, and cancelled keys are forgotten.
 */
export const onCancelAsked = (draft: Draft, event: Of<"CancelAsked">): void => {
  const client = draft.client(event.client)
  if (client === undefined || isOpen(draft, client.id, event.ask)) return
  const isShared = event.force ? () => false : makeIsShared(draft, client.id)
  // Decided before anything is done, for cancelling one of them fails those that depend on it.
  const outcomes = event.ids.map((id) => outcomeOf(draft, id, isShared))
  const failure = { _tag: "Cancelled", by: client.name, note: event.note, atMs: draft.at } as const
  const asked: Array<Task> = []
  event.ids.forEach((id, at) => {
    const task = draft.task(id)
    if (task === undefined || outcomes[at] === "shared") return
    asked.push(task)
    if (outcomes[at] === "cancelled") transition(draft, id, { _tag: "Erred", failure, origin: id, stop: true })
  })
  answerWhenStopped(draft, client.id, event.ask, outcomes, asked)
}

/**
 * Failed tasks are computed again, with the retries they were given: those asked
 * for, the failed ones on which they depend, and all that failed with these. The
 * client hears of each that it asked for.
 *
 * Source: dask.distributed `scheduler.py`, `stimulus_retry` and `_transition_erred_released`.
 */
export const onRetryAsked = (draft: Draft, event: Of<"RetryAsked">): void => {
  const client = draft.client(event.client)
  if (client === undefined) return
  const wanted = event.ids.filter((id) => IntSet.has(client.wantsWhat, id))
  const revived = new Set(failedWith(draft, wanted))
  for (const id of revived) revive(draft, id)
  for (const id of wanted) {
    if (revived.has(id)) continue
    const task = draft.task(id)
    if (task !== undefined && !reportPresent(draft, client.id, task)) {
      draft.send({ _tag: "ReportPending", client: client.id, id })
    }
  }
}

/** Source: dask.distributed `client.wait_for_workers`, which polls. */
export const onWorkersAwaited = (draft: Draft, event: Of<"WorkersAwaited">): void => {
  if (draft.client(event.client) === undefined || isOpen(draft, event.client, event.ask)) return
  answerWhenWorkers(draft, event.client, event.ask, event.count)
}

export const onAskAbandoned = (draft: Draft, event: Of<"AskAbandoned">): void =>
  abandon(draft, event.client, event.ask)

/** A graph that was held is to go on when there is no room for that. */
const isStartOfTooMuch = (draft: Draft, client: Client): boolean => draft.state.full && client.unfinished.size > 0

/** `unfit`: it contradicts what is known. */
type Acceptance = "accepted" | "refused" | "unfit"

/** Takes a task up, or one more client's interest in it. `noRoom`: not for what is not being computed already. */
const accept = (draft: Draft, client: Client, task: NewTask, noRoom: boolean): Acceptance => {
  const known = draft.task(task.id)
  if (known === undefined && noRoom) return create(draft, client, task, noRoom)
  const other = known === undefined || isSame(known, task) ? conflictOf(draft, client, task) : known.id
  if (other !== undefined) {
    reportConflict(draft, client, task.id, other)
    giveBack(draft, task.id)
    return "unfit"
  }
  noConflict(draft, client, task.id)
  if (known === undefined) return create(draft, client, task, noRoom)
  if (noRoom && known.status._tag === "Released" && !IntSet.has(known.whoWants, client.id)) {
    refuse(draft, client, task.id)
    return "refused"
  }
  want(draft, client, known)
  reportPresent(draft, client.id, known)
  return "accepted"
}

const create = (draft: Draft, client: Client, task: NewTask, noRoom: boolean): Acceptance => {
  if (!isId(task.id)) return "unfit"
  if (noRoom) {
    refuse(draft, client, task.id)
    giveBack(draft, task.id)
    return "refused"
  }
  if (!isId(task.code) || !task.dependencies.every((id) => draft.task(id) !== undefined)) {
    // Its inputs were forgotten, which the shell should not have let happen.
    draft.send({ _tag: "ReportErred", client: client.id, id: task.id, failure: { _tag: "Lost" }, origin: task.id })
    giveBack(draft, task.id)
    return "unfit"
  }
  const added = draft.addTask(task, takeDemand(draft, task))
  const verdict = recall(draft, added)
  for (const id of task.dependencies) {
    const dependency = draft.task(id)
    if (dependency === undefined) continue
    const edited = draft.editTask(dependency)
    edited.dependents = IntSet.add(edited.dependents, draft.owner, task.id)
  }
  want(draft, client, added)
  if (verdict !== undefined) transition(draft, task.id, { _tag: "Erred", failure: verdict, origin: task.id, stop: false })
  return "accepted"
}

const noDeaths: ReadonlyArray<never> = []

/** On what was refused a moment ago; who submitted this cannot have known. */
const buildsOnRefused = (draft: Draft, tasks: ReadonlyArray<NewTask>): boolean => {
  const { justRefused } = draft.state
  if (IntSet.size(justRefused) === 0) return false
  return tasks.some(({ dependencies }) => dependencies.some((id) => IntSet.has(justRefused, id) && draft.task(id) === undefined))
}

/** Whether a submission means what the key stands for. Who computes it when is the first's to say. */
export const isSame = (known: Task, task: NewTask): boolean =>
  known.code === task.code && areEqual(known.args, task.args) && areEqual(known.dependencies, task.dependencies)

const areEqual = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}

/** Nothing refers to an id that the shell has just drawn. Said once, or it would be given twice. */
export const giveBack = (draft: Draft, id: TaskId): void => {
  if (isId(id) && draft.task(id) === undefined && draft.givenBack?.has(id) !== true) {
    draft.givenBack ??= new Set()
    draft.givenBack.add(id)
    draft.send({ _tag: "Forgotten", id })
  }
}

/** Keeps a part of a graph for its last. */
const hold = (draft: Draft, client: Client, ids: ReadonlyArray<TaskId>): void => {
  const edited = draft.editClient(client)
  for (const id of ids) {
    edited.unfinished = Vector.set(edited.unfinished, draft.owner, edited.unfinished.size, id)
  }
}

/** The graph is whole: its tasks get their places in the order, and what is wanted is computed. */
const start = (draft: Draft, client: Client, lastPart: ReadonlyArray<TaskId>): void => {
  const wanted = wholeGraph(draft, client, lastPart)
  rank(draft, wanted)
  for (const id of wanted) draft.toCompute.push(id)
}

/** All accepted tasks of the graph that are wanted still: what was released meanwhile may be gone, and its id another's. */
const wholeGraph = (draft: Draft, client: Client, lastPart: ReadonlyArray<TaskId>): ReadonlyArray<TaskId> => {
  const { unfinished } = draft.client(client.id) ?? client
  if (unfinished.size === 0) return lastPart
  draft.editClient(client).unfinished = Vector.empty()
  const wanted: Array<TaskId> = []
  const takeIfWanted = (id: TaskId): void => {
    if (isWantedBy(draft, client.id, id)) wanted.push(id)
  }
  Vector.forEach(unfinished, takeIfWanted)
  lastPart.forEach(takeIfWanted)
  return wanted
}

/** It starts even if its graph is not whole yet. */
const computeNow = (draft: Draft, id: TaskId): void => {
  rank(draft, [id])
  draft.toCompute.push(id)
}

const isWantedBy = (draft: Draft, client: ClientId, id: TaskId): boolean => {
  const task = draft.task(id)
  return task !== undefined && IntSet.has(task.whoWants, client)
}

const outcomeOf = (draft: Draft, id: TaskId, isShared: (id: TaskId) => boolean): CancelOutcome => {
  const task = draft.task(id)
  const isDone = task === undefined || !isNeeded(task) || task.status._tag === "Memory" || task.status._tag === "Erred"
  if (isDone) return "already-done"
  return isShared(id) ? "shared" : "cancelled"
}

/** All that has to be computed again for `ids` to be: failed tasks above them, and whatever failed with those. */
const failedWith = (draft: Draft, ids: ReadonlyArray<TaskId>): ReadonlyArray<TaskId> => {
  const above = reach(draft, ids, (task) => task.dependencies)
  return reach(draft, above, (task) => IntSet.toArray(task.dependents))
}

/** The failed ones among `from`, and all failed tasks that are reached from them through failed ones. */
const reach = (
  draft: Draft,
  from: ReadonlyArray<TaskId>,
  next: (task: Task) => ReadonlyArray<TaskId>
): ReadonlyArray<TaskId> => {
  const found = new Set<TaskId>()
  const rest = [...from]
  for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
    const task = draft.task(id)
    if (task?.status._tag !== "Erred" || found.has(id)) continue
    found.add(id)
    // Not `push(...)`: a task may have a hundred thousand neighbours.
    for (const other of next(task)) rest.push(other)
  }
  return [...found]
}

export const revive = (draft: Draft, id: TaskId): void => {
  const task = draft.task(id)
  if (task === undefined) return
  transition(draft, id, { _tag: "Released", stop: false })
  const edited = draft.editTask(task)
  draft.editTrials(edited, { retriesLeft: edited.trials.retries, deaths: noDeaths })
  draft.setTried(id, noDeaths)
  // It may have been cancelled before its graph was whole. Who asks for it again does not mean to wait for the rest.
  if (edited.rank < 0) rank(draft, [id])
  IntSet.forEach(edited.whoWants, (client) => draft.send({ _tag: "ReportPending", client, id }))
  draft.toCompute.push(id)
}

/** Tells a client of a task that is done. False if it is not. */
export const reportPresent = (draft: Draft, client: ClientId, { id, status }: Task): boolean => {
  if (status._tag === "Erred") {
    draft.send({ _tag: "ReportErred", client, id, failure: status.failure, origin: status.origin })
    return true
  }
  const worker = status._tag === "Memory" ? holders(status)[0] : undefined
  if (status._tag !== "Memory" || worker === undefined) return false
  draft.send({ _tag: "ReportInMemory", client, id, run: status.run, nbytes: status.nbytes, worker })
  return true
}
