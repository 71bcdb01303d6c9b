/**
 * What happened, in lines of text that can be read aloud: one for each event and
 * each command, and the history of one task.
 *
 * A task is `t7/1`, its id and its run; a worker is `w3`.
 */
import type { Millis, RunId, TaskId } from "@skein/protocol/Ids"
import type { Assignment, Dependency, Held } from "@skein/protocol/WorkerRpcs"
import * as Recent from "../persistent/Recent.ts"
import { Command } from "./Command.ts"
import { Event } from "./Event.ts"
import type { State } from "./State.ts"

/** What happened. */
export const event = (event: Event): string =>
  Event.match(event, {
    Started: ({ worker, nthreads, nfibers, holds }) =>
      `starts as w${worker}, ${count(nthreads, "thread")}, ${count(nfibers, "fiber")}${list(" holding ", holds.map(held))}`,
    ComputeAsked: ({ rows }) => `asked to compute ${rows.map(assigned).join("; ")}`,
    FreeAsked: ({ rows }) => `asked to free ${rows.map(run).join(", ")}`,
    CancelAsked: ({ rows }) => `asked to cancel ${rows.map(run).join(", ")}`,
    TakeBackAsked: ({ rows }) => `asked to give back ${rows.map(run).join(", ")}`,
    HoldersTold: ({ rows }) => rows.map((row) => `told that ${run(row)} is at ${workers(row.whoHas)}`).join("; "),
    ExecuteBegun: (row) => `the body of ${run(row)} has been called`,
    ExecuteSucceeded: (row) => `${run(row)} returned ${row.nbytes} bytes after ${row.ms} ms`,
    ExecuteFailed: (row) => `${run(row)} failed after ${row.ms} ms`,
    ExecuteExited: (row) => `${run(row)} ended its thread: ${row.attempt.detail}`,
    ExecuteStopped: (row) => `nothing of ${run(row)} runs any more`,
    ExecuteRetracted: (row) => row.retracted ? `${run(row)} had not begun, and will not` : `${run(row)} had begun or ended`,
    ExecuteSeceded: (row) => `${run(row)} ${row.waits ? "waits without a slot" : "runs on without a slot"}`,
    ExecuteRejoined: (row) => `${run(row)} wants a slot again`,
    ExecuteRescheduled: (row) => `${run(row)} asks to be placed again`,
    DataReceived: ({ rows }) => `a client has sent ${rows.map(held).join(", ")}`,
    GatherSucceeded: ({ peer, got, missing }) =>
      `from w${peer} ${got.length === 0 ? "comes nothing" : `come ${got.map(held).join(", ")}`}${
        list(", it does not have ", missing.map(run))
      }`,
    GatherBusy: ({ peer }) => `w${peer} is busy`,
    GatherFailed: ({ peer }) => `w${peer} cannot be reached`,
    Ticked: ({ at }) => `it is ${at} ms`
  })

/** What is to be done about it. */
export const command = (command: Command): string =>
  Command.match(command, {
    Execute: (row) => `execute ${run(row)} in a ${row.isolation}${list(" with ", row.dependencies.map((id) => `t${id}`))}`,
    Resume: (row) => `let ${run(row)} go on`,
    GoOn: (row) => `let ${run(row)} go on without a slot`,
    NoteStarted: (row) => `note that run ${row.run} starts`,
    NoteEnded: (row) => `note that run ${row.run} has ended`,
    Retract: (row) => `take ${run(row)} out of its thread's queue`,
    Interrupt: (row) => `interrupt ${run(row)}`,
    Terminate: (row) => `end the thread of ${run(row)}`,
    EndProcess: ({ reason }) => `end this process: ${reason}`,
    Gather: ({ peer, rows }) => `ask w${peer} for ${rows.map(run).join(", ")}`,
    Drop: (row) => `drop ${run(row)}`,
    ReportFinished: (row) => `report ${run(row)} finished, ${row.nbytes} bytes`,
    ReportFailed: (row) => `report ${run(row)} failed`,
    ReportTimedOut: (row) => `report ${run(row)} timed out after ${row.ms} ms`,
    ReportKilled: (row) => `report ${run(row)} killed`,
    ReportStopped: (row) => `report ${run(row)} stopped`,
    ReportTakeBack: (row) => `${row.returned ? "give back" : "do not give back"} ${run(row)}`,
    ReportSeceded: (row) => `report ${run(row)} seceded`,
    ReportRescheduled: (row) => `report ${run(row)} to be placed again`,
    ReportReplica: (row) => `report a replica of ${held(row.held)}`,
    ReportGone: ({ row }) => `report ${run(row)} gone`,
    ReportMissing: (row) => `report ${run(row)} missing at w${row.peer}`,
    AskHolders: (row) => `ask who has ${run(row)}`,
    Wake: ({ at }) => `wake at ${at} ms`
  })

/** What the log remembers of one id, the oldest first. Ids are used again: the runs tell tasks apart. */
export const history = (
  state: State,
  id: TaskId
): ReadonlyArray<{ readonly at: Millis; readonly line: string }> =>
  Recent.since(state.log, 0).filter((entry) => entry.id === id).map((entry) => ({
    at: entry.at,
    line: `${run(entry)}: ${words(entry.from)} → ${words(entry.to)}, because of ${entry.cause}`
  }))

/** "LongRunning" as "long running". */
const words = (tag: string): string => tag.replace(/(?<=.)[A-Z]/g, (capital) => ` ${capital}`).toLowerCase()

const run = (row: { readonly id: TaskId; readonly run: RunId }): string => `t${row.id}/${row.run}`

const held = (row: Held): string => `${run(row)} (${row.nbytes} bytes)`

const workers = (ids: ReadonlyArray<number>): string => ids.length === 0 ? "nobody" : ids.map((id) => `w${id}`).join(" and ")

const assigned = (row: Assignment): string =>
  `${run(row)} in a ${row.isolation}${row.alone ? " alone" : ""}${row.priority === 0 ? "" : ` at priority ${row.priority}`}` +
  list(" from ", row.dependencies.map(input))

const input = (row: Dependency): string => `${held(row)} at ${workers(row.whoHas)}`

const list = (lead: string, items: ReadonlyArray<string>): string => items.length === 0 ? "" : `${lead}${items.join(", ")}`

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`
