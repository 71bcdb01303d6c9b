/** The books of results: what is in the data store here, and who waited for it. */
import * as IntSet from "../../persistent/IntSet.ts"
import type { StatusOf, Task } from "../State.ts"
import type { Draft, Owned } from "./draft.ts"
import { setHolders } from "./holders.ts"

/** A result is here: who else has it is of no interest, and its dependents wait for it no longer. */
export const keep = (draft: Draft, task: Owned<Task>, { nbytes }: StatusOf<"Memory">): void => {
  task.nbytes = nbytes
  draft.next.nbytes += nbytes
  setHolders(draft, task, IntSet.empty())
  IntSet.forEach(task.dependents, (id) => {
    const dependent = draft.task(id)
    if (dependent?.status._tag !== "Waiting") return
    const waitingOn = IntSet.remove(dependent.status.waitingOn, draft.owner, task.id)
    draft.own(dependent).status = { _tag: "Waiting", waitingOn }
    draft.touch(id)
  })
}

/** A result is here no longer: what waits for other results waits for it too, what was ready has to wait again. */
export const lose = (draft: Draft, task: Owned<Task>, { nbytes }: StatusOf<"Memory">): void => {
  draft.next.nbytes -= nbytes
  IntSet.forEach(task.dependents, (id) => {
    const dependent = draft.task(id)
    if (dependent?.status._tag === "Waiting") {
      const waitingOn = IntSet.add(dependent.status.waitingOn, draft.owner, task.id)
      draft.own(dependent).status = { _tag: "Waiting", waitingOn }
    }
    draft.touch(id)
  })
}
