/**
 * Rows of news for the scheduler, put together into messages.
 *
 * Rows of one kind that stand together become one segment, for a run is encoded
 * once for all its rows; a row of another kind begins a new segment, so that
 * the order of what happened is kept. Messages are cut by their bytes, because
 * results and errors ride on them and a frame has a limit.
 */
import type { WorkerReport } from "@skein/protocol/WorkerRpcs"

type Load = Extract<WorkerReport, { readonly _tag: "Load" }>
type Segment = Exclude<WorkerReport, Load>
type RowOf<S extends Segment> = S extends Segment ? { readonly _tag: S["_tag"]; readonly row: S["rows"][number] } : never

/** One row, or a word on the load. */
export type Row = RowOf<Segment> | Load

/** Bytes that ride on one message at most, unless a single row has more. */
export const MESSAGE_BYTES = 1 << 20

/** The messages that carry these rows, in order. */
export const messages = (rows: ReadonlyArray<Row>, maxBytes = MESSAGE_BYTES): ReadonlyArray<ReadonlyArray<WorkerReport>> => {
  const all: Array<Array<WorkerReport>> = []
  let message: Array<WorkerReport> = []
  let open: { readonly _tag: Segment["_tag"]; readonly rows: Array<unknown> } | undefined
  let bytes = 0
  for (const row of rows) {
    const carried = bytesOf(row)
    if (message.length > 0 && bytes + carried > maxBytes) {
      all.push(message)
      message = []
      open = undefined
      bytes = 0
    }
    bytes += carried
    if (row._tag === "Load") {
      message.push(row)
      open = undefined
    } else if (open?._tag === row._tag) {
      open.rows.push(row.row)
    } else {
      open = { _tag: row._tag, rows: [row.row] }
      // The compiler does not see that one tag means one kind of row.
      message.push(open as unknown as Segment)
    }
  }
  if (message.length > 0) all.push(message)
  return all
}

/** What a row carries besides small fields. */
const bytesOf = (row: Row): number =>
  row._tag === "Finished" ? row.row.value.length : row._tag === "Failed" ? row.row.failure.length : 0
