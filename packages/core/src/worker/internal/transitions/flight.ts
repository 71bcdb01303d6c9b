/** Out of `Flight`: it came, it did not and is wanted again, or it is needed no longer. */
import { land, miss, want } from "../holders.ts"
import { keep } from "../results.ts"
import type { Edges } from "../transition.ts"

export const flight = {
  Memory: (draft, task, to) => {
    land(draft, task.id, task.status)
    keep(draft, task, to)
    draft.setStatus(task, to)
  },
  Fetch: (draft, task, to) => {
    land(draft, task.id, task.status)
    want(draft, task, to.position)
    draft.setStatus(task, to)
  },
  Missing: (draft, task, to) => {
    land(draft, task.id, task.status)
    miss(draft, task)
    draft.setStatus(task, to)
  },
  Released: (draft, task, to) => {
    land(draft, task.id, task.status)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Flight">
