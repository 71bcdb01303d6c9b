/** Out of `LongRunning`: the body ended one way or another, has a slot again, or was interrupted. */
import type { Draft } from "../draft.ts"
import { keep } from "../results.ts"
import { act } from "../notes.ts"
import { dequeue, endRun, takeSlot, watchStop } from "../slots.ts"
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
    const { assignment, run } = task
    if (assignment === undefined) return
    leaveQueue(draft, task)
    takeSlot(draft, assignment.isolation)
    if (assignment.alone) draft.next.lone = run
    stirred(draft, task)
    draft.setStatus(task, to)
  },
  Stopping: (draft, task, to) => {
    leaveQueue(draft, task)
    stirred(draft, task)
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
  if (!task.status.waits) draft.next.onward--
  endRun(draft, task.run, task.assignment?.alone === true, task.status.waits)
}

/** It runs, with a slot or to its end, whether it has waited or has run on before. */
const stirred = (draft: Draft, { assignment, run, status }: In<"LongRunning">): void => {
  if (status.waits) act(draft, run, assignment?.alone === true)
  else draft.next.onward--
}

const leaveQueue = (draft: Draft, { assignment, status: { rejoining } }: In<"LongRunning">): void => {
  if (assignment !== undefined && rejoining !== undefined) dequeue(draft, assignment.isolation, rejoining)
}
