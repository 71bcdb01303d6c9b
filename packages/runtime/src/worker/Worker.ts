/**
 * A worker's one loop, the owner of the state.
 *
 * Everything that happens is an event in the mailbox. A turn takes what has
 * queued, reduces it as one batch, and has the commands carried out, in order.
 * Then bodies begin. What ends in that very step is the next turn's event, so
 * that many small bodies are run without a pause between them. Nothing else
 * writes the state, so nothing needs a lock.
 *
 * It knows no restart. What a state thinks is running here is running here, and
 * a new state would know nothing of it; so whoever supervises the loop ends the
 * worker when it fails.
 *
 * Source: dask.distributed `worker_state_machine.py`, `BaseWorker.handle_stimulus`.
 */
import * as Effect from "effect/Effect"
import type { Event } from "@skein/core/worker/Event"
import { reduce } from "@skein/core/worker/Reducer"
import { empty, type State } from "@skein/core/worker/State"
import type { Carrying } from "./Carrying.ts"
import type { Mailbox } from "./Mailbox.ts"

export interface Options {
  readonly mailbox: Mailbox
  readonly carrying: Carrying
}

export interface Worker {
  /** The loop; to be run once, by a supervisor. */
  readonly run: Effect.Effect<never>
  /** As of the last batch reduced. */
  readonly state: () => State
}

export const make = ({ carrying, mailbox }: Options): Worker => {
  let state = empty()
  const turn = (events: ReadonlyArray<Event>): Effect.Effect<void> | undefined => {
    if (events.length === 0) return undefined
    const step = reduce(state, events)
    state = step.state
    return carrying.carryOut(step.commands)
  }
  const run = Effect.gen(function*() {
    while (true) {
      if (mailbox.isEmpty()) yield* mailbox.filled
      const taken = mailbox.take()
      const rest = turn("begin" in taken ? [taken.begin()] : taken)
      if (rest !== undefined) yield* rest
      carrying.beginBodies()
    }
  })
  return { run, state: () => state }
}
