/**
 * Calls that are questions to the reducer.
 *
 * A call becomes an event with a number; the reducer answers that number with a
 * `Reply`, at once or much later. Until then the caller waits, and may give up:
 * then the reducer is told so, and forgets the question.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Answer } from "@skein/core/scheduler/Command"
import type { Event } from "@skein/core/scheduler/Event"
import type { AskId, ClientId, Millis } from "@skein/protocol/Ids"

export interface Asking {
  /** Asks, and waits for the answer. */
  readonly ask: (client: ClientId, question: (ask: AskId, at: Millis) => Event) => Effect.Effect<Answer>
  /** Answers; nobody may be waiting any more. */
  readonly reply: (ask: AskId, answer: Answer) => void
  /** Questions without an answer. A session has 1,024 calls under way at most, so there are that many for each client. */
  readonly size: () => number
}

export const make = (offer: (event: Event) => void, now: () => Millis): Asking => {
  const open = new Map<AskId, Deferred.Deferred<Answer>>()
  let count = 0
  return {
    ask: (client, question) =>
      // Uninterruptible but for the waiting: a question that was put is answered or abandoned.
      Effect.uninterruptibleMask((restore) => {
        const ask = count++ as AskId // the only place that gives these numbers
        const answer = Deferred.makeUnsafe<Answer>()
        open.set(ask, answer)
        offer(question(ask, now()))
        return restore(Deferred.await(answer)).pipe(
          Effect.onInterrupt(() => Effect.sync(() => offer({ _tag: "AskAbandoned", at: now(), client, ask }))),
          Effect.ensuring(Effect.sync(() => open.delete(ask)))
        )
      }),
    reply: (ask, answer) => {
      const waiting = open.get(ask)
      if (waiting !== undefined) Deferred.doneUnsafe(waiting, Exit.succeed(answer))
    },
    size: () => open.size
  }
}
