/**
 * The border of one session: what comes in is looked at here or nowhere, and
 * what goes out gathers here.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Outbox from "@skein/transport/Outbox"
import * as Prompt from "@skein/transport/Prompt"
import { type Session, SessionEnded } from "@skein/transport/Session"
import type { Reached } from "./Registry.ts"
import { Violation } from "./Violation.ts"

export interface Border {
  /** Takes what a message says, in one step. A violation ends the session; after the end nothing is taken any more. */
  readonly take: <A>(what: () => A) => Effect.Effect<A>
  /** The same within the call (`Prompt`): for the handlers of tells, each of which is called when its turn has come. */
  readonly hear: (what: () => void) => Effect.Effect<void>
  /** From now on nothing is taken. */
  readonly close: () => void
}

export const make = (session: Session): Border => {
  let open = true
  const refused = (error: unknown): Effect.Effect<never> => {
    if (!(error instanceof Violation)) throw error
    // What came after the bad message, in the same chunk of bytes, is on its way here.
    open = false
    return Effect.andThen(session.end(Cause.fail(SessionEnded.of("protocol", error.message))), Effect.never)
  }
  return {
    take: (what) =>
      Effect.suspend(() => {
        // The end of the session interrupts the handler.
        if (!open) return Effect.never
        try {
          return Effect.succeed(what())
        } catch (error) {
          return refused(error)
        }
      }),
    hear: (what) => {
      if (!open) return Effect.never
      try {
        what()
      } catch (error) {
        return refused(error)
      }
      return Prompt.done
    },
    close: () => {
      open = false
    }
  }
}

export interface Outgoing<Row> {
  readonly reached: Reached<Row>
  /** Sends what gathers until the session is over, and says how it ended; never while the session goes on. */
  readonly untilOver: Effect.Effect<SessionEnded>
}

/**
 * Where rows for a peer go. `send` makes messages of them.
 *
 * A peer for which more than `limitRows` wait reads too slowly, and is cut off:
 * that costs it its session and nobody else anything. What a single turn had to
 * say does not count, be it ever so much (a million results to be freed when a
 * client goes), for no peer can be ahead of that.
 */
export const outgoing = Effect.fnUntraced(function*<Row>(
  session: Session,
  limitRows: number,
  send: (rows: ReadonlyArray<Row>) => Effect.Effect<void, SessionEnded>
): Effect.fn.Return<Outgoing<Row>> {
  const outbox = yield* Outbox.make({ send, limitRows: Infinity })
  const tooSlow = Deferred.makeUnsafe<never, SessionEnded>()
  let pending: Array<Row> = []
  /** The most that one turn had to say since nothing waited. */
  let burst = 0
  const offer = (rows: ReadonlyArray<Row>): void => {
    if (outbox.size() === 0) burst = 0
    burst = Math.max(burst, rows.length)
    outbox.offerAll(rows)
    if (outbox.size() - burst <= limitRows) return
    Deferred.doneUnsafe(tooSlow, Exit.fail(SessionEnded.of("overrun", `it reads too slowly: more than ${limitRows} rows wait for it`)))
  }
  const reached: Reached<Row> = {
    push: (row) => {
      pending.push(row)
    },
    flush: () => {
      const rows = pending
      pending = []
      offer(rows)
      outbox.flush()
    },
    send: (row) => offer([row]),
    backlog: outbox.size,
    toldPeers: new Set(),
    end: session.end
  }
  const untilOver = Effect.raceAllFirst([
    outbox.run,
    session.ended,
    Deferred.await(tooSlow)
  ]).pipe(
    Effect.flip,
    Effect.tap((why) => session.end(Cause.fail(why)))
  )
  return { reached, untilOver }
})

/** Writes down an end that somebody may want to know of. What the peer calls itself is quoted, for it is only what it says. */
export const logEnd = (session: Session, why: SessionEnded): Effect.Effect<void> =>
  why.kind === "closed"
    ? Effect.void
    : Effect.logWarning(`the session of ${session.peer.role} ${JSON.stringify(session.peer.name)} is over (${why.kind}): ${why.reason}`)
