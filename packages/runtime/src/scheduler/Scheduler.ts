/**
 * The scheduler's one loop, the owner of the state.
 *
 * Everything that happens is an event in the mailbox. A turn takes what has
 * queued, reduces it as one batch, journals it, and then lets the commands
 * leave. Nothing else writes the state, so nothing needs a lock; and nobody acts
 * on what could be forgotten. The loop knows nothing of events and commands:
 * features never touch it.
 *
 * It knows no restart either. Whoever supervises it ends the process when it
 * fails, for a state without its events cannot be had again.
 */
import * as Effect from "effect/Effect"
import type { Event } from "@skein/core/scheduler/Event"
import { broken } from "@skein/core/scheduler/Invariants"
import { reduce } from "@skein/core/scheduler/Reducer"
import type { State } from "@skein/core/scheduler/State"
import * as Story from "@skein/core/scheduler/Story"
import type { Carrying } from "./Carrying.ts"
import type { Tables } from "./Handlers.ts"
import { Journal, type JournalFailed } from "./Journal.ts"
import type { Mailbox } from "./Mailbox.ts"

export interface Options {
  readonly initial: State
  readonly mailbox: Mailbox
  readonly tables: Tables
  readonly carrying: Carrying
  /** Whether all invariants are checked after every batch: a state that is not true ends the loop before anybody acts on it. @default false */
  readonly validate?: boolean
}

export interface Scheduler {
  /** The loop; to be run once, by a supervisor. */
  readonly run: Effect.Effect<never, JournalFailed, Journal>
  /** As of the last batch reduced. */
  readonly state: () => State
}

export const make = (options: Options): Scheduler => {
  const { carrying, mailbox, tables } = options
  let state = options.initial

  /** One step of the program, so that nothing is named between the events and what they led to. */
  const takeAndReduce = () => {
    const { events, values } = mailbox.take()
    const entry = { codes: tables.codes.takeDeclared(), named: tables.keys.takeNamed(), events }
    const step = reduce(state, events)
    state = step.state
    if (options.validate === true) validate(state, events)
    carrying.address(step, values)
    return entry
  }
  const run = Effect.gen(function*() {
    const journal = yield* Journal
    while (true) {
      yield* mailbox.filled
      yield* journal.append(takeAndReduce())
      carrying.send()
      const log = carrying.toLog()
      if (log !== undefined) yield* log
    }
  })
  return { run, state: () => state }
}

const validate = (state: State, events: ReadonlyArray<Event>): void => {
  const wrong = broken(state)
  if (wrong.length === 0) return
  const led = events.slice(-10).map((event) => Story.event(event)).join("\n  ")
  throw new Error(`the scheduler's state is not true any more: ${wrong.join("; ")}\n  last it heard that:\n  ${led}`)
}
