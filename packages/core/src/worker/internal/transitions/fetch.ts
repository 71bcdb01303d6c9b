/** Out of `Fetch`: asked for, its last holder is gone, or it is needed no longer. */
import { miss, takeOff, unwant } from "../holders.ts"
import type { Edges } from "../transition.ts"

export const fetch = {
  Flight: (draft, task, to) => {
    unwant(draft, task, task.status.position)
    takeOff(draft, task.id, to)
    draft.setStatus(task, to)
  },
  Missing: (draft, task, to) => {
    unwant(draft, task, task.status.position)
    miss(draft, task)
    draft.setStatus(task, to)
  },
  Released: (draft, task, to) => {
    unwant(draft, task, task.status.position)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Fetch">
