/**
 * One simulated run, whole, as data: equal cases give equal runs.
 *
 * A case is drawn from a seed, kept as `case.json` when it fails, and shortened
 * by leaving parts of it out. So nothing in it depends on what stands beside it:
 * tasks name their dependencies, faults their times and targets.
 */
import type { Fault } from "./Fault.ts"

export interface Case {
  readonly version: 1
  /** Drives what the case does not say: the order of fibers, latencies, random draws of the product. */
  readonly seed: number
  readonly cluster: {
    readonly workers: number
    /** Fibers (and threads) that each worker runs at once. */
    readonly slots: number
  }
  readonly clients: number
  readonly schedule: {
    /** Which of the fibers that can run is next. */
    readonly strategy: "fifo" | "lifo" | "uniform" | "pct" | "starve"
    /** Chance that a fiber is stopped before an operation, 0 to 0.2. */
    readonly preemption: number
    readonly opsBeforeYield: number
  }
  readonly network: {
    /** Least and greatest, milliseconds. */
    readonly latency: readonly [number, number]
    /** Share of chunks that arrive in two pieces. */
    readonly fragment: number
  }
  readonly tasks: ReadonlyArray<CaseTask>
  readonly operations: ReadonlyArray<Operation>
  readonly faults: ReadonlyArray<Fault>
  /** When the faults stop and healing begins, virtual milliseconds. */
  readonly healAt: number
  /** By when everything must have ended, virtual milliseconds. */
  readonly endBy: number
}

/** A node of the graph. Its value is a digest of its name and its dependencies' values, so that a wrong input shows. */
export interface CaseTask {
  /** Unique in the case, never used anew when others are left out. */
  readonly id: number
  /** Ids of tasks of the same client or of those before it. */
  readonly dependencies: ReadonlyArray<number>
  readonly client: number
  /** Virtual milliseconds that the body takes. */
  readonly durationMs: number
  /** Bytes that its value holds beside the digest. */
  readonly bytes: number
  readonly retries: number
  readonly priority: number
  /** `fails`: with its declared error, in its first `times` attempts. */
  readonly body:
    | { readonly _tag: "Succeeds" }
    | { readonly _tag: "Fails"; readonly times: number }
    | { readonly _tag: "Dies" }
    /** Ends its process while it runs. */
    | { readonly _tag: "Exits" }
    | { readonly _tag: "NeverEnds" }
  /** An Effect in the worker's loop, or a plain function in a thread. */
  readonly isolation: "fiber" | "thread"
}

/** What a client does, beside submitting its tasks in order. */
export type Operation =
  | { readonly _tag: "Submit"; readonly at: number; readonly task: number }
  | { readonly _tag: "Cancel"; readonly at: number; readonly task: number }
  | { readonly _tag: "Release"; readonly at: number; readonly task: number }
  | { readonly _tag: "Retry"; readonly at: number; readonly task: number }
  | { readonly _tag: "Scale"; readonly at: number; readonly workers: number }
