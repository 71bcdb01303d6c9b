/**
 * Time that the machines live in: it goes forward, at one pace, whatever is done
 * to the wall clock.
 *
 * Deadlines, graces, restarts and the lengths of runs are all differences of
 * times. Were they read off the wall clock, an operator or NTP who sets it back
 * an hour would have a nanny wait an hour before it starts a worker again, and
 * a body that ran meanwhile would have taken less than no time.
 *
 * So the wall clock is read once, for times that people read, and from then on
 * the monotonic clock is added to it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Millis } from "@skein/protocol/Ids"

/** What to add to a clock's monotonic milliseconds; one number for all that share the clock. */
const offsets = new WeakMap<Clock.Clock, number>()

/** Steady milliseconds since 1970 by this clock. */
export const of = (clock: Clock.Clock): () => Millis => {
  const monotonic = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000
  const offset = offsets.get(clock) ?? clock.currentTimeMillisUnsafe() - monotonic()
  offsets.set(clock, offset)
  return () => Math.floor(offset + monotonic())
}

/** The same, by the clock of the fiber that asks. */
export const millis: Effect.Effect<Millis> = Effect.map(Clock.Clock, (clock) => of(clock)())
