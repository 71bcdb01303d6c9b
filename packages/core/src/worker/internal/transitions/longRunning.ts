/** Out of `LongRunning`: the body ended one way or another, wants a slot again, or was interrupted. */
import type { Draft } from "../draft.ts"
import { keep } from "../results.ts"
import { endRun, takeSlot, watchStop } from "../slots.ts"
import type { Edges, In } from "../transition.ts"

export const longRunning = {
  Memory: (draft, task, to) => {
    endLongRunning(draft, task)
    keep(draft, task, to)
    draft.setStatus(task, to)
  },
  Error: (draft, task, to) => {
    endLongRunning(draft, task)
    draft.setStatus(task, to)
  },
  /** It takes a slot, though all may be taken: it runs anyway, and must not wait for what waits for it. */
  Executing: (draft, task, to) => {
    if (task.assignment !== undefined) takeSlot(draft, task.assignment.isolation)
    draft.setStatus(task, to)
  },
  Stopping: (draft, task, to) => {
    watchStop(draft, task.id, to)
    draft.setStatus(task, to)
  },
  /** It asked to be placed again, or stopped without having been told to. */
  Released: (draft, task, to) => {
    endLongRunning(draft, task)
    draft.setStatus(task, to)
  }
} satisfies Edges<"LongRunning">

const endLongRunning = (draft: Draft, task: In<"LongRunning">): void => {
  if (task.assignment !== undefined) endRun(draft, task.run, task.assignment.alone)
}
