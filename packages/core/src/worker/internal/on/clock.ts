/** What is to happen because time went by. */
import type { Millis } from "@skein/protocol/Ids"
import * as IntSet from "../../../persistent/IntSet.ts"
import * as Vector from "../../../persistent/Vector.ts"
import type { Of } from "../../Event.ts"
import type { Draft } from "../draft.ts"
import { askHolders, setBusy } from "../holders.ts"
import { stopDeadline } from "../slots.ts"
import { stopOverdue } from "../stopping.ts"
import { timeLimit, timeOut } from "../timing.ts"

/** Does whatever is due, and asks to be woken for what will be: a tick too early or too late does no harm. */
export const onTicked = (draft: Draft, _event: Of<"Ticked">): void => {
  draft.next.wakeAt = undefined
  timeOut(draft)
  stopOverdue(draft)
  endBusy(draft)
  askAgain(draft)
  wakeForNext(draft)
}

/** Peers that have been left alone for long enough may be asked again. */
const endBusy = (draft: Draft): void =>
  IntSet.forEach(draft.next.busy, (peer) => {
    if (busyUntil(draft, peer) <= draft.at) setBusy(draft, peer, undefined)
  })

/** Who has what is still missing? */
const askAgain = (draft: Draft): void => {
  const { next } = draft
  if (next.askAt === undefined || draft.at < next.askAt) return
  IntSet.forEach(next.missing, (id) => {
    const task = draft.task(id)
    if (task !== undefined) askHolders(draft, task)
  })
  next.askAt = IntSet.size(next.missing) === 0 ? undefined : draft.at + next.config.askAgainMs
}

const wakeForNext = (draft: Draft): void => {
  const { next } = draft
  if (next.askAt !== undefined) draft.wakeBy(next.askAt)
  IntSet.forEach(next.busy, (peer) => draft.wakeBy(busyUntil(draft, peer)))
  IntSet.forEach(next.timed, (id) => draft.wakeBy(timeLimit(draft.task(id)) ?? Infinity))
  IntSet.forEach(next.stopping, (id) => {
    const status = draft.task(id)?.status
    if (status?._tag === "Stopping") draft.wakeBy(stopDeadline(next, status) ?? Infinity)
  })
}

const busyUntil = (draft: Draft, peer: number): Millis => Vector.get(draft.next.peers, peer)?.busyUntil ?? Infinity
