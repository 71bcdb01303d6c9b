/**
 * The one session over which all the nannies of this process speak with the scheduler.
 *
 * Nannies speak before the scheduler is up and must not wait for it, so what
 * they say waits in a line, in order. It is short: one word when a process
 * begins and one when it ends.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "@skein/protocol/Ids"
import { type ExitReport, NannyCommandRpcs, NannyRpcs } from "@skein/protocol/NannyRpcs"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Duplex from "@skein/transport/Duplex"
import type { Hashing } from "@skein/transport/Hashing"
import * as Session from "@skein/transport/Session"

type Word = { readonly _tag: "Watching"; readonly process: ProcessId } | { readonly _tag: "Exited"; readonly report: ExitReport }

export interface NannyLine {
  readonly watching: (process: ProcessId) => Effect.Effect<void>
  readonly exited: (report: ExitReport) => Effect.Effect<void>
  /** Speaks until the session is over, and then takes what is still said for nothing: nobody is there to hear it. */
  readonly run: (options: {
    readonly address: string
    readonly token: Redacted.Redacted<string>
    /** The scheduler wants this process ended. */
    readonly endProcess: (process: ProcessId, reason: string) => Effect.Effect<void>
  }) => Effect.Effect<void, Session.ConnectFailed, Hashing | Scope.Scope | Sockets>
}

export const make: Effect.Effect<NannyLine> = Effect.gen(function*() {
  const words = yield* Queue.unbounded<Word>()
  const say = (word: Word) => Effect.asVoid(Queue.offer(words, word))
  return {
    watching: (process) => say({ _tag: "Watching", process }),
    exited: (report) => say({ _tag: "Exited", report }),
    run: Effect.fnUntraced(function*({ address, endProcess, token }) {
      // The cluster has just made this address.
      const socket = yield* Effect.orDie((yield* Sockets).connect(address))
      const session = yield* Session.dial({ socket, greeting: { role: "nanny", name: "local-cluster", token }, timeoutMs: 30_000 })
      const handlers = yield* NannyCommandRpcs.toHandlers(NannyCommandRpcs.of({
        EndProcess: ({ process, reason }) => endProcess(process, reason)
      }))
      const scheduler = yield* Effect.provideContext(Duplex.make(session, { serve: NannyCommandRpcs, call: NannyRpcs }), handlers)
      const speak = Effect.forever(Effect.flatMap(Queue.take(words), (word) =>
        word._tag === "Watching" ? scheduler.Watching({ process: word.process }) : scheduler.Exited({ report: word.report })))
      yield* Effect.ignore(Effect.raceFirst(speak, session.ended))
      yield* Queue.shutdown(words)
    })
  }
})
