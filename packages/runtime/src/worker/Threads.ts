/**
 * The threads that run plain functions, because only a thread can be ended
 * while it computes.
 *
 * A thread holds a queue, or it would wait for a hand-over after each job: one
 * at a time costs 15–45 µs, four queued 6–10, frames of eight 1.5–3. How many
 * are worth that is for the caller to say, who knows how long jobs take: beside
 * a job of a millisecond a hand-over is nothing. What is queued behind a
 * long job is not lost to it: a thread must claim a job before it begins it, in
 * memory that both sides see, so an idle thread's job can be taken back from a
 * busy one, and a cancelled one from behind an endless loop, at once and for
 * certain. So too, when a thread ends, it is known what it had begun: that job
 * alone is lost, the others move.
 *
 * Threads are started on first use, and from then on one spare is kept warm to
 * take the place of one that is ended.
 *
 * The pool is used from one process's event loop and never suspends inside; a
 * simulation replaces `ThreadSpawner`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import type { RunId } from "@skein/protocol/Ids"
import { Pool } from "./ThreadPool.ts"
import type { FromThread, ToThread } from "./ThreadMessages.ts"

/** One body to run. */
export interface Job {
  readonly run: RunId
  readonly code: CodeDef
  readonly key: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Copied at once: the caller keeps its bytes. */
  readonly args: Uint8Array
  /** Encoded values of the dependencies, in the order of the holes in `args`. */
  readonly inputs: ReadonlyArray<Uint8Array>
  /** What is to be heard of it before it ends: that its body is about to be called, if that is asked for, and how far it says it is. */
  readonly timed?: boolean
  readonly on?: JobListener
}

/** What is heard of jobs before they end. */
export interface JobListener {
  readonly begun: (run: RunId) => void
  readonly progress: (run: RunId, said: ProgressSaid) => void
}

/** How a job ended; nothing of it runs any more. */
export type JobOutcome =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array; readonly ms: number }
  | { readonly _tag: "Failed"; readonly failure: Uint8Array; readonly retryable: boolean; readonly ms: number }
  /** The body ended its thread: by `process.exit`, an uncaught error or for want of memory. */
  | { readonly _tag: "Exited"; readonly code: number; readonly detail: string }
  /** By `cancel`, `terminate` or the end of the pool. */
  | { readonly _tag: "Stopped"; readonly begun: boolean }

export interface Threads {
  /**
   * Runs a job soon, in the order of calls as far as there is one thread only.
   * The caller decides how many jobs it gives out at once; they all wait here.
   * `on` is called once, when nothing of the job runs any more.
   */
  readonly submit: (job: Job, on: (outcome: JobOutcome) => void) => void
  /** The same as an Effect. If interrupted, the job is terminated, and that is waited for as long as `stuckAfter`. */
  readonly run: (job: Job) => Effect.Effect<JobOutcome>
  /** Takes back a job that has not begun, whose outcome then has been told; does nothing to one that has. */
  readonly cancel: (run: RunId) => void
  /** As `cancel`, and ends the thread of one that has begun. Returns at once; the outcome tells when it is done. */
  readonly terminate: (run: RunId) => void
  /** Runs that have begun and not ended. */
  readonly executing: Effect.Effect<ReadonlyArray<RunId>>
  /** Threads, by what they are doing; `ending` ones are stuck or about to be gone. */
  readonly counts: Effect.Effect<{ readonly busy: number; readonly idle: number; readonly starting: number; readonly ending: number }>
}

export interface Options {
  /** Threads that run jobs; the spare is one more. */
  readonly nthreads: number
  /** Jobs that a thread holds at most, the running one included. @default 32 */
  readonly depth?: number
  /** How long a terminated thread may take to end before `onStuck`. @default 1 second */
  readonly stuckAfter?: Duration.Input
  /**
   * A thread does not end although it was terminated, for it is in a system
   * call: only the end of the process will stop this run. Called at most once
   * for each run.
   */
  readonly onStuck?: (run: RunId) => void
}

/** Starts threads. The real one is node/NodeThreads.ts. */
export class ThreadSpawner extends Context.Service<ThreadSpawner, {
  /** Never throws; a thread that cannot be started exits. */
  readonly start: (claims: Int32Array<SharedArrayBuffer>, on: ThreadListener) => Thread
}>()("@skein/runtime/worker/ThreadSpawner") {}

export interface Thread {
  readonly post: (message: ToThread) => void
  /** Its end is told by `exit`, some day. */
  readonly terminate: () => void
}

export interface ThreadListener {
  readonly message: (message: FromThread) => void
  /** The last that is heard of it, after all of its messages. */
  readonly exit: (code: number, detail: string) => void
}

/** A pool; all its threads are terminated when the scope closes. */
export const make: (options: Options) => Effect.Effect<Threads, never, ThreadSpawner | Scope.Scope> = Effect.fnUntraced(
  function*(options) {
    const spawner = yield* ThreadSpawner
    const fork = yield* FiberSet.makeRuntime<never>()
    const pool = new Pool(options, spawner.start, {
      soon: (f) => void fork(Effect.map(Effect.yieldNow, f)),
      after: (f, time) => void fork(Effect.delay(Effect.sync(f), time))
    })
    yield* Effect.addFinalizer(() => pool.close())
    return {
      submit: (job, on) => pool.submit(job, on),
      run: (job) => pool.run(job),
      cancel: (run) => pool.cancel(run),
      terminate: (run) => pool.terminate(run),
      executing: Effect.sync(() => pool.executing()),
      counts: Effect.sync(() => pool.counts())
    }
  }
)
