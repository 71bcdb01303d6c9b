/**
 * What the shell itself has to say: that time went by, how full its memory is,
 * and what it has dropped.
 */
import type { Of } from "../../Event.ts"
import { forgetConflicts } from "../conflicts.ts"
import type { Draft } from "../draft.ts"
import { startFactor } from "../../View.ts"
import { endDelays } from "../delays.ts"
import { tellLacking } from "../lacking.ts"
import { refuseSome } from "../refusing.ts"
import { endOverdue } from "../stopping.ts"
import { noticeStalls } from "../takingBack.ts"

/** Time went by: for cancelled runs, for tasks that wait, and for refused graphs, which are given up a little at a time. */
export const onTicked = (draft: Draft, _event: Of<"Ticked">): void => {
  draft.state.wakeAt = undefined
  endOverdue(draft)
  endDelays(draft)
  noticeStalls(draft)
  tellLacking(draft)
  refuseSome(draft)
  forgetConflicts(draft)
}

/**
 * So much memory is in use. Nearly full, the scheduler refuses what is new and
 * keeps what it has: a process that ran out of memory would lose all of it. What
 * is held of graphs counts for more than it takes, because it is still to start.
 */
export const onMemoryMeasured = (draft: Draft, { loadRatio }: Of<"MemoryMeasured">): void => {
  const { config, full } = draft.state
  const needed = loadRatio * startFactor(draft.state)
  draft.state.full = full ? needed >= config.roomRatio : needed >= config.fullRatio
}

/** The shell dropped code that no task calls: what was learnt of it goes too. */
export const onCodesForgotten = (draft: Draft, event: Of<"CodesForgotten">): void => {
  for (const code of event.codes) {
    const kind = draft.kind(code)
    if (kind !== undefined && Object.values(kind.counts).every((count) => count === 0)) draft.dropKind(code)
  }
}
