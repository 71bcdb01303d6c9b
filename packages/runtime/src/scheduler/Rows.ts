/**
 * What the scheduler has to say to workers and clients, as rows; Segments.ts
 * makes messages of them.
 */
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import type { Failure } from "@skein/protocol/Failure"
import type { CodeId, Ref } from "@skein/protocol/Ids"
import type { Assignment, Peer, Run, WorkerCommand } from "@skein/protocol/WorkerRpcs"
import { messages } from "../Segments.ts"

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
  | { readonly _tag: "Progress"; readonly row: Segment<ClientReport, "Progress">["rows"][number] }
  | { readonly _tag: "Pending"; readonly row: Ref }

/** The messages that carry these rows, in order. */
export const workerMessages = (rows: ReadonlyArray<WorkerRow>): ReadonlyArray<ReadonlyArray<WorkerCommand>> =>
  // The cast says what the table of fields says: which segment a kind of row belongs to.
  messages(rows, { fields: workerFields, bytesOf: workerBytes }) as unknown as ReadonlyArray<ReadonlyArray<WorkerCommand>>

/** The messages that carry these rows, in order. */
export const clientMessages = (rows: ReadonlyArray<ClientRow>): ReadonlyArray<ReadonlyArray<ClientReport>> =>
  messages(rows, { fields: clientFields, bytesOf: clientBytes }) as unknown as ReadonlyArray<ReadonlyArray<ClientReport>> // as above

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
const clientFields = { Peers: "peers", InMemory: "rows", Erred: "rows", Progress: "rows", Pending: "refs" } as const

/** What small fields come to, about. */
const SMALL = 32

const workerBytes = (row: WorkerRow): number => {
  switch (row._tag) {
    case "Compute":
      return SMALL + row.row.args.length + row.row.key.length + SMALL * row.row.dependencies.length
    case "Codes":
      return SMALL + (row.row.def.text?.length ?? 0) + (row.row.def.captures?.length ?? 0)
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
