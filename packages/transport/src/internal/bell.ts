/**
 * Wakes one fiber at the end of the turn in which it was rung, however often.
 *
 * What a turn produces so leaves together. Between the first ring and the
 * waking there is one step of the fiber's own scheduler, and no timer. A ring
 * while nobody waits is kept, so testing and waiting are one step: look, and
 * then wait, and nothing that came in between is lost.
 */
import * as Effect from "effect/Effect"

export interface Bell {
  /** Never waits. */
  readonly ring: () => void
  /** Completes at the end of the turn of the first ring since it last completed. One fiber at a time. */
  readonly rung: Effect.Effect<void>
}

export const makeBell = (): Bell => {
  let ringing = false
  let wake: (() => void) | undefined
  return {
    ring: () => {
      if (ringing) return
      ringing = true
      wake?.()
    },
    rung: Effect.withFiber<void>((fiber) => {
      const { currentDispatcher } = fiber
      return Effect.callback<void>((resume) => {
        let waits = true
        const wakeUp = () => {
          if (!waits) return
          ringing = false
          resume(Effect.void)
        }
        wake = () => {
          wake = undefined
          currentDispatcher.scheduleTask(wakeUp, 0)
        }
        if (ringing) wake()
        return Effect.sync(() => {
          waits = false
          wake = undefined
        })
      })
    })
  }
}
