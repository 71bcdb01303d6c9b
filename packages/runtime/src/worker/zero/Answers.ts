/**
 * What a worker says that does nothing: every task has finished as soon as it
 * is asked for.
 *
 * So what a task then costs is what the scheduler, its sessions and the client
 * spend on it. The rules are those of a real worker with infinitely fast bodies
 * and transfers: an input that is not here has been fetched in no time, and said
 * to be here before the task that needed it is said to be done; what has run
 * cannot be taken back; of what is cancelled nothing runs any more. Each answer
 * says what is true of the answers before it, so the scheduler's view of who
 * holds what stays exact.
 *
 * Source: the zero worker of RSDS (github.com/It4innovations/rsds).
 */
import type { Event } from "@skein/core/worker/Event"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import type { Assignment, Run } from "@skein/protocol/WorkerRpcs"
import type { Row } from "../Reports.ts"

/** How long every body is said to have run, in milliseconds. */
export const BODY_MS = 0.01

export interface Answers {
  /** Says all there is to say about an event, in order. Events of the parts that this worker lacks never come, and get no answer. */
  readonly answer: (event: Event, report: (row: Row) => void) => void
  /** A new incarnation holds nothing. */
  readonly forget: () => void
  /** Results that it says it holds. */
  readonly size: () => number
}

/** Of a worker each of whose results is `value`, an encoded one that is small enough to ride on the report. */
export const make = (value: Uint8Array): Answers => {
  /** The run of each result that is held. There are no more than the scheduler has assigned and not freed. */
  const held = new Map<TaskId, RunId>()

  const fetchInputs = (rows: ReadonlyArray<Assignment>, report: (row: Row) => void) => {
    for (const { dependencies } of rows) {
      for (const { id, nbytes, run } of dependencies) {
        if (held.get(id) === run) continue
        held.set(id, run)
        report({ _tag: "ReplicasAdded", row: { id, run, nbytes } })
      }
    }
  }
  const finish = ({ id, run }: Assignment, report: (row: Row) => void) => {
    held.set(id, run)
    report({ _tag: "Finished", row: { id, run, nbytes: value.length, ms: BODY_MS, value } })
  }
  const drop = ({ id, run }: Run) => {
    if (held.get(id) === run) held.delete(id)
  }
  return {
    answer: (event, report) => {
      switch (event._tag) {
        case "ComputeAsked":
          // All inputs first, so that the message has two segments and not two for each task.
          fetchInputs(event.rows, report)
          for (const row of event.rows) finish(row, report)
          return
        case "FreeAsked":
          return event.rows.forEach(drop)
        case "CancelAsked":
          for (const { id, run } of event.rows) {
            drop({ id, run })
            report({ _tag: "Stopped", row: { id, run } })
          }
          return
        case "TakeBackAsked":
          for (const { id, run } of event.rows) report({ _tag: "TakeBack", row: { id, run, returned: false } })
          return
      }
    },
    forget: () => held.clear(),
    size: () => held.size
  }
}
