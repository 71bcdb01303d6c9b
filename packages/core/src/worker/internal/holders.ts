/**
 * The books of who has what: records name their holders, peers name what they
 * hold, what of it is to be asked for, and what they have been asked for.
 */
import type { Millis, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Peer, StatusOf, Task } from "../State.ts"
import type { Draft, Owned } from "./draft.ts"
import { freePosition } from "./slots.ts"

/** Says who has the result. The record is touched: it may have to go elsewhere. */
export const setHolders = (draft: Draft, task: Owned<Task>, whoHas: IntSet.IntSet<WorkerId>): void => {
  const before = task.whoHas
  if (before === whoHas) return
  task.whoHas = whoHas
  const position = task.status._tag === "Fetch" ? task.status.position : undefined
  IntSet.forEach(before, (id) => {
    if (IntSet.has(whoHas, id)) return
    editPeer(draft, id, (peer) => {
      peer.has = IntSet.remove(peer.has, draft.owner, task.id)
      if (position !== undefined) peer.wanted = Ranked.remove(peer.wanted, draft.owner, position)
    })
  })
  IntSet.forEach(whoHas, (id) => {
    if (IntSet.has(before, id)) return
    editPeer(draft, id, (peer) => {
      peer.has = IntSet.add(peer.has, draft.owner, task.id)
      if (position !== undefined) peer.wanted = Ranked.add(peer.wanted, draft.owner, position, task.id)
    })
  })
  draft.touch(task.id)
}

/** Where a task that is to be fetched stands: no two such tasks stand at one place. */
export const fetchPosition = (draft: Draft, task: Task): Ranked.Position => freePosition(draft.next.wanted, task.urgency)

/** It is more urgent than was known. */
export const reposition = (draft: Draft, task: Owned<Task>, urgency: Ranked.Position): void => {
  task.urgency = urgency
  if (task.status._tag !== "Fetch") return
  unwant(draft, task, task.status.position)
  const position = fetchPosition(draft, task)
  task.status = { _tag: "Fetch", position }
  want(draft, task, position)
}

/** Its holders may be asked for it. */
export const want = (draft: Draft, task: Task, position: Ranked.Position): void => {
  draft.next.wanted = Ranked.add(draft.next.wanted, draft.owner, position, task.id)
  IntSet.forEach(task.whoHas, (id) =>
    editPeer(draft, id, (peer) => {
      peer.wanted = Ranked.add(peer.wanted, draft.owner, position, task.id)
    }))
}

/** Its holders are not to be asked for it. */
export const unwant = (draft: Draft, task: Task, position: Ranked.Position): void => {
  draft.next.wanted = Ranked.remove(draft.next.wanted, draft.owner, position)
  IntSet.forEach(task.whoHas, (id) =>
    editPeer(draft, id, (peer) => {
      peer.wanted = Ranked.remove(peer.wanted, draft.owner, position)
    }))
}

/** It has been asked for. */
export const takeOff = (draft: Draft, id: TaskId, { peer: from, nbytes }: StatusOf<"Flight">): void => {
  draft.next.gatherBytes += nbytes
  editPeer(draft, from, (peer) => {
    if (IntSet.size(peer.flying) === 0) draft.next.gathers++
    peer.flying = IntSet.add(peer.flying, draft.owner, id)
  })
}

/** It has come, or will not. The request is over once this is so of all that it was for. */
export const land = (draft: Draft, id: TaskId, { peer: from, nbytes }: StatusOf<"Flight">): void => {
  draft.next.gatherBytes -= nbytes
  editPeer(draft, from, (peer) => {
    peer.flying = IntSet.remove(peer.flying, draft.owner, id)
    if (IntSet.size(peer.flying) === 0) draft.next.gathers--
  })
}

/** Nobody is known to have it: the scheduler is asked, now and every so often. */
export const miss = (draft: Draft, task: Task): void => {
  const { next, owner } = draft
  next.missing = IntSet.add(next.missing, owner, task.id)
  next.askAt ??= draft.at + next.config.askAgainMs
  draft.wakeBy(next.askAt)
  askHolders(draft, task)
}

/** Somebody has it, or it is needed no longer. */
export const find = (draft: Draft, task: Task): void => {
  draft.next.missing = IntSet.remove(draft.next.missing, draft.owner, task.id)
}

export const askHolders = (draft: Draft, { id, run }: Task): void => draft.send({ _tag: "AskHolders", id, run })

/** Leaves a peer alone until then; undefined: no longer. */
export const setBusy = (draft: Draft, id: WorkerId, until: Millis | undefined): void => {
  const { next, owner } = draft
  next.busy = until === undefined ? IntSet.remove(next.busy, owner, id) : IntSet.add(next.busy, owner, id)
  if (until !== undefined) draft.wakeBy(until)
  editPeer(draft, id, (peer) => {
    peer.busyUntil = until
  })
}

/** Edits a peer, and keeps the list of those that can be asked; one on which nothing depends is forgotten. */
const editPeer = (draft: Draft, id: WorkerId, edit: (peer: Owned<Peer>) => void): void => {
  const { next, owner } = draft
  const peer = draft.ownPeer(id)
  edit(peer)
  const isCallable = peer.wanted.size > 0 && IntSet.size(peer.flying) === 0 && peer.busyUntil === undefined
  next.callable = isCallable ? IntSet.add(next.callable, owner, id) : IntSet.remove(next.callable, owner, id)
  if (IntSet.size(peer.has) === 0 && IntSet.size(peer.flying) === 0 && peer.busyUntil === undefined) {
    next.peers = Vector.remove(next.peers, owner, id)
  }
}
