/** Out of `Error`, which is passed through: the scheduler keeps failures, workers do not. */
import type { Edges } from "../transition.ts"

export const error = {
  Released: (draft, task, to) => draft.setStatus(task, to)
} satisfies Edges<"Error">
