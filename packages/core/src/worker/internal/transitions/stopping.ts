/** Out of `Stopping`: nothing of the body runs any more, whichever way it ended. */
import * as IntSet from "../../../persistent/IntSet.ts"
import { endRun, freeSlot } from "../slots.ts"
import type { Edges } from "../transition.ts"

export const stopping = {
  Released: (draft, task, to) => {
    const { alone, isolation, run, slot } = task.status
    if (slot) freeSlot(draft, isolation)
    endRun(draft, run, alone)
    draft.next.stopping = IntSet.remove(draft.next.stopping, draft.owner, task.id)
    draft.setStatus(task, to)
  }
} satisfies Edges<"Stopping">
