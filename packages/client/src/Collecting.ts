/**
 * Hearing that nothing points to an object any more.
 *
 * A service, because the collector runs when it likes: a simulation hands in one
 * that never hears of anything, and tests one that hears on demand.
 */
import * as Context from "effect/Context"

/** Who hears of it. */
export interface Collected {
  onCollected(): void
}

export interface Collecting {
  /** Calls `onCollected` once, some time after nothing points to `target` any more; nothing of `collected` must point to `target` itself. */
  readonly watch: (target: object, collected: Collected) => void
}

/** The runtime's own collector, unless somebody provides another. */
export const Collecting = Context.Reference<Collecting>("@skein/client/Collecting", {
  defaultValue: () => {
    const registry = new FinalizationRegistry<Collected>((collected) => collected.onCollected())
    return { watch: (target, collected) => registry.register(target, collected) }
  }
})
