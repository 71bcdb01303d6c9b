/**
 * Graphs for which there is no room.
 *
 * A graph arrives in parts, and starts when it is whole. If memory is nearly full
 * before that, all of it is refused: what has been held of it as well as what is
 * still to come, for half a graph is of no use to anybody, and finishing the half
 * would take the memory that others' tasks need.
 *
 * Giving up what was held takes memory too, for a moment: news for the client, and
 * a copy of whatever changes. So it is given up a little at each tick, the last
 * first, because nothing depends on that any more.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Client } from "../State.ts"
import type { Draft } from "./draft.ts"
import { unwant } from "./wanting.ts"

/** Tasks given up at one tick. */
const AT_ONCE = 1_000

/** The client is told that there is no room for this task. */
export const refuse = (draft: Draft, client: Client, id: TaskId): void => {
  draft.send({ _tag: "ReportRefused", client: client.id, id, retryMs: draft.config.refusedMs })
}

/** Gives up the graph that this client is submitting. `last`: its last part is there, and what the client submits next is another graph. */
export const giveUp = (draft: Draft, client: Client, last: boolean): void => {
  const { refusing, unfinished } = draft.client(client.id) ?? client
  if (refusing === !last && unfinished.size === 0) return
  const edited = draft.editClient(client)
  edited.refusing = !last
  edited.unfinished = Vector.empty()
  if (edited.refused.size === 0) edited.refused = unfinished
  else {
    Vector.forEach(unfinished, (id) => {
      edited.refused = Vector.set(edited.refused, draft.owner, edited.refused.size, id)
    })
  }
  if (edited.refused.size > 0) draft.wake(draft.at)
}

/** The client hears that there is no room for it, unless it is being computed or done: for another graph, of whomever. That goes on. */
const refuseHeld = (draft: Draft, client: Client, id: TaskId): boolean => {
  const task = draft.task(id)
  if (task === undefined || task.status._tag !== "Released" || !IntSet.has(task.whoWants, client.id)) return false
  refuse(draft, client, id)
  unwant(draft, client, id)
  return true
}

/** Refuses some of what is to be given up, and asks to be woken for the rest. */
export const refuseSome = (draft: Draft): void => {
  let left = AT_ONCE
  let justRefused = IntSet.empty<TaskId>()
  Vector.forEach(draft.state.clients, (client) => {
    if (client.refused.size === 0) return
    const edited = draft.editClient(client)
    for (; left > 0 && edited.refused.size > 0; left--) {
      const at = edited.refused.size - 1
      const id = Vector.get(edited.refused, at)
      edited.refused = Vector.remove(edited.refused, draft.owner, at)
      if (id !== undefined && refuseHeld(draft, client, id)) justRefused = IntSet.add(justRefused, draft.owner, id)
    }
    if (edited.refused.size > 0) draft.wake(draft.at)
  })
  // Once more, so that nothing is remembered for longer than it can be of use.
  if (IntSet.size(justRefused) > 0) draft.wake(draft.at)
  draft.state.justRefused = justRefused
}
