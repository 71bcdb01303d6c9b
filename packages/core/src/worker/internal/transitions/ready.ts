/** Out of `Ready`: started, an input was lost, or the task is not to be computed here any more. */
import { beginRun, dequeue, takeSlot } from "../slots.ts"
import type { Edges } from "../transition.ts"

export const ready = {
  Executing: (draft, task, to) => {
    if (task.assignment === undefined) return
    const { alone, isolation } = task.assignment
    dequeue(draft, isolation, task.status.position)
    takeSlot(draft, isolation)
    beginRun(draft, task.run, alone)
    draft.setStatus(task, to)
  },
  /** An input was dropped, or lost its meaning to a newer run. */
  Waiting: (draft, task, to) => {
    dequeue(draft, task.status.isolation, task.status.position)
    draft.setStatus(task, to)
  },
  Released: (draft, task, to) => {
    dequeue(draft, task.status.isolation, task.status.position)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Ready">
