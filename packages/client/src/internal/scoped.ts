/**
 * What a scope holds of a client: the futures that were made through a `scoped` one.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TaskHoldings } from "@skein/protocol/TaskContext"

/** Gives up what it holds when the scope ends. What comes after that is given up at once. */
export const scopeHoldings: Effect.Effect<TaskHoldings["Service"], never, Scope.Scope> = Effect.gen(function*() {
  /** One for each future that lives, so the program itself bounds them. */
  const held = new Set<() => void>()
  let over = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      over = true
      // Giving up takes it out of the set.
      for (const giveUp of [...held]) giveUp()
      held.clear()
    })
  )
  return {
    add: (giveUp) => {
      if (over) giveUp()
      else held.add(giveUp)
    },
    delete: (giveUp) => {
      held.delete(giveUp)
    }
  }
})

/** Held by both, until the first of them ends. */
export const both = (a: TaskHoldings["Service"], b: TaskHoldings["Service"]): TaskHoldings["Service"] => ({
  add: (giveUp) => {
    a.add(giveUp)
    b.add(giveUp)
  },
  delete: (giveUp) => {
    a.delete(giveUp)
    b.delete(giveUp)
  }
})
