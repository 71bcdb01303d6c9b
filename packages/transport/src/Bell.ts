/**
 * Wakes one fiber at the end of the turn in which it was rung, however often.
 *
 * What a turn produces so leaves together. Between the first ring and the
 * waking there is one step of the fiber's own scheduler, and no timer. A ring
 * while nobody waits is kept, so testing and waiting are one step: look, and
 * then wait, and nothing that came in between is lost.
 *
 * Who knows that there is nothing more to come in this turn rings `now`, and
 * spares the others that step.
 */
import * as Effect from "effect/Effect"

export interface Bell {
  /** Never waits. */
  readonly ring: () => void
  /** The same, but who waits goes on at once, within this call. */
  readonly ringNow: () => void
  /** Completes at the end of the turn of the first ring since it last completed, or earlier by `ringNow`. One fiber at a time. */
  readonly rung: Effect.Effect<void>
}

export const makeBell = (): Bell => {
  let ringing = false
  /** There while a fiber waits. `wake`: at the end of the turn; not there once that has been begun. */
  let wake: (() => void) | undefined
  let wakeNow: (() => void) | undefined
  return {
    ring: () => {
      if (ringing) return
      ringing = true
      wake?.()
    },
    ringNow: () => {
      ringing = true
      wakeNow?.()
    },
    rung: Effect.withFiber<void>((fiber) => {
      const { currentDispatcher } = fiber
      return Effect.callback<void>((resume) => {
        let waits = true
        const stop = () => {
          waits = false
          wake = undefined
          wakeNow = undefined
        }
        const wakeUp = () => {
          if (!waits) return
          stop()
          ringing = false
          resume(Effect.void)
        }
        wakeNow = wakeUp
        wake = () => {
          wake = undefined
          currentDispatcher.scheduleTask(wakeUp, 0)
        }
        if (ringing) wake()
        return Effect.sync(stop)
      })
    })
  }
}
