/**
 * The session over which all the nannies of this process speak with the scheduler.
 *
 * Nannies speak before the scheduler is up and must not wait for it, so what
 * they say waits in a line, in order. It is short: one word when a process
 * begins and one when it ends. Between two sessions nothing is kept of it: a new
 * one begins with the processes that run then, and of those that have ended
 * meanwhile a scheduler that forgot them need not hear.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "@skein/protocol/Ids"
import { type ExitReport, NannyCommandRpcs, NannyRpcs } from "@skein/protocol/NannyRpcs"
import { fitting } from "@skein/runtime/scheduler/Logs"
import { Sockets } from "@skein/runtime/worker/Sockets"
import * as Duplex from "@skein/transport/Duplex"
import type { Hashing } from "@skein/transport/Hashing"
import * as Session from "@skein/transport/Session"

type Word = { readonly _tag: "Watching"; readonly process: ProcessId } | { readonly _tag: "Exited"; readonly report: ExitReport }

export interface NannyLine {
  readonly watching: (process: ProcessId) => Effect.Effect<void>
  readonly exited: (report: ExitReport) => Effect.Effect<void>
  /** Speaks until the session is over; may be run again then. Fails if there is no scheduler within the time. */
  readonly run: (options: {
    /** What the nannies are called together. */
    readonly name: string
    readonly address: string
    readonly token: Redacted.Redacted<string> | undefined
    /** How long to look for the scheduler. */
    readonly timeoutMs: number
    /** How long a broken connection may take to come back, if that is less than the scheduler allows. @default as long as that */
    readonly graceMs?: number | undefined
    /** The session has begun. @default nobody is told */
    readonly onOpen?: Effect.Effect<unknown>
    /** The scheduler wants this process ended. */
    readonly endProcess: (process: ProcessId, reason: string) => Effect.Effect<void>
    /** Each worker's name → its lines. */
    readonly logs: Effect.Effect<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>
  }) => Effect.Effect<void, Session.ConnectFailed, Hashing | Scope.Scope | Sockets>
}

export const make: Effect.Effect<NannyLine> = Effect.gen(function*() {
  const words = yield* Queue.unbounded<Word>()
  /** Those that run now, in the order in which they began. */
  const watched = new Set<ProcessId>()
  let isHeard = true
  const say = (word: Word) => Effect.suspend(() => isHeard ? Effect.asVoid(Queue.offer(words, word)) : Effect.void)
  const begin = Effect.suspend(() => {
    if (isHeard) return Effect.void
    isHeard = true
    return Queue.offerAll(words, Array.from(watched, (process): Word => ({ _tag: "Watching", process })))
  })
  const end = Effect.suspend(() => {
    isHeard = false
    return Queue.clear(words)
  })
  return {
    watching: (process) => Effect.suspend(() => {
      watched.add(process)
      return say({ _tag: "Watching", process })
    }),
    exited: (report) => Effect.suspend(() => {
      watched.delete(report.process)
      return say({ _tag: "Exited", report })
    }),
    run: Effect.fnUntraced(function*({ address, endProcess, graceMs, logs, name, onOpen = Effect.void, timeoutMs, token }) {
      // Whoever asks has read this address.
      const socket = yield* Effect.orDie((yield* Sockets).connect(address))
      const session = yield* Session.dial({
        socket,
        greeting: { role: "nanny", name, ...(token === undefined ? {} : { token }) },
        timeoutMs,
        ...(graceMs === undefined ? {} : { graceMs })
      })
      const handlers = yield* NannyCommandRpcs.toHandlers(NannyCommandRpcs.of({
        EndProcess: ({ process, reason }) => endProcess(process, reason),
        Logs: () => Effect.map(logs, (all) => fitting(all.map(([name, lines]) => ({ name, lines }))))
      }))
      const scheduler = yield* Effect.provideContext(Duplex.make(session, { serve: NannyCommandRpcs, call: NannyRpcs }), handlers)
      yield* begin
      yield* onOpen
      const speak = Effect.forever(Effect.flatMap(Queue.take(words), (word) =>
        word._tag === "Watching" ? scheduler.Watching({ process: word.process }) : scheduler.Exited({ report: word.report })))
      yield* Effect.ensuring(Effect.ignore(Effect.raceFirst(speak, session.ended)), end)
    })
  }
})
