/**
 * The groups of rows, in the order in which they run.
 */
import type { Effect } from "effect"
import { latency } from "./groups/latency.ts"
import { realWorkers } from "./groups/realWorkers.ts"
import { reducer } from "./groups/reducer.ts"
import { zeroWorker } from "./groups/zeroWorker.ts"
import type { Bench } from "./harness/Bench.ts"

export interface Group {
  readonly name: string
  readonly about: string
  /** Whether `--quick` has rows of it. */
  readonly quick: boolean
  /** Megabytes of heap that its process may have. */
  readonly heapMiB?: number
  readonly run: Effect.Effect<void, unknown, Bench>
}

export const groups: ReadonlyArray<Group> = [
  { name: "zero-worker", about: "what a task costs the client and the scheduler, with workers that answer at once", quick: true, heapMiB: 10_240, run: zeroWorker },
  { name: "real-workers", about: "the whole path, with a local cluster of two workers, or of 24 that sleep", quick: true, run: realWorkers },
  { name: "latency", about: "how long one waits for one task", quick: true, run: latency },
  { name: "reducer", about: "the pure scheduler reducer alone: a task's whole life", quick: true, heapMiB: 10_240, run: reducer }
]
