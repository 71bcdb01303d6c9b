/**
 * How full the scheduler's memory is, as events.
 *
 * A process whose heap is full dies, and with it all that the scheduler knows.
 * So the memory is measured now and then, and the more often the more is
 * submitted; the reducer refuses new tasks when it is nearly full, keeps those it
 * has, and takes new ones again when there is room (core, `onMemoryMeasured`).
 *
 * What nothing depends on is no event: while there is much room, none comes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Event } from "@skein/core/scheduler/Event"
import type { State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import type { SubmittedTask } from "@skein/protocol/Graph"
import type { Millis } from "@skein/protocol/Ids"
import type { Mailbox } from "./Mailbox.ts"

/** The memory of a process that is the scheduler's own; undefined where it shares one, as with workers that are fibers: nobody measures that. */
export const Memory: Context.Reference<Measuring | undefined> = Context.Reference<Measuring | undefined>("@skein/runtime/scheduler/Memory", {
  defaultValue: () => undefined
})

export interface Measuring {
  /**
   * The part of what may be used that is in use and will not be free after the next collection; 1 is all. Quick, but for such a
   * collection. `factor`: how many times that will be needed.
   */
  readonly loadRatio: (factor: number) => number
}

export interface Watch {
  /** These tasks are about to be submitted. */
  readonly submitted: (tasks: ReadonlyArray<SubmittedTask>) => void
  /** The loop; to be run once at a time, by a supervisor. */
  readonly run: Effect.Effect<never>
}

export interface Options {
  readonly memory: Measuring
  readonly mailbox: Pick<Mailbox, "offer" | "caughtUp">
  readonly now: () => Millis
  /** As of the last batch. */
  readonly state: () => State
  /** Tasks refused so far. */
  readonly refused: () => number
}

/** A load below this is of no interest to anybody. */
const NOTABLE = 0.6
/** How often it is measured if nothing is submitted. */
const EVERY_MS = 250
/** How much may be submitted, about, before it is measured again, in bytes. */
const EVERY_BYTES = 1 << 20
/** What a task takes beside its key and arguments, about. */
const TASK_BYTES = 1 << 10

const REMEDY = "Give it more memory with `schedulerHeap` of LocalCluster, or submit less at a time"

export const make = ({ mailbox, memory, now, refused, state }: Options): Watch => {
  const full = () => state().full
  let unmeasuredBytes = 0
  /** As of the last measurement. */
  let notable = false
  const measure = (): number => {
    unmeasuredBytes = 0
    const factor = View.startFactor(state())
    const loadRatio = memory.loadRatio(factor)
    const isNotable = loadRatio * factor >= NOTABLE
    // One more when it has passed, so that the scheduler hears that there is room.
    if (notable || isNotable) mailbox.offer({ _tag: "MemoryMeasured", at: now(), loadRatio } satisfies Event)
    notable = isNotable
    return loadRatio
  }
  const run = Effect.gen(function*() {
    let wasFull = full()
    let toldRefused = 0
    let seenRefused = 0
    while (true) {
      yield* Effect.sleep(EVERY_MS)
      const loadRatio = measure()
      if (notable || wasFull) yield* mailbox.caughtUp
      const percent = `${Math.round(100 * loadRatio)} % of the scheduler's memory is in use`
      if (full() !== wasFull) {
        wasFull = full()
        yield* wasFull
          ? Effect.logWarning(`${percent}: new tasks are refused until futures are released. Those it has go on. ${REMEDY}`)
          : Effect.logInfo(`${percent}: new tasks are taken again`)
      }
      // Told when they stop, and not of each.
      if (refused() === toldRefused || refused() !== seenRefused) {
        seenRefused = refused()
        continue
      }
      yield* Effect.logWarning(`${refused() - toldRefused} tasks were refused: there was no room for them, or for all of their graph to start. ${REMEDY}`)
      toldRefused = refused()
    }
  })
  return {
    submitted: (tasks) => {
      for (const { args, key } of tasks) unmeasuredBytes += TASK_BYTES + key.length + args.length
      if (unmeasuredBytes >= EVERY_BYTES) measure()
    },
    run
  }
}
