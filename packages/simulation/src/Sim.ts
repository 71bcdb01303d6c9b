/**
 * A whole program as one process of a run: for tests of what needs no cluster.
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Hashing } from "@skein/transport/Hashing"
import * as World from "./World.ts"

export interface SimOptions {
  readonly seed: number
  /** Chance that a fiber is stopped before an operation, 0 to 0.2. @default 0 */
  readonly preemption?: number
  /** Steps after which the program counts as hung. @default 2e6 */
  readonly maxSteps?: number
}

export class Sim {
  /** Of the run, once it has ended. */
  steps = 0
  readonly #options: SimOptions

  constructor(options: SimOptions) {
    this.#options = options
  }

  /** Runs the program to its end. Dies if nothing can run any more, or after too many steps. */
  run<A, E>(effect: Effect.Effect<A, E, Hashing | Scope.Scope>): Exit.Exit<A, E> {
    const { maxSteps = 2e6, preemption = 0, seed } = this.#options
    const { exit, steps } = World.run({ seed, maxSteps, epochMs: 0, schedule: { strategy: "uniform", preemption, opsBeforeYield: 2048 } }, effect)
    this.steps = steps
    return Exit.isFailure(exit) && exit.cause.reasons.some((reason) => Cause.isFailReason(reason) && World.isStuck(reason.error))
      ? Exit.die(Cause.squash(exit.cause))
      // No other error is left.
      : exit as Exit.Exit<A, E>
  }
}
