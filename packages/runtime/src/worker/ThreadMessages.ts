/**
 * What a worker and its threads say to each other, and what a thread needs of
 * whoever knows functions. It imports nothing: a thread loads this file before
 * anything else, and should be up quickly.
 *
 * Jobs and outcomes are bytes on both sides. Between threads messages travel
 * flat, as `pack` and `packReply` write them: a structured clone of the objects
 * costs two to three times as much as one of the same values in one array
 * (18 µs of both sides' time for two jobs, 6 so), and all bytes go as one.
 */
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"

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
  /** Those of the runs whose beginning is to be told. */
  readonly timed: ReadonlyArray<number>
  /** The parts of all jobs, one after another, alone in their buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Each job in turn: run, cell, digest, key, attempt, how many parts, their lengths. */
type FlatJobs = Array<number | string>

/** A `ToThread` as it travels; what is seldom there comes last. */
export type Packed = readonly [
  jobs: FlatJobs,
  bytes: Uint8Array<ArrayBuffer>,
  codes?: ReadonlyArray<CodeDef>,
  forget?: ReadonlyArray<string>,
  timed?: ReadonlyArray<number>
]

export const pack = ({ bytes, codes, forget, jobs, timed }: ToThread): Packed => {
  const flat: FlatJobs = []
  for (const { attempt, cell, digest, key, parts, run } of jobs) {
    flat.push(run, cell, digest, key, attempt, parts.length, ...parts)
  }
  return codes.length + forget.length + timed.length === 0 ? [flat, bytes] : [flat, bytes, codes, forget, timed]
}

export const unpack = ([flat, bytes, codes = [], forget = [], timed = []]: Packed): ToThread => {
  const jobs: Array<JobMessage> = []
  let at = 0
  const number = () => Number(flat[at++])
  const text = () => String(flat[at++])
  while (at < flat.length) {
    const job = { run: number(), cell: number(), digest: text(), key: text(), attempt: number() }
    const parts = Array.from({ length: number() }, number)
    jobs.push({ ...job, parts })
  }
  return { jobs, bytes, codes, forget, timed }
}

/**
 * The thread can take jobs; or a body is about to be called whose time is limited, or says how far it is; or one job of its is over,
 * `Skipped` if it had been taken back before it began.
 */
export type FromThread =
  | { readonly _tag: "Up" }
  | { readonly _tag: "Begun"; readonly run: number }
  | { readonly _tag: "Progress"; readonly run: number; readonly said: ProgressSaid }
  | { readonly _tag: "Skipped"; readonly cell: number }
  | { readonly _tag: "Succeeded"; readonly run: number; readonly value: Uint8Array; readonly ms: number }
  | {
    readonly _tag: "Failed"
    readonly run: number
    readonly failure: Uint8Array
    readonly retryable: boolean
    readonly ms: number
  }

/** A `FromThread` as it travels: its kind, a number, milliseconds, bytes. */
export type PackedReply = readonly [kind: ReplyKind, number: number, ms?: number, bytes?: Uint8Array]
type ReplyKind = 0 | 1 | 2 | 3 | 4 | 5 | 6

export const packReply = (message: FromThread): PackedReply => {
  switch (message._tag) {
    case "Up":
      return [0, 0]
    case "Skipped":
      return [1, message.cell]
    case "Begun":
      return [5, message.run]
    case "Progress": {
      const { done, note, total } = message.said
      return [6, message.run, done, encoder.encode(`${total ?? ""} ${note}`)]
    }
    case "Succeeded":
      return [2, message.run, message.ms, message.value]
    case "Failed":
      return [message.retryable ? 3 : 4, message.run, message.ms, message.failure]
  }
}

export const unpackReply = ([kind, number, ms = 0, bytes = new Uint8Array(0)]: PackedReply): FromThread => {
  switch (kind) {
    case 0:
      return { _tag: "Up" }
    case 1:
      return { _tag: "Skipped", cell: number }
    case 5:
      return { _tag: "Begun", run: number }
    case 6: {
      const text = decoder.decode(bytes)
      const end = text.indexOf(" ")
      return { _tag: "Progress", run: number, said: { done: ms, total: end === 0 ? undefined : Number(text.slice(0, end)), note: text.slice(end + 1) } }
    }
    case 2:
      return { _tag: "Succeeded", run: number, value: bytes, ms }
    case 3:
    case 4:
      return { _tag: "Failed", run: number, failure: bytes, retryable: kind === 3, ms }
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Whether to hand over the buffer of these bytes instead of copying it: small ones are copied faster, and parts of others must be. */
export const isWorthHandingOver = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> =>
  bytes.length >= 16_384 && bytes.length === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer

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
  /** Where outcomes go, see OutcomeRing.ts; what has no room there is sent, and so is a `null` to wake the owner. */
  readonly outcomes: SharedArrayBuffer
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
  /** Takes what the body says of itself. The same for all jobs. */
  readonly tell: (run: number, said: ProgressSaid) => void
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
