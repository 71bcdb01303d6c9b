/**
 * The groups of rows, in the order in which they run.
 */
import type { Effect } from "effect"
import { data } from "./groups/data.ts"
import { floor } from "./groups/floor.ts"
import { graphs } from "./groups/graphs.ts"
import { growth } from "./groups/growth.ts"
import { latency } from "./groups/latency.ts"
import { peers } from "./groups/peers.ts"
import { pools } from "./groups/pools.ts"
import { realWorkers } from "./groups/realWorkers.ts"
import { reducer } from "./groups/reducer.ts"
import { responsiveness } from "./groups/responsiveness.ts"
import { startUp } from "./groups/startUp.ts"
import { zeroWorker } from "./groups/zeroWorker.ts"
import type { Bench } from "./harness/Bench.ts"

export interface Group {
  readonly name: string
  readonly about: string
  /** Whether `--quick` has rows of it. */
  readonly quick: boolean
  /** Megabytes of heap that its process may have. */
  readonly heapMiB?: number
  /** Minutes after which it is ended, unless all rows are asked for: nobody waits for what hangs. @default 10 */
  readonly minutes?: number
  readonly run: Effect.Effect<void, unknown, Bench>
}

const LARGE_HEAP = 10_240

export const groups: ReadonlyArray<Group> = [
  { name: "floor", about: "the least that can be called a scheduler, as three plain processes, on this machine at this hour", quick: true, run: floor },
  { name: "zero-worker", about: "what a task costs client and scheduler: workers that answer at once", quick: true, heapMiB: LARGE_HEAP, minutes: 20, run: zeroWorker },
  { name: "real-workers", about: "the whole path, on two workers, and on 24 that sleep", quick: true, minutes: 15, run: realWorkers },
  { name: "latency", about: "how long one waits for one task", quick: true, run: latency },
  { name: "peers", about: "the same on Dask and Ray (--against)", quick: false, minutes: 25, run: peers },
  { name: "pools", about: "plain functions in piscina's and workerpool's threads", quick: false, run: pools },
  { name: "reducer", about: "the pure scheduler reducer alone: a task's whole life", quick: true, heapMiB: LARGE_HEAP, run: reducer },
  { name: "responsiveness", about: "the first of 100 K tasks, and the end of 100 K", quick: false, heapMiB: LARGE_HEAP, run: responsiveness },
  { name: "start-up", about: "a local cluster until it is ready", quick: false, run: startUp },
  { name: "growth", about: "memory for each task, at the heap's limit, and for idle workers", quick: false, heapMiB: LARGE_HEAP, run: growth },
  { name: "data", about: "values between workers and to the client", quick: false, heapMiB: LARGE_HEAP, run: data },
  { name: "graphs", about: "graphs of published benchmarks on 24 workers that sleep", quick: false, run: graphs }
]
