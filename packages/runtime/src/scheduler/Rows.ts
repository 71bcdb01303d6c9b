/**
 * Rows for one peer, put together into messages.
 *
 * Rows of one kind that stand together become one segment, for a run is encoded
 * once for all its rows; a row of another kind begins a new segment, so that the
 * order of what was decided is kept. Messages are cut by their bytes, because
 * arguments, code and results ride on them and a frame has a limit.
 */
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import type { Failure } from "@skein/protocol/Failure"
import { BYTES_PER_MESSAGE } from "@skein/protocol/Graph"
import type { CodeId, Ref } from "@skein/protocol/Ids"
import type { Assignment, Peer, Run, WorkerCommand } from "@skein/protocol/WorkerRpcs"

type Segment<Union, Tag> = Extract<Union, { readonly _tag: Tag }>

/** One row of a segment for a worker. */
export type WorkerRow =
  | { readonly _tag: "Peers"; readonly row: Peer }
  | { readonly _tag: "Codes"; readonly row: Segment<WorkerCommand, "Codes">["codes"][number] }
  | { readonly _tag: "ForgetCodes"; readonly row: CodeId }
  | { readonly _tag: "Compute"; readonly row: Assignment }
  | { readonly _tag: "Free" | "Cancel" | "TakeBack"; readonly row: Run }
  | { readonly _tag: "Holders"; readonly row: Segment<WorkerCommand, "Holders">["rows"][number] }

/** One row of a segment for a client. */
export type ClientRow =
  | { readonly _tag: "Peers"; readonly row: Peer }
  | { readonly _tag: "InMemory"; readonly row: Segment<ClientReport, "InMemory">["rows"][number] }
  | { readonly _tag: "Erred"; readonly row: Segment<ClientReport, "Erred">["rows"][number] }
  | { readonly _tag: "Pending"; readonly row: Ref }

/** The messages that carry these rows, in order. */
export const workerMessages = (rows: ReadonlyArray<WorkerRow>): ReadonlyArray<ReadonlyArray<WorkerCommand>> =>
  // The cast says what the table of fields says: which segment a kind of row belongs to.
  messages(rows, workerFields, workerBytes) as unknown as ReadonlyArray<ReadonlyArray<WorkerCommand>>

/** The messages that carry these rows, in order. */
export const clientMessages = (rows: ReadonlyArray<ClientRow>): ReadonlyArray<ReadonlyArray<ClientReport>> =>
  messages(rows, clientFields, clientBytes) as unknown as ReadonlyArray<ReadonlyArray<ClientReport>> // as above

/** Where a segment has its rows. */
const workerFields = {
  Peers: "peers",
  Codes: "codes",
  ForgetCodes: "codes",
  Compute: "rows",
  Free: "rows",
  Cancel: "rows",
  TakeBack: "rows",
  Holders: "rows"
} as const
const clientFields = { Peers: "peers", InMemory: "rows", Erred: "rows", Pending: "refs" } as const

interface AnyRow {
  readonly _tag: string
  readonly row: unknown
}

const messages = <Row extends AnyRow>(
  rows: ReadonlyArray<Row>,
  fields: Readonly<Record<Row["_tag"], string>>,
  bytesOf: (row: Row) => number
): ReadonlyArray<ReadonlyArray<object>> => {
  const all: Array<ReadonlyArray<object>> = []
  let message: Array<object> = []
  let open: Array<unknown> = []
  let kind: string | undefined
  let bytes = 0
  for (const row of rows) {
    const more = bytesOf(row)
    if (message.length > 0 && bytes + more > BYTES_PER_MESSAGE) {
      all.push(message)
      message = []
      kind = undefined
      bytes = 0
    }
    bytes += more
    if (kind !== row._tag) {
      kind = row._tag
      open = []
      message.push({ _tag: kind, [fields[row._tag as Row["_tag"]]]: open })
    }
    open.push(row.row)
  }
  if (message.length > 0) all.push(message)
  return all
}

/** What small fields come to, about. */
const SMALL = 32

const workerBytes = (row: WorkerRow): number => {
  switch (row._tag) {
    case "Compute":
      return SMALL + row.row.args.length + row.row.key.length + SMALL * row.row.dependencies.length
    case "Codes":
      return SMALL + (row.row.def.text?.length ?? 0)
    default:
      return SMALL
  }
}

const clientBytes = (row: ClientRow): number => {
  switch (row._tag) {
    case "InMemory":
      return SMALL + row.row.value.length
    case "Erred":
      return SMALL + row.row.origin.length + failureBytes(row.row.failure)
    default:
      return SMALL
  }
}

const failureBytes = (failure: Failure): number => {
  switch (failure._tag) {
    case "Raised":
      return failure.body.length
    case "Killed":
    case "TimedOut":
      return failure.attempts.reduce((sum, attempt) => sum + attempt.logTail.reduce((lines, line) => lines + line.length, SMALL), 0)
    default:
      return SMALL
  }
}
