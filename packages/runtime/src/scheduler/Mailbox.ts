/**
 * Where events wait for the scheduler's turn.
 *
 * The loop takes all of it at every turn, and a turn waits for nothing but the
 * journal. While that is slow and more than `HIGH_WATER` events wait here, no
 * session hands over another frame (`holdBack`): what is not handed over is not
 * acknowledged, so that every peer soon has its window full and waits. The
 * mailbox then has at most `HIGH_WATER` events and what two windows of each
 * session can say.
 *
 * Small results that ride on a report wait beside it, for as long as their event
 * does. They are kept by worker and run: a run that another worker names cannot
 * put its value in the place of the right one.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Event } from "@skein/core/scheduler/Event"
import type { RunId, WorkerId } from "@skein/protocol/Ids"
import type { Session } from "@skein/transport/Session"

/** Small results of one turn, by worker and run. */
export type Values = ReadonlyMap<WorkerId, ReadonlyMap<RunId, Uint8Array>>

/** What one turn takes. */
export interface Batch {
  readonly events: ReadonlyArray<Event>
  readonly values: Values
}

export interface Mailbox {
  /** Never waits. */
  readonly offer: (event: Event) => void
  /** A small result, to be offered in the same step as the event that reports it. */
  readonly keepValue: (worker: WorkerId, run: RunId, value: Uint8Array) => void
  /** Waits until there is at least one event. */
  readonly filled: Effect.Effect<void>
  /** All there is, in order; to be reduced in the same step. */
  readonly take: () => Batch
  /** The same session, which hands over nothing while the loop is far behind. */
  readonly holdBack: (session: Session) => Session
  /** Events that wait. */
  readonly size: () => number
}

/** Events that may wait before those who bring more must wait. */
export const HIGH_WATER = 4_096

export const make = (): Mailbox => {
  const filled = Latch.makeUnsafe(false)
  const drained = Latch.makeUnsafe(true)
  let events: Array<Event> = []
  let values = new Map<WorkerId, Map<RunId, Uint8Array>>()
  return {
    offer: (event) => {
      events.push(event)
      if (events.length === 1) filled.openUnsafe()
      else if (events.length === HIGH_WATER) drained.closeUnsafe()
    },
    keepValue: (worker, run, value) => {
      const own = values.get(worker)
      if (own !== undefined) own.set(run, value)
      else values.set(worker, new Map([[run, value]]))
    },
    filled: filled.await,
    take: () => {
      const batch = { events, values }
      events = []
      if (values.size > 0) values = new Map()
      filled.closeUnsafe()
      drained.openUnsafe()
      return batch
    },
    holdBack: (session) => ({
      ...session,
      run: (handle) => session.run((frame) => events.length < HIGH_WATER ? handle(frame) : Effect.andThen(drained.await, handle(frame)))
    }),
    size: () => events.length
  }
}
