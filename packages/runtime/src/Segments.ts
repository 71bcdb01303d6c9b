/**
 * Rows for one peer, put together into messages.
 *
 * Rows of one kind that stand together become one segment, for a run is encoded
 * once for all its rows; a row of another kind begins a new segment, so that the
 * order of what was decided is kept. Messages are cut by their bytes, because
 * arguments, code and results ride on them and a frame has a limit.
 */
import { BYTES_PER_MESSAGE } from "@skein/protocol/Graph"

/** One row of a segment, or a segment by itself. */
interface AnyRow {
  readonly _tag: string
  readonly row?: unknown
}

export interface Options<Row extends AnyRow> {
  /** Where a segment of each kind has its rows; null: a row of this kind is a segment by itself. */
  readonly fields: Readonly<Record<Row["_tag"], string | null>>
  /** What a row adds to its message, about. */
  readonly bytesOf: (row: Row) => number
  /** Bytes of one message at most, unless a single row has more. @default `BYTES_PER_MESSAGE` */
  readonly maxBytes?: number | undefined
}

/** The messages that carry these rows, in order. */
export const messages = <Row extends AnyRow>(rows: ReadonlyArray<Row>, options: Options<Row>): ReadonlyArray<ReadonlyArray<object>> => {
  const { bytesOf, fields, maxBytes = BYTES_PER_MESSAGE } = options
  const all: Array<ReadonlyArray<object>> = []
  let message: Array<object> = []
  let open: Array<unknown> = []
  let kind: string | undefined
  let bytes = 0
  for (const row of rows) {
    const more = bytesOf(row)
    if (message.length > 0 && bytes + more > maxBytes) {
      all.push(message)
      message = []
      kind = undefined
      bytes = 0
    }
    bytes += more
    const field = fields[row._tag as Row["_tag"]]
    if (field === null) {
      message.push(row)
      kind = undefined
      continue
    }
    if (kind !== row._tag) {
      kind = row._tag
      open = []
      message.push({ _tag: kind, [field]: open })
    }
    open.push(row.row)
  }
  if (message.length > 0) all.push(message)
  return all
}
