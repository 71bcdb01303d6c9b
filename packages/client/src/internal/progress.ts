/**
 * How far tasks say they are.
 *
 * The scheduler is told of the first who wants to hear it, and of the last who
 * does no more: of tasks that nobody watches nothing is sent.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { TaskProgress } from "../Future.ts"
import { untilSent } from "./batch.ts"
import type { Core } from "./core.ts"
import type { Held, Watcher } from "./held.ts"
import { unwatch, watch, type Word } from "./references.ts"

/** Words that wait for a slow reader; the latest are kept. */
const KEPT = 16

/** Of one key, until it is done. `keeps`: the future on whose behalf this waits. */
export const progressOf = (core: Core, held: Held, keeps: unknown): Stream.Stream<TaskProgress, SchedulerLost> =>
  Stream.callback<TaskProgress, SchedulerLost>((queue) => {
    const hear = ({ done, note, total }: Word): void => void Queue.offerUnsafe(queue, { done, total: Option.fromNullOr(total), note })
    const watcher: Watcher = {
      keeps,
      notify: () => {
        if (held.state._tag !== "Pending" || held.count <= 0) Queue.endUnsafe(queue)
        else if (core.references.lost !== undefined) Queue.failCauseUnsafe(queue, Cause.fail(core.references.lost))
      }
    }
    // A batch that has not been sent yet names it first.
    return Effect.andThen(untilSent([held]), Effect.acquireRelease(
      Effect.sync(() => {
        watch(held, watcher)
        watcher.notify()
        if (listen(core, held, hear)) tell(core, held, true)
      }),
      () =>
        Effect.sync(() => {
          unwatch(held, watcher)
          if (isLast(core, held, hear)) tell(core, held, false)
        })
    ))
  }, { bufferSize: KEPT, strategy: "sliding" })

/** Whether nobody had listened before. */
const listen = ({ references: { saying } }: Core, { ref }: Held, hear: (word: Word) => void): boolean => {
  const listening = saying.get(ref)
  if (listening !== undefined) listening.add(hear)
  else saying.set(ref, new Set([hear]))
  return listening === undefined
}

/** Whether nobody listens any more. */
const isLast = ({ references: { saying } }: Core, { ref }: Held, hear: (word: Word) => void): boolean => {
  const listening = saying.get(ref)
  listening?.delete(hear)
  return listening?.size === 0 && saying.delete(ref)
}

/** In its place among what the scheduler is told: of a key that has been released it hears nothing more. */
const tell = (core: Core, held: Held, on: boolean): void => {
  if (held.count > 0) core.outbox.offer({ _tag: "Watch", ref: held.ref, on })
}
