/**
 * Hearing that nothing points to an object any more.
 *
 * A service, because the collector runs when it likes: a simulation hands in one
 * that never hears of anything, and tests one that hears on demand.
 */
import * as Context from "effect/Context"

export interface Collecting {
  /** Calls `onCollected` once, some time after nothing points to `target` any more; it must not point to `target` itself. */
  readonly watch: (target: object, onCollected: () => void) => void
}

/** The runtime's own collector, unless somebody provides another. */
export const Collecting = Context.Reference<Collecting>("@skein/client/Collecting", {
  defaultValue: () => {
    const registry = new FinalizationRegistry<() => void>((onCollected) => onCollected())
    return { watch: (target, onCollected) => registry.register(target, onCollected) }
  }
})
