/**
 * What happens in one process and is heard of in another: told by a step of the
 * one who waits, never inside the step of the one who tells.
 */
import * as Effect from "effect/Effect"
import { processOf, type SimProcess } from "../SimProcess.ts"

type Enqueue = (owner: SimProcess | undefined, run: () => void) => void

/** Something that comes about once, and may be awaited from any process. */
export interface Crossing<A> {
  /** The first counts. */
  readonly settle: (value: A) => void
  readonly settled: Effect.Effect<A>
  readonly poll: () => A | undefined
}

export const makeCrossing = <A>(enqueue: Enqueue): Crossing<A> => {
  const waiters = new Set<(value: A) => void>()
  let outcome: { readonly value: A } | undefined
  return {
    settle: (value) => {
      if (outcome !== undefined) return
      outcome = { value }
      for (const wake of waiters) wake(value)
      waiters.clear()
    },
    settled: Effect.withFiber((fiber) => {
      const owner = processOf(fiber)
      return Effect.callback<A>((resume) => {
        if (outcome !== undefined) return resume(Effect.succeed(outcome.value))
        const wake = (value: A) => enqueue(owner, () => resume(Effect.succeed(value)))
        waiters.add(wake)
        return Effect.sync(() => void waiters.delete(wake))
      })
    }),
    poll: () => outcome?.value
  }
}

/** Runs what it is given in steps of a process, in the order in which it was given. */
export const makeOrdered = (enqueue: Enqueue, owner: SimProcess) => {
  let waiting: Array<() => void> = []
  return (f: () => void): void => {
    waiting.push(f)
    if (waiting.length > 1) return
    enqueue(owner, () => {
      const now = waiting
      waiting = []
      for (const each of now) each()
    })
  }
}
