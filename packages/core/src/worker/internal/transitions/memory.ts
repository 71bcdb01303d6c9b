/** Out of `Memory`: nobody needs the result, or it is outdated. */
import { lose } from "../results.ts"
import type { Edges } from "../transition.ts"

export const memory = {
  Released: (draft, task, to) => {
    lose(draft, task, task.status)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Memory">
