/**
 * Where one peer's messages gather until the turn ends.
 *
 * Whoever produces them, a scheduler above all, must never wait for one slow
 * peer. So offering is free, one fiber per peer sends all that has gathered as
 * one message, and while that waits for room more gathers. A peer that falls too
 * far behind is ended: it costs itself, and nobody else.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { makeBell } from "./Bell.ts"
import * as Prompt from "./Prompt.ts"
import { SessionEnded } from "./SessionEnded.ts"

export interface OutboxOptions<Row, E, R> {
  /** Sends rows as one message, best within the call (`Prompt`); the next ones wait until it completes. */
  readonly send: (rows: ReadonlyArray<Row>) => Effect.Effect<void, E, R>
  /** Rows that may wait while a message is under way. @default 1000000 */
  readonly limitRows?: number
  /** Rows in one message at most. @default 10000 */
  readonly batchRows?: number
}

export interface Outbox<Row, E, R> {
  /** Never waits. After the end the row is dropped. */
  readonly offer: (row: Row) => void
  readonly offerAll: (rows: ReadonlyArray<Row>) => void
  /** Sends what has gathered now, and not at the end of the turn: for who has said all that there is to say in it. Never waits. */
  readonly flush: () => void
  /**
   * Sends what gathers, one message per turn, until sending fails, or with `overrun` once more than `limitRows` wait. To be run
   * once, by whoever owns the session: race it with that.
   */
  readonly run: Effect.Effect<never, E | SessionEnded, R>
  /** Rows that wait. */
  readonly size: () => number
}

/** An empty outbox. */
export const make = <Row, E, R>(options: OutboxOptions<Row, E, R>): Effect.Effect<Outbox<Row, E, R>> =>
  Effect.gen(function*() {
    const limit = options.limitRows ?? 1_000_000
    const most = options.batchRows ?? 10_000
    const bell = makeBell()
    /** Bounded by `added`. */
    let rows: Array<Row> = []
    const overrun = Deferred.makeUnsafe<never, SessionEnded>()
    let over = false
    /** Rows taken that are not sent yet. */
    let taken = 0
    const size = () => taken + rows.length
    const added = () => {
      bell.ring()
      if (size() <= limit) return
      over = true
      Deferred.doneUnsafe(overrun, Exit.fail(SessionEnded.of("overrun", `it reads too slowly: more than ${limit} rows wait for it`)))
    }
    const sendFrom = (batch: ReadonlyArray<Row>, first: number): Effect.Effect<void, E, R> => {
      for (let start = first; start < batch.length; start += most) {
        const part = batch.length <= most ? batch : batch.slice(start, start + most)
        taken = batch.length - start
        const left = options.send(part)
        if (!Prompt.isDone(left)) return Effect.flatMap(left, () => sendFrom(batch, start + most))
      }
      taken = 0
      return Prompt.done
    }
    const sendAll = (): Effect.Effect<void, E, R> => {
      const batch = rows
      rows = []
      return sendFrom(batch, 0)
    }
    return {
      offer: (row) => {
        if (over) return
        rows.push(row)
        added()
      },
      offerAll: (more) => {
        if (over || more.length === 0) return
        for (const row of more) rows.push(row)
        added()
      },
      flush: () => {
        if (rows.length > 0) bell.ringNow()
      },
      run: Effect.ensuring(
        Effect.raceFirst(bell.each(sendAll), Deferred.await(overrun)),
        Effect.sync(() => {
          over = true
          rows = []
        })
      ),
      size
    }
  })
