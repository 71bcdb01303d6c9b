/**
 * What the worker has still to tell the scheduler, in order.
 *
 * Rows go into the segment at the end while they are of its kind, for a run of
 * one kind is encoded once for all its rows; a row of another kind begins a new
 * segment, so that the order of what happened is kept. Messages are cut by
 * their bytes: results ride on them, and a frame has a limit.
 *
 * The bound is what the scheduler assigns: a task leaves a few rows, and the
 * scheduler assigns no more before it has heard of them.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { WorkerReport } from "@skein/protocol/WorkerRpcs"

type Segment = Exclude<WorkerReport, { readonly _tag: "Load" }>
type Load = Extract<WorkerReport, { readonly _tag: "Load" }>
export type Row<Tag extends Segment["_tag"]> = Extract<Segment, { readonly _tag: Tag }>["rows"][number]

export interface Reports {
  /** Adds a row of this kind. `bytes`: what it carries besides small fields. */
  readonly add: <Tag extends Segment["_tag"]>(tag: Tag, row: Row<Tag>, bytes?: number) => void
  /** Says how the process is, in place of an earlier word on it that has not left yet. */
  readonly load: (load: Load) => void
  /** Waits for something to tell, then takes the first message's worth. */
  readonly take: Effect.Effect<ReadonlyArray<WorkerReport>>
}

/** Rows and bytes in one message at most; a single row may have more bytes. */
export interface Limits {
  /** @default 10000 */
  readonly rows?: number
  /** @default 1 MiB */
  readonly bytes?: number
}

interface Message {
  readonly segments: Array<WorkerReport>
  rows: number
  bytes: number
}

/** An empty one. */
export const make = ({ bytes: maxBytes = 1 << 20, rows: maxRows = 10_000 }: Limits = {}): Reports => {
  const messages: Array<Message> = []
  const filled = Latch.makeUnsafe(false)
  let waitingLoad: Load | undefined

  const openMessage = (bytes: number): Message => {
    const last = messages.at(-1)
    if (last !== undefined && last.rows < maxRows && last.bytes + bytes <= maxBytes) return last
    const message: Message = { segments: [], rows: 0, bytes: 0 }
    messages.push(message)
    return message
  }
  const add = <Tag extends Segment["_tag"]>(tag: Tag, row: Row<Tag>, bytes = 0): void => {
    const message = openMessage(bytes)
    message.rows++
    message.bytes += bytes
    const last = message.segments.at(-1)
    // The compiler does not see that one tag on both sides means one kind of row; the segment was made below and is nobody else's yet.
    if (last?._tag === tag) (last.rows as Array<Row<Tag>>).push(row)
    else message.segments.push({ _tag: tag, rows: [row] } as unknown as Segment)
    filled.openUnsafe()
  }
  const takeNow = (): ReadonlyArray<WorkerReport> => {
    const segments = messages.shift()?.segments ?? []
    if (messages.length === 0) filled.closeUnsafe()
    if (waitingLoad === undefined) return segments
    const load = waitingLoad
    waitingLoad = undefined
    return [...segments, load]
  }

  return {
    add,
    load: (load) => {
      waitingLoad = load
      filled.openUnsafe()
    },
    take: Effect.andThen(filled.await, Effect.sync(takeNow))
  }
}
