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
import type { SubmittedTask } from "@skein/protocol/Graph"
import type { Millis } from "@skein/protocol/Ids"
import type { Mailbox } from "./Mailbox.ts"

/** The memory of a process that is the scheduler's own; undefined where it shares one, as with workers that are fibers: nobody measures that. */
export const Memory: Context.Reference<Measuring | undefined> = Context.Reference<Measuring | undefined>("@skein/runtime/scheduler/Memory", {
  defaultValue: () => undefined
})

export interface Measuring {
  /** The part of what may be used that is in use and will not be free after the next collection; 1 is all. Quick, but for such a collection. */
  readonly loadRatio: () => number
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
  /** Whether the scheduler refuses new tasks, as of its last batch. */
  readonly full: () => boolean
}

/** A load below this is of no interest to anybody. */
const NOTABLE = 0.6
/** How often it is measured if nothing is submitted. */
const EVERY_MS = 250
/** How much may be submitted, about, before it is measured again, in bytes. */
const EVERY_BYTES = 1 << 20
/** What a task takes beside its key and arguments, about. */
const TASK_BYTES = 1 << 10

export const make = ({ full, mailbox, memory, now }: Options): Watch => {
  let unmeasuredBytes = 0
  /** As of the last measurement. */
  let notable = false
  const measure = (): number => {
    unmeasuredBytes = 0
    const loadRatio = memory.loadRatio()
    // One more when it has passed, so that the scheduler hears that there is room.
    if (notable || loadRatio >= NOTABLE) mailbox.offer({ _tag: "MemoryMeasured", at: now(), loadRatio } satisfies Event)
    notable = loadRatio >= NOTABLE
    return loadRatio
  }
  const run = Effect.gen(function*() {
    let wasFull = full()
    while (true) {
      yield* Effect.sleep(EVERY_MS)
      const loadRatio = measure()
      if (notable || wasFull) yield* mailbox.caughtUp
      if (full() === wasFull) continue
      wasFull = full()
      const percent = `${Math.round(100 * loadRatio)} % of the scheduler's memory is in use`
      yield* wasFull
        ? Effect.logWarning(`${percent}: new tasks are refused until futures are released. Those it has go on. Give it more with \`schedulerHeap\` of LocalCluster`)
        : Effect.logInfo(`${percent}: new tasks are taken again`)
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
