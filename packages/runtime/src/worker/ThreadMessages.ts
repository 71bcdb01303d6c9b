/**
 * What a worker and its threads say to each other, and what a thread needs of
 * whoever knows functions. Types and constants only: a thread loads this file
 * before anything else, and should be up quickly.
 *
 * Jobs and outcomes are bytes on both sides. All bytes of a message travel in
 * one buffer, which is handed over and not copied.
 */
import type { CodeDef } from "@skein/protocol/Code"

/** One body to run, as it travels. */
export interface JobMessage {
  readonly run: number
  /** Where in the claims this job is claimed. */
  readonly cell: number
  /** Digest of the code, which the thread has been told. */
  readonly digest: string
  readonly key: string
  readonly attempt: number
  /** Lengths of the parts in the message's bytes: first the arguments, then each input. */
  readonly parts: ReadonlyArray<number>
}

export interface ToThread {
  /** Code that the jobs call and the thread does not know yet. */
  readonly codes: ReadonlyArray<CodeDef>
  /** Digests that the thread need not remember any longer. */
  readonly forget: ReadonlyArray<string>
  readonly jobs: ReadonlyArray<JobMessage>
  /** The parts of all jobs, one after another. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The thread can take jobs; or one job of its is over, `Skipped` if it had been taken back before it began. */
export type FromThread =
  | { readonly _tag: "Up" }
  | { readonly _tag: "Skipped"; readonly cell: number }
  | { readonly _tag: "Succeeded"; readonly run: number; readonly value: Uint8Array; readonly ms: number }
  | {
    readonly _tag: "Failed"
    readonly run: number
    readonly failure: Uint8Array
    readonly retryable: boolean
    readonly ms: number
  }

/** What a thread is started with. */
export interface ThreadData {
  /** URL of a module whose exports are a `ThreadCode`. */
  readonly codeModule: string
  /** The worker's name. */
  readonly worker: string
  /**
   * One cell for each job that the thread holds. A thread may begin a job only
   * if it changes the job's cell from `queued` to `begun`; whoever wants the
   * job back changes it from `queued` to `taken`. So a job behind one that
   * computes for ever can be taken back at once, and certainly.
   */
  readonly claims: Int32Array<SharedArrayBuffer>
}

export const queued = 0
export const begun = 1
export const taken = 2

/** One body to run, as the code sees it. */
export interface ThreadJob {
  readonly run: number
  readonly key: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /** The worker's name. */
  readonly worker: string
  readonly args: Uint8Array
  /** Encoded values of the dependencies, in the order of the holes in `args`. */
  readonly inputs: ReadonlyArray<Uint8Array>
}

/** How a body ended; a body of `ThreadCode` does not throw. */
export type BodyOutcome =
  | { readonly _tag: "Succeeded"; readonly value: Uint8Array }
  | { readonly _tag: "Failed"; readonly failure: Uint8Array; readonly retryable: boolean }

/** The exports of a code module. */
export interface ThreadCode {
  /**
   * What runs jobs of this code. Called once for each thread and digest, before
   * the first job; may import modules. It does not reject: code that cannot be
   * had becomes a body that fails with the reason.
   */
  readonly prepare: (code: CodeDef) => Promise<(job: ThreadJob) => BodyOutcome | PromiseLike<BodyOutcome>>
}
