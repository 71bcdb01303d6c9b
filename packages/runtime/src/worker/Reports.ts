/**
 * What a worker has to tell the scheduler, as rows; Segments.ts makes messages of
 * them.
 */
import type { WorkerReport } from "@skein/protocol/WorkerRpcs"
import * as Segments from "../Segments.ts"

type Load = Extract<WorkerReport, { readonly _tag: "Load" }>
type Segment = Exclude<WorkerReport, Load>
type RowOf<S extends Segment> = S extends Segment ? { readonly _tag: S["_tag"]; readonly row: S["rows"][number] } : never

/** One row, or a word on the load. */
export type Row = RowOf<Segment> | Load

/** Where a segment has its rows. */
const fields = {
  Finished: "rows",
  Failed: "rows",
  Killed: "rows",
  TimedOut: "rows",
  Progress: "rows",
  Stopped: "rows",
  TakeBack: "rows",
  Seceded: "rows",
  Rescheduled: "rows",
  ReplicasAdded: "rows",
  ReplicasGone: "rows",
  Missing: "rows",
  HoldersAsked: "rows",
  Load: null
} as const

/** The messages that carry these rows, in order. `maxBytes`: of one message, unless a single row has more. */
export const messages = (rows: ReadonlyArray<Row>, maxBytes?: number): ReadonlyArray<ReadonlyArray<WorkerReport>> =>
  // The cast says what the table of fields says: which segment a kind of row belongs to.
  Segments.messages(rows, { fields, bytesOf, maxBytes }) as unknown as ReadonlyArray<ReadonlyArray<WorkerReport>>

/** What a row carries besides small fields. */
const bytesOf = (row: Row): number =>
  row._tag === "Finished" ? row.row.value.length : row._tag === "Failed" ? row.row.failure.length : 0
