/** Out of `Executing`: the body ended one way or another, gave up its slot, or was interrupted. */
import type { Draft } from "../draft.ts"
import { keep } from "../results.ts"
import { rest } from "../notes.ts"
import { endRun, freeSlot, leaveAlone, watchStop } from "../slots.ts"
import type { Edges, In } from "../transition.ts"

export const executing = {
  Memory: (draft, task, to) => {
    endExecuting(draft, task)
    keep(draft, task, to)
    draft.setStatus(task, to)
  },
  Error: (draft, task, to) => {
    endExecuting(draft, task)
    draft.setStatus(task, to)
  },
  /** Others start, even beside a suspect: it may wait for them. But one that is to be judged next, and runs on, stays alone. */
  LongRunning: (draft, task, to) => {
    const { assignment, run } = task
    if (assignment !== undefined) {
      freeSlot(draft, assignment.isolation)
      if (to.waits || assignment.decisive !== true) leaveAlone(draft, run)
      if (to.waits) rest(draft, run, assignment.alone)
      else draft.next.onward++
    }
    draft.setStatus(task, to)
  },
  /** It keeps its slot. */
  Stopping: (draft, task, to) => {
    watchStop(draft, task.id, to)
    draft.setStatus(task, to)
  },
  /** It asked to be placed again, or stopped without having been told to. */
  Released: (draft, task, to) => {
    endExecuting(draft, task)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Executing">

const endExecuting = (draft: Draft, task: In<"Executing">): void => {
  if (task.assignment === undefined) return
  freeSlot(draft, task.assignment.isolation)
  endRun(draft, task.run, task.assignment.alone)
}
