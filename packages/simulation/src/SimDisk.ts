/**
 * A disk under simulation, as far as the product writes to one: the scheduler's
 * journal.
 *
 * Each write takes its time, more of it while the disk is slow. While it is full
 * or failing a write fails, and what failed is not there later.
 */
import * as Effect from "effect/Effect"
import { type Entry, Journal, JournalFailed } from "@skein/runtime/scheduler/Journal"
import type { Stream } from "./Stream.ts"

export class SimDisk {
  /** How writes go at present. */
  how: "well" | "slow" | "full" | "failing" = "well"
  /** What has been written. */
  readonly entries: Array<Entry> = []
  /** Writes that failed. */
  failed = 0
  readonly #stream: Stream

  constructor(stream: Stream) {
    this.#stream = stream
  }

  /** A journal on it. */
  get journal(): Journal["Service"] {
    return Journal.of({
      append: (entry) =>
        Effect.gen({ self: this }, function*() {
          const [least, most] = this.how === "slow" ? SLOW_MS : WRITE_MS
          yield* Effect.sleep(this.#stream.between(least, most))
          if (this.how === "full" || this.how === "failing") {
            this.failed++
            return yield* new JournalFailed({ detail: this.how === "full" ? "ENOSPC: no space left on device, write" : "EIO: i/o error, write" })
          }
          this.entries.push(entry)
        }),
      entries: Effect.sync(() => this.entries.slice())
    })
  }
}

/** Milliseconds that a write takes until it would survive a crash, least and greatest. */
const WRITE_MS = [0.05, 0.5] as const
const SLOW_MS = [20, 400] as const
