/**
 * Commands whose programs are loaded when they are run.
 */
import * as Effect from "effect/Effect"

/** What a module exports, once it is needed. That it cannot be loaded is a defect: it is ours. */
export const lazily = <Module, A, E, R>(load: () => Promise<Module>, use: (module: Module) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.promise(load), use)
