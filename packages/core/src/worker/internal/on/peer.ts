/**
 * What peers answer to requests for results.
 *
 * A request is over when each result that it was for has been named as come or
 * as missing, in one event or several, or when the peer is busy or fails.
 */
import type { WorkerId } from "@skein/protocol/Ids"
import type { Held, Run } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../../persistent/IntSet.ts"
import * as Vector from "../../../persistent/Vector.ts"
import type { Of } from "../../Event.ts"
import type { Task } from "../../State.ts"
import { supersede, unassign } from "../assignments.ts"
import type { Draft } from "../draft.ts"
import { askHolders, setBusy, setHolders } from "../holders.ts"
import { reroute, settle } from "../routing.ts"
import { transition } from "../transition.ts"

/**
 * A client has sent data. The scheduler has told it to, and hears that it is here,
 * or that it cannot be kept; if it knows better by now, it has it dropped.
 */
export const onDataReceived = (draft: Draft, event: Of<"DataReceived">): void => {
  for (const held of event.rows) {
    receiveData(draft, held)
    settle(draft)
  }
}

/** Results came, and others are not there. */
export const onGatherSucceeded = (draft: Draft, event: Of<"GatherSucceeded">): void => {
  for (const held of event.got) {
    receive(draft, event.peer, held)
    settle(draft)
  }
  for (const row of event.missing) {
    notFound(draft, event.peer, row)
    settle(draft)
  }
}

/** The peer is left alone for a while. If all who have a result are busy, perhaps the scheduler knows of more. */
export const onGatherBusy = (draft: Draft, event: Of<"GatherBusy">): void => {
  const flying = flyingFrom(draft, event.peer)
  if (flying.length === 0) return
  setBusy(draft, event.peer, draft.at + draft.next.config.busyMs)
  for (const task of flying) turnBack(draft, task)
  settle(draft)
  for (const { id } of flying) {
    const task = draft.task(id)
    if (task?.status._tag !== "Fetch") continue
    if (!IntSet.some(task.whoHas, (holder) => !IntSet.has(draft.next.busy, holder))) askHolders(draft, task)
  }
}

/**
 * The peer counts as the holder of nothing any more: what nobody else has is
 * asked of the scheduler. It is left alone for a while, for the scheduler may
 * not know yet that it cannot be reached, and name it again at once.
 */
export const onGatherFailed = (draft: Draft, event: Of<"GatherFailed">): void => {
  const flying = flyingFrom(draft, event.peer)
  if (flying.length === 0) return
  setBusy(draft, event.peer, draft.at + draft.next.config.busyMs)
  const has = Vector.get(draft.next.peers, event.peer)?.has ?? IntSet.empty()
  IntSet.forEach(has, (id) => {
    const task = draft.task(id)
    if (task !== undefined) dropHolder(draft, task, event.peer)
  })
  for (const task of flying) turnBack(draft, task)
  settle(draft)
}

const receive = (draft: Draft, peer: WorkerId, { id, run, nbytes }: Held): void => {
  const known = draft.task(id)
  if (known?.status._tag === "Memory" && known.run === run) return
  if (known?.status._tag !== "Flight" || known.status.peer !== peer) return draft.send({ _tag: "Drop", id, run })
  if (known.run !== run) {
    draft.send({ _tag: "Drop", id, run })
    return turnBack(draft, known)
  }
  const task = draft.own(known)
  if (task.assignment === undefined) draft.send({ _tag: "ReportReplica", held: { id, run, nbytes } })
  else {
    // It had been asked for as a task meanwhile, with the very run that came: then it has been computed.
    draft.send({ _tag: "ReportFinished", id, run, nbytes, ms: 0, inline: false })
    unassign(draft, task)
  }
  transition(draft, task, { _tag: "Memory", nbytes, ms: 0, inline: false })
}

const receiveData = (draft: Draft, { id, run, nbytes }: Held): void => {
  const known = draft.task(id)
  const task = known === undefined ? draft.addTask(id, run, nbytes) : draft.own(known)
  if (task.run < run) supersede(draft, task, run)
  const { _tag } = task.status
  if (task.run > run || task.assignment !== undefined || _tag === "Stopping" || _tag === "Flight") {
    // The scheduler has spoken of a newer run or wants it computed, a body still has the record, or the same is on its way from a peer.
    draft.send({ _tag: "Drop", id, run })
    return draft.send({ _tag: "ReportGone", row: { id, run } })
  }
  if (_tag !== "Memory") transition(draft, task, { _tag: "Memory", nbytes, ms: 0, inline: false })
  draft.send({ _tag: "ReportReplica", held: { id, run, nbytes } })
}

const notFound = (draft: Draft, peer: WorkerId, { id, run }: Run): void => {
  const task = draft.task(id)
  if (task?.status._tag !== "Flight" || task.status.peer !== peer || task.status.run !== run) return
  draft.send({ _tag: "ReportMissing", id, run, peer })
  if (task.run === run) dropHolder(draft, task, peer)
  turnBack(draft, task)
}

const dropHolder = (draft: Draft, task: Task, peer: WorkerId): void => {
  const owned = draft.own(task)
  setHolders(draft, owned, IntSet.remove(owned.whoHas, draft.owner, peer))
}

/** What was under way from the peer. */
const flyingFrom = (draft: Draft, peer: WorkerId): ReadonlyArray<Task> => {
  const flying = Vector.get(draft.next.peers, peer)?.flying ?? IntSet.empty()
  return IntSet.toArray(flying).flatMap((id) => draft.task(id) ?? [])
}

/** It did not come: it goes wherever it is needed. */
const turnBack = (draft: Draft, task: Task): void => reroute(draft, draft.own(task))
