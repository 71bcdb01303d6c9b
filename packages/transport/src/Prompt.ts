/**
 * What is done by the time a call returns.
 *
 * A fiber that waits has to be put to sleep and woken, which costs more than the
 * message that it waits for. So what nearly always can be done at once is done
 * within the call, and the effect that comes back is what is left of it: `done`,
 * which is `Effect.void` itself, or what a fiber still has to wait for.
 */
import * as Effect from "effect/Effect"

/** Nothing is left. */
export const done: Effect.Effect<void> = Effect.void

/** Whether nothing is left. An effect may be done and not look it: then a fiber runs it for nothing. */
export const isDone = (left: Effect.Effect<void, unknown, unknown>): boolean => left === done

/** The call, whose throwing is the defect of what is left. */
export const call = <E, R>(f: () => Effect.Effect<void, E, R>): Effect.Effect<void, E, R> => {
  try {
    return f()
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** Calls this for each of them, one when the one before is done. */
export const forEach = <A, E, R>(items: ReadonlyArray<A>, f: (item: A) => Effect.Effect<void, E, R>, from = 0): Effect.Effect<void, E, R> => {
  for (let at = from; at < items.length; at++) {
    const left = f(items[at]!)
    if (!isDone(left)) return Effect.flatMap(left, () => forEach(items, f, at + 1))
  }
  return done
}
