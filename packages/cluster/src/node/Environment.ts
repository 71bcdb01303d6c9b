/**
 * The environment of this process, for workers that are fibers of it.
 *
 * There is one for all of them, and threads get a copy when they start. What
 * stood there before is put back when the workers have gone.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Sets these variables until the scope closes. */
export const set = (variables: Readonly<Record<string, string>>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
      Object.assign(process.env, variables)
      return before
    }),
    (before) => Effect.sync(() => {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    })
  ))
