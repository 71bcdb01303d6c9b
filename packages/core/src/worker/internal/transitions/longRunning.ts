/** Out of `LongRunning`: the body ended one way or another, has a slot again, or was interrupted. */
import type { Draft } from "../draft.ts"
import { keep } from "../results.ts"
import { beAlone, dequeue, endRun, takeSlot, watchStop } from "../slots.ts"
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
  Executing: (draft, task, to) => {
    if (task.assignment === undefined) return
    leaveQueue(draft, task)
    takeSlot(draft, task.assignment.isolation)
    if (task.assignment.alone) beAlone(draft, task.run)
    draft.setStatus(task, to)
  },
  Stopping: (draft, task, to) => {
    leaveQueue(draft, task)
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
  leaveQueue(draft, task)
  endRun(draft, task.run, false)
}

const leaveQueue = (draft: Draft, { assignment, status: { rejoining } }: In<"LongRunning">): void => {
  if (assignment !== undefined && rejoining !== undefined) dequeue(draft, assignment.isolation, rejoining)
}
