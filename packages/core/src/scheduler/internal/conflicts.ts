/**
 * Keys that stand for another's computation.
 *
 * One key is one computation, so whoever submits another under it is refused.
 * But the client hears of that later than it may submit what builds on it, in the
 * same message or the next: under that id there is a task, which is not the one
 * that was meant. So what was refused is remembered until the next tick, by when
 * the shell has made the client's reference one to a conflict; and what builds on
 * it is refused for the same reason.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { NewTask } from "../Event.ts"
import type { Client } from "../State.ts"
import { type Draft, isId } from "./draft.ts"
import { unwant } from "./wanting.ts"

/** The client may not have the task, because the key of `origin` is another computation's: its own, or that of what it builds on. */
export const reportConflict = (draft: Draft, client: Client, id: TaskId, origin: TaskId): void => {
  draft.send({ _tag: "ReportConflict", client: client.id, id, heldBy: heldBy(draft, origin), origin })
  // It may have asked for it by its name before.
  unwant(draft, client, id)
  if (!isId(id) || Vector.get(conflictsOf(draft, client), id) === origin) return
  const edited = draft.editClient(client)
  edited.conflicts = Vector.set(edited.conflicts, draft.owner, id, origin)
  draft.wake(draft.at)
}

/** Where the conflict began that the task would build on, if it would on one. */
export const conflictOf = (draft: Draft, client: Client, { dependencies }: NewTask): TaskId | undefined => {
  const conflicts = conflictsOf(draft, client)
  if (conflicts.size === 0) return undefined
  const found = dependencies.find((id) => Vector.get(conflicts, id) !== undefined)
  return found === undefined ? undefined : Vector.get(conflicts, found)
}

/** The task is the client's after all: the key was given up meanwhile, or is asked for as what it is. */
export const noConflict = (draft: Draft, client: Client, id: TaskId): void => {
  const conflicts = conflictsOf(draft, client)
  if (conflicts.size === 0 || Vector.get(conflicts, id) === undefined) return
  const edited = draft.editClient(client)
  edited.conflicts = Vector.remove(edited.conflicts, draft.owner, id)
}

/** A tick has come: clients' references say by now what they may not build on. */
export const forgetConflicts = (draft: Draft): void => {
  Vector.forEach(draft.state.clients, (client) => {
    if (client.conflicts.size > 0) draft.editClient(client).conflicts = Vector.empty()
  })
}

/** As of now: a client's record is another once it was changed. */
const conflictsOf = (draft: Draft, client: Client): Client["conflicts"] => (draft.client(client.id) ?? client).conflicts

const heldBy = (draft: Draft, id: TaskId): string => {
  const first = IntSet.min(draft.task(id)?.whoWants ?? IntSet.empty())
  return (first === undefined ? undefined : draft.client(first)?.name) ?? "a graph that is being computed"
}
