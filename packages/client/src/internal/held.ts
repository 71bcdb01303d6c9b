/**
 * A key that this client holds, as data: what references.ts keeps of each, and
 * batches fill in.
 */
import type * as Cause from "effect/Cause"
import type { Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { ResultCodecs } from "@skein/protocol/TaskValues"
import type { Batch } from "./batch.ts"

/** What is known of a key. */
export type State =
  /** `unsent`: the batch that is still to send it. */
  | { readonly _tag: "Pending"; readonly unsent?: Batch }
  /** `value`: its encoding, if that is small. */
  | {
    readonly _tag: "InMemory"
    readonly id: TaskId
    readonly run: RunId
    readonly nbytes: number
    readonly worker: WorkerId
    readonly value: Uint8Array | undefined
  }
  /** `cause`: decoded when somebody asks for it. */
  | { readonly _tag: "Failed"; readonly status: "error" | "cancelled" | "lost"; readonly cause: () => Cause.Cause<unknown> }

/** A key that is held. */
export interface Held {
  readonly ref: Ref
  readonly key: string
  /** The task's name; "" if somebody else has submitted it. */
  task: string
  /** Digest of what is computed; undefined for a key that was made to be fresh, `OTHERS` for one that this client has not submitted itself. */
  spec: string | undefined
  codecs: ResultCodecs
  /** References. */
  count: number
  state: State
  /** Who wants to hear of every change: mostly nobody, or one. See `watch`. */
  watchers: Watcher | Set<Watcher> | undefined
}

/** Stands for a computation of which only its key is known here. No digest is so short. */
export const OTHERS = ""

/** Hears of every change of one key, and keeps alive what it names. */
export interface Watcher {
  notify(): void
  /** The future on whose behalf it waits: a future that somebody waits for must not be collected. */
  readonly keeps: unknown
}

export const pending: State = { _tag: "Pending" }
