/**
 * Where events wait for the worker's turn.
 *
 * The loop takes all of it at every turn and waits for nothing in between, so
 * what waits here is what came within one turn. Should a turn ever be slow, then
 * from `HIGH_WATER` events on the session hands over no further frame: what is
 * not handed over is not acknowledged, and the scheduler's window fills up.
 * Reports of bodies and gathers need no such limit, for there is one for each
 * slot and each request.
 *
 * Among the events stands the mark of a new incarnation. It cuts a batch in two:
 * what is before it is about the old one. What peers have answered since then is
 * too, for the new one has asked nobody before its turn: it goes with the mark,
 * or it would pass for the answer to the new one's first question to that peer.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Event, Of } from "@skein/core/worker/Event"
import type { Session } from "@skein/transport/Session"

/** A new incarnation: when its turn comes, and all that was before has been dealt with, `begin` makes its first event. */
export interface Beginning {
  readonly _tag: "Beginning"
  readonly begin: () => Of<"Started">
}

export interface Mailbox {
  /** Never waits. */
  readonly offer: (item: Event | Beginning) => void
  /** Has the loop take a turn, whether there is an item or not. */
  readonly wake: () => void
  readonly isEmpty: () => boolean
  /** Waits until there is at least one item, or it is to wake. */
  readonly filled: Effect.Effect<void>
  /** What there is, in order: either events, perhaps none, or one beginning. */
  readonly take: () => ReadonlyArray<Event> | Beginning
  /** The same session, which hands over nothing while the loop is far behind. */
  readonly holdBack: (session: Session) => Session
}

/** What peers answer. */
const fromPeers: ReadonlySet<string> = new Set<Event["_tag"]>(["GatherSucceeded", "GatherBusy", "GatherFailed"])

/** Events that may wait before the scheduler must wait. */
export const HIGH_WATER = 4_096

export const make = (): Mailbox => {
  const filled = Latch.makeUnsafe(false)
  const drained = Latch.makeUnsafe(true)
  let items: Array<Event | Beginning> = []
  /** Beginnings among the items: hardly ever one. */
  let beginnings = 0

  const takeFirst = (): ReadonlyArray<Event> | Beginning => {
    const at = items.findIndex((item) => item._tag === "Beginning")
    const first = items[0]
    if (at > 0) return items.splice(0, at) as Array<Event> // those before the first beginning are events
    items = items.slice(1).filter((item) => !fromPeers.has(item._tag))
    beginnings--
    return first as Beginning
  }
  return {
    offer: (item) => {
      items.push(item)
      if (item._tag === "Beginning") beginnings++
      if (items.length === 1) filled.openUnsafe()
      else if (items.length === HIGH_WATER) drained.closeUnsafe()
    },
    wake: () => void filled.openUnsafe(),
    isEmpty: () => items.length === 0,
    filled: filled.await,
    take: () => {
      if (beginnings > 0) {
        const taken = takeFirst()
        if (items.length === 0) filled.closeUnsafe()
        if (items.length < HIGH_WATER) drained.openUnsafe()
        return taken
      }
      const taken = items as Array<Event> // no beginning is among them
      items = []
      filled.closeUnsafe()
      drained.openUnsafe()
      return taken
    },
    holdBack: (session) => ({
      ...session,
      run: (handle) => session.run((frame) => items.length < HIGH_WATER ? handle(frame) : Effect.andThen(drained.await, Effect.suspend(() => handle(frame))))
    })
  }
}
