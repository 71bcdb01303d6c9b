/** Out of `Missing`: somebody has it, it is to be computed here, or it is needed no longer. */
import { find, want } from "../holders.ts"
import type { Edges } from "../transition.ts"

export const missing = {
  Fetch: (draft, task, to) => {
    find(draft, task)
    want(draft, task, to.position)
    draft.setStatus(task, to)
  },
  /** A task that is to be computed here after all goes on from there. */
  Released: (draft, task, to) => {
    find(draft, task)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Missing">
