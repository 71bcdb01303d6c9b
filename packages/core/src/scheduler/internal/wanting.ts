/** What clients want: a client's interest in a task, entered on both sides. */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Client, Task } from "../State.ts"
import { giveUpArrival } from "./data.ts"
import type { Draft } from "./draft.ts"

export const want = (draft: Draft, client: Client, task: Task): void => {
  if (IntSet.has(task.whoWants, client.id)) return
  const editedTask = draft.editTask(task)
  editedTask.whoWants = IntSet.add(editedTask.whoWants, draft.owner, client.id)
  const edited = draft.editClient(client)
  edited.wantsWhat = IntSet.add(edited.wantsWhat, draft.owner, task.id)
}

/** The task is dropped before the event is over, unless somebody else needs it. Does nothing if the client does not want it. */
export const unwant = (draft: Draft, client: Client, id: TaskId): void => {
  const task = draft.task(id)
  if (task === undefined || !IntSet.has(task.whoWants, client.id)) return
  const edited = draft.editTask(task)
  edited.whoWants = IntSet.remove(edited.whoWants, draft.owner, client.id)
  const editedClient = draft.editClient(client)
  editedClient.wantsWhat = IntSet.remove(editedClient.wantsWhat, draft.owner, id)
  draft.toDrop.push(id)
  giveUpArrival(draft, client.id, id)
}
