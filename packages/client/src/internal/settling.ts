/**
 * Waiting for many keys at once, with one small object and no fiber for each.
 */
import * as Effect from "effect/Effect"
import type { SchedulerLost } from "@skein/protocol/Failure"
import { notForItself } from "./batch.ts"
import type { Core } from "./core.ts"
import type { FutureOf } from "./future.ts"
import { waiting } from "./inTask.ts"
import type { Watcher } from "./held.ts"
import { unwatch, watch } from "./references.ts"

/** Whether the key is pending no longer, or nobody will hear if it is. */
export const isSettled = ({ handle }: FutureOf): boolean => handle.released || handle.held.state._tag !== "Pending"

/** Whether it has settled, and not with a value. */
export const hasFailed = ({ handle }: FutureOf): boolean => handle.released || handle.held.state._tag === "Failed"

/** What is asked of the number of futures that have not settled. */
type Enough = (unsettled: number, changed: FutureOf | undefined) => boolean

/** Completes when `enough` says so of the number of futures that have not settled. It is asked again at every change. */
export const settledUntil = (core: Core, futures: ReadonlyArray<FutureOf>, enough: Enough): Effect.Effect<void, SchedulerLost> =>
  Effect.suspend(() =>
    // In a body a slot is not given back for what is there.
    enough(futures.reduce((unsettled, future) => isSettled(future) ? unsettled : unsettled + 1, 0), undefined)
      ? Effect.void
      : notForItself(heldBy(futures), waiting(untilSettled(core, futures, enough)))
  )

function* heldBy(futures: ReadonlyArray<FutureOf>) {
  for (const { handle } of futures) yield handle.held
}

const untilSettled = (core: Core, futures: ReadonlyArray<FutureOf>, enough: Enough): Effect.Effect<void, SchedulerLost> =>
  Effect.callback<void, SchedulerLost>((resume) => {
    const { references } = core
    const waiting: Array<Waiting> = []
    let unsettled = 0
    const stop = () => {
      for (const one of waiting) one.stop()
      waiting.length = 0
    }
    const look = (changed: FutureOf | undefined) => {
      if (enough(unsettled, changed)) {
        stop()
        resume(Effect.void)
      } else if (references.lost !== undefined) {
        stop()
        resume(Effect.fail(references.lost))
      }
    }
    const onChange = (one: Waiting) => {
      if (isSettled(one.keeps)) {
        one.stop()
        unsettled--
      }
      look(one.keeps)
    }
    for (const future of futures) {
      if (isSettled(future)) continue
      unsettled++
      const one = new Waiting(future, onChange)
      waiting.push(one)
      watch(future.handle.held, one)
    }
    look(undefined)
    return Effect.sync(stop)
  })

/** One future that is waited for: a small object, for there may be a million of them. */
class Waiting implements Watcher {
  readonly keeps: FutureOf
  private readonly onChange: (one: Waiting) => void
  private over = false

  constructor(keeps: FutureOf, onChange: (one: Waiting) => void) {
    this.keeps = keeps
    this.onChange = onChange
  }

  /** A change that was under way when it was stopped is of no interest. */
  notify(): void {
    if (!this.over) this.onChange(this)
  }

  stop(): void {
    if (this.over) return
    this.over = true
    unwatch(this.keeps.handle.held, this)
  }
}
