/**
 * Out of `Released`: a record that has just been made, or has left what it was doing.
 *
 * Forgotten, the last way out, is absence: see `reroute` in routing.ts.
 */
import { miss, want } from "../holders.ts"
import { keep } from "../results.ts"
import { enqueue } from "../slots.ts"
import type { Edges } from "../transition.ts"

export const released = {
  Waiting: (draft, task, to) => draft.setStatus(task, to),
  Ready: (draft, task, to) => {
    enqueue(draft, to.isolation, to.position, task.id)
    draft.setStatus(task, to)
  },
  Fetch: (draft, task, to) => {
    want(draft, task, to.position)
    draft.setStatus(task, to)
  },
  Missing: (draft, task, to) => {
    miss(draft, task)
    draft.setStatus(task, to)
  },
  /** An earlier incarnation left the result. */
  Memory: (draft, task, to) => {
    keep(draft, task, to)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Released">
