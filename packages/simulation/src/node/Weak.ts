/**
 * Runs in which bodies may use promises.
 *
 * A promise settles on the event loop, which the simulation does not see. So
 * before time goes on, the loop has turns, and what promises have resumed joins
 * the world. Such a run is *weak*: it takes a hundred times as long, and is the
 * same again only if the promises are, which those of pure computations are and
 * those of timers and I/O are not (the tripwires still refuse these by name).
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Hashing } from "@skein/transport/Hashing"
import * as World from "../World.ts"

/** Turns of the event loop without anything new before time goes on: as many promises may stand one behind another. */
const TURNS = 4

/** The real one, which is out of reach while the world takes its steps. */
const later = setImmediate

/** As `World.run`, and lets promises settle before time goes on. */
export const run = async <A, E>(options: World.WorldOptions, effect: Effect.Effect<A, E, Scope.Scope | Hashing>): Promise<World.Outcome<A, E>> => {
  const world = new World.World({ ...options, promises: true })
  const program = world.during(() => world.begin(World.DRIVER).run(Effect.scoped(effect)))
  while (true) {
    const outcome = world.during(() => {
      while (true) {
        // The driver's process ends with the run only.
        const exit = program.poll() as Exit.Exit<A, E> | undefined ?? world.verdict()
        if (exit !== undefined) return world.outcome<A, E>(exit)
        if (!world.ready) return undefined
        world.step()
      }
    })
    if (outcome !== undefined) return outcome
    for (let turn = 0; turn < TURNS && !world.ready; turn++) await new Promise<void>((resolve) => later(resolve))
    if (!world.ready && !world.during(() => world.step())) return world.during(() => world.outcome<A, E>(world.verdict() ?? world.deadlock()))
  }
}
