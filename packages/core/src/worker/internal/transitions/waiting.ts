/** Out of `Waiting`: the last input came, or the task is not to be computed here any more. */
import { enqueue } from "../slots.ts"
import type { Edges } from "../transition.ts"

export const waiting = {
  Ready: (draft, task, to) => {
    enqueue(draft, to.isolation, to.position, task.id)
    draft.setStatus(task, to)
  },
  Released: (draft, task, to) => draft.setStatus(task, to)
} satisfies Edges<"Waiting">
