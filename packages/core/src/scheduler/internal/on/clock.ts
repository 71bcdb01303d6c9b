/**
 * What the shell itself has to say: that time went by, how full its memory is,
 * and what it has dropped.
 */
import type { Of } from "../../Event.ts"
import type { Draft } from "../draft.ts"
import { endOverdue } from "../stopping.ts"

/** Time went by. Cancelled runs are the only thing for which time is watched. */
export const onTicked = (draft: Draft, _event: Of<"Ticked">): void => {
  draft.state.wakeAt = undefined
  endOverdue(draft)
}

/**
 * So much memory is in use. Nearly full, the scheduler refuses what is new and
 * keeps what it has: a process that ran out of memory would lose all of it.
 */
export const onMemoryMeasured = (draft: Draft, { loadRatio }: Of<"MemoryMeasured">): void => {
  const { config, full } = draft.state
  draft.state.full = full ? loadRatio >= config.roomRatio : loadRatio >= config.fullRatio
}

/** The shell dropped code that no task calls: what was learnt of it goes too. */
export const onCodesForgotten = (draft: Draft, event: Of<"CodesForgotten">): void => {
  for (const code of event.codes) {
    const kind = draft.kind(code)
    if (kind !== undefined && Object.values(kind.counts).every((count) => count === 0)) draft.dropKind(code)
  }
}
