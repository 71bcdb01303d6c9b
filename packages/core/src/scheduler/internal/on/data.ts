/**
 * What clients say of data that they send themselves. See data.ts.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../../persistent/IntSet.ts"
import type { NewTask, Of } from "../../Event.ts"
import type { Client, Task } from "../../State.ts"
import { isOpen } from "../asks.ts"
import { noConflict, reportConflict } from "../conflicts.ts"
import { answerWhenPlaced, expect, isData, type Row } from "../data.ts"
import { type Draft, isId } from "../draft.ts"
import { rank } from "../ordering.ts"
import { refuse } from "../refusing.ts"
import { want } from "../wanting.ts"
import { giveBack, isSame, reportPresent, revive } from "./client.ts"

/**
 * A client is about to send data to workers, and asks to which. It wants all of
 * it. Data that is there already, of equal content and so of the same key, need
 * not be sent; data that was lost is expected anew, and what failed for want of it
 * waits for it again.
 */
export const onDataAnnounced = (draft: Draft, event: Of<"DataAnnounced">): void => {
  const client = draft.client(event.client)
  if (client === undefined || isOpen(draft, event.client, event.ask)) return event.tasks.forEach(({ id }) => giveBack(draft, id))
  const rows = event.tasks.map((task, at): Row => ({ id: task.id, nbytes: event.sizes[at] ?? 0, send: announce(draft, client, task, event.broadcast) }))
  answerWhenPlaced(draft, { _tag: "Data", client: client.id, ask: event.ask, rows, workers: event.workers, broadcast: event.broadcast })
}

/** Whether it is to be sent. */
const announce = (draft: Draft, client: Client, task: NewTask, broadcast: boolean): boolean => {
  const known = draft.task(task.id)
  if (known === undefined) return create(draft, client, task)
  if (!isData(draft, task.id) || !isSame(known, task)) {
    reportConflict(draft, client, task.id, known.id)
    return false
  }
  noConflict(draft, client, task.id)
  want(draft, client, known)
  if (known.status._tag === "Memory") {
    reportPresent(draft, client.id, known)
    // Others may have none.
    return broadcast
  }
  expect(draft, task.id, client.id)
  for (const id of failedOf(draft, known)) revive(draft, id)
  return true
}

/** The data itself, if it was lost or cancelled, and all that failed for want of it. */
const failedOf = (draft: Draft, data: Task): ReadonlyArray<TaskId> => {
  const found = new Set<TaskId>()
  const rest = [data.id]
  for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
    const task = draft.task(id)
    if (task?.status._tag !== "Erred" || task.status.origin !== data.id || found.has(id)) continue
    found.add(id)
    IntSet.forEach(task.dependents, (dependent) => void rest.push(dependent))
  }
  return [...found]
}

const create = (draft: Draft, client: Client, task: NewTask): boolean => {
  if (!isId(task.id) || !isId(task.code) || task.dependencies.length > 0) return false
  if (draft.state.full) {
    refuse(draft, client, task.id)
    giveBack(draft, task.id)
    return false
  }
  const added = draft.addTask(task, undefined)
  draft.state.data = IntSet.add<TaskId>(draft.state.data, draft.owner, task.id)
  want(draft, client, added)
  // It is whole as it is: what depends on it comes after it.
  rank(draft, [task.id])
  expect(draft, task.id, client.id)
  return true
}
