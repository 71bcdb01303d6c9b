/**
 * A state machine's clock: one fiber, one sleep, whatever is due first.
 *
 * The reducer says when it wants to look again; a later `Wake` replaces an
 * earlier one. So there is no timer for a task, and none to be forgotten.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Millis } from "@skein/protocol/Ids"

export interface Ticking {
  /** Have `tick` called at this time or soon after, and not at the one asked for before. */
  readonly wake: (at: Millis) => void
  /** The loop; to be run once at a time, by a supervisor. */
  readonly run: Effect.Effect<never>
}

export const make = (now: () => Millis, tick: () => void): Ticking => {
  const changed = Latch.makeUnsafe(false)
  let due: Millis | undefined
  return {
    wake: (at) => {
      due = at
      changed.openUnsafe()
    },
    run: Effect.gen(function*() {
      while (true) {
        // Closed in the step that looks: whoever asks from here on opens it again.
        changed.closeUnsafe()
        if (due === undefined) yield* changed.await
        else if (due > now()) yield* Effect.raceFirst(Effect.sleep(due - now()), changed.await)
        else {
          due = undefined
          tick()
        }
      }
    })
  }
}
