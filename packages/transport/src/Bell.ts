/**
 * Has something done at the end of the turn in which it was rung, however often.
 *
 * What a turn produces so leaves together. Between the first ring and what it is
 * for there is one step of the fiber's own scheduler, and no timer. A ring while
 * nobody waits is kept, so testing and waiting are one step: look, and then wait,
 * and nothing that came in between is lost.
 *
 * Who knows that there is nothing more to come in this turn rings `now`, and
 * spares the others that step.
 *
 * What is short is better done by `each` than by a fiber that waits for `rung`: it
 * is a plain call, and the fiber is woken only for what that leaves to wait for.
 */
import * as Effect from "effect/Effect"
import type { SchedulerDispatcher } from "effect/Scheduler"
import * as Prompt from "./Prompt.ts"

export interface Bell {
  /** Never waits. */
  readonly ring: () => void
  /** The same, but who waits goes on at once, within this call. */
  readonly ringNow: () => void
  /** Completes at the end of the turn of the first ring since it last completed, or earlier by `ringNow`. One fiber at a time. */
  readonly rung: Effect.Effect<void>
  /** Calls this whenever `rung` would have completed, and not again before what it gives is done. */
  readonly each: <E, R>(step: () => Effect.Effect<void, E, R>) => Effect.Effect<never, E, R>
}

export const makeBell = (): Bell => {
  let ringing = false
  /** Who waits, while he does. */
  let listener: { readonly hearSoon: () => void; readonly hear: () => void } | undefined

  /** Has `heard` called at each ring, until that gives `false` or what is returned is called. */
  const listen = (dispatcher: SchedulerDispatcher, heard: () => boolean): () => void => {
    let isStopped = false
    const hear = (): void => {
      // Rung `now`, it has been heard already when the turn ends.
      if (listener !== mine || !ringing) return
      listener = undefined
      ringing = false
      if (heard()) listenOn()
    }
    const mine = { hear, hearSoon: () => dispatcher.scheduleTask(hear, 0) }
    const listenOn = (): void => {
      if (isStopped) return
      listener = mine
      if (ringing) mine.hearSoon()
    }
    listenOn()
    return () => {
      isStopped = true
      if (listener === mine) listener = undefined
    }
  }
  return {
    ring: () => {
      if (ringing) return
      ringing = true
      listener?.hearSoon()
    },
    ringNow: () => {
      ringing = true
      listener?.hear()
    },
    rung: Effect.withFiber<void>(({ currentDispatcher }) =>
      Effect.callback<void>((resume) =>
        Effect.sync(listen(currentDispatcher, () => {
          resume(Effect.void)
          return false
        }))
      )),
    each: <E, R>(step: () => Effect.Effect<void, E, R>) =>
      Effect.withFiber<never, E, R>(({ currentDispatcher }) => {
        const leftToWaitFor = Effect.callback<void, E, R>((resume) =>
          Effect.sync(listen(currentDispatcher, () => {
            const left = Prompt.call(step)
            if (Prompt.isDone(left)) return true
            resume(left)
            return false
          }))
        )
        return Effect.forever(leftToWaitFor, { disableYield: true })
      })
  }
}
