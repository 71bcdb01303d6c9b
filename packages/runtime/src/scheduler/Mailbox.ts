/**
 * Where events wait for the scheduler's turn.
 *
 * The loop takes all of it at every turn, and a turn waits for nothing but the
 * journal. It begins when the program has read what its sockets had: reducing a
 * batch and telling its peers costs something once, so all that has come is one
 * batch, whoever said it. While the journal is slow and more than `HIGH_WATER`
 * events wait here, no session hands over another frame (`holdBack`): what is not
 * handed over is not acknowledged, so that every peer soon has its window full and
 * waits. The mailbox then has at most `HIGH_WATER` events and what two windows of
 * each session can say.
 *
 * Small results that ride on a report wait beside it, for as long as their event
 * does. They are kept by worker and run: a run that another worker names cannot
 * put its value in the place of the right one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type { Event } from "@skein/core/scheduler/Event"
import type { RunId, WorkerId } from "@skein/protocol/Ids"
import { makeBell } from "@skein/transport/Bell"
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
  /** Waits until there is at least one event, and its turn of the program has ended. */
  readonly filled: Effect.Effect<void>
  /** All there is, in order; to be reduced in the same step. */
  readonly take: () => Batch
  /** Completes once all that was offered before has been reduced: who looks then sees what he has said himself. */
  readonly caughtUp: Effect.Effect<void>
  /** The same session, which hands over nothing while the loop is far behind. */
  readonly holdBack: (session: Session) => Session
  /** Events that wait. */
  readonly size: () => number
}

/** Events that may wait before those who bring more must wait. */
export const HIGH_WATER = 4_096

export const make = (): Mailbox => {
  const filled = makeBell()
  const drained = Latch.makeUnsafe(true)
  let events: Array<Event> = []
  /** Completed when the events that wait now are taken. */
  let taken: Deferred.Deferred<void> | undefined
  let values = new Map<WorkerId, Map<RunId, Uint8Array>>()
  return {
    offer: (event) => {
      events.push(event)
      if (events.length === 1) filled.ring()
      else if (events.length === HIGH_WATER) drained.closeUnsafe()
    },
    keepValue: (worker, run, value) => {
      const own = values.get(worker)
      if (own !== undefined) own.set(run, value)
      else values.set(worker, new Map([[run, value]]))
    },
    filled: filled.rung,
    take: () => {
      const batch = { events, values }
      events = []
      if (values.size > 0) values = new Map()
      drained.openUnsafe()
      if (taken !== undefined) Deferred.doneUnsafe(taken, Exit.void)
      taken = undefined
      return batch
    },
    caughtUp: Effect.suspend(() => {
      if (events.length === 0) return Effect.void
      taken ??= Deferred.makeUnsafe()
      // Whoever waits may be woken in the middle of the step that takes and reduces; yielding, it goes on after that step.
      return Effect.andThen(Deferred.await(taken), Effect.yieldNow)
    }),
    holdBack: (session) => ({
      ...session,
      run: (handle) => session.run((frame) => events.length < HIGH_WATER ? handle(frame) : Effect.andThen(drained.await, Effect.suspend(() => handle(frame))))
    }),
    size: () => events.length
  }
}
