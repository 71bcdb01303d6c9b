/**
 * The groups of rows, in the order in which they run.
 */
import type { Effect } from "effect"
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
  { name: "zero-worker", about: "what a task costs the client and the scheduler, with workers that answer at once", quick: true, heapMiB: 10_240, run: zeroWorker }
]
