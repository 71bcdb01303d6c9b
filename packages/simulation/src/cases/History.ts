/**
 * What was asked of a simulated cluster, and what it answered.
 *
 * As in Jepsen an answer is *ok*, a *fail*, or *info*: nobody can know, because who
 * asked was gone by then. Only what is known is judged.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { SchedulerLost, TaskError, TaskOrigin } from "@skein/protocol/Failure"
import type { CaseTask } from "../Case.ts"
import { CaseFailed, type Value } from "./Work.ts"

/** How a future ended. `origin`: the task that failed, which a dependent's error names. */
export type Ending =
  | { readonly _tag: "Value"; readonly digest: string; readonly bytes: number }
  | { readonly _tag: "Failed"; readonly how: FailureKind; readonly origin: number }
  | { readonly _tag: "SchedulerLost" }
  /** Asked for by its key, and nobody knew it. */
  | { readonly _tag: "NotKnown" }
  /** Released by its own client while it was waited for. */
  | { readonly _tag: "Released" }
  /** What no task of a case and no fault can lead to. */
  | { readonly _tag: "Unexpected"; readonly detail: string }
  /** Who waited is gone. */
  | { readonly _tag: "Unknown" }

/** `Error`: its declared error; `Defect`: what it threw; `Conflict`: another graph has its key; `Lost`: it was scattered, and its workers went. */
export type FailureKind = "Error" | "Defect" | "Cancelled" | "Killed" | "TimedOut" | "Conflict" | "Lost"

/** One answer. */
export interface Answer {
  readonly at: number
  readonly client: number
  readonly task: number
  /** Which of the client's futures on this task, from 0. */
  readonly handle: number
  /**
   * `result`: of a future when it was first waited for; `again`: of the same future after healing; `together`: of many in one go;
   * `submit`: it was refused, and there is no future.
   */
  readonly asked: "result" | "again" | "together" | "submit"
  readonly ending: Ending
}

/** What became of a wish to cancel. */
export interface Cancelled {
  readonly at: number
  readonly client: number
  readonly task: number
  readonly outcome: "cancelled" | "already-done" | "shared" | "unknown"
}

/** The key under which a task of a case is submitted. */
export const keyOf = ({ id, under }: Pick<CaseTask, "id" | "under">): string => `t${under ?? id}`

/** The task of this key; NaN if no case has made it. `scattered`: whose keys follow from their values. */
const taskOf = (key: string, scattered: ReadonlyMap<string, number>): number => /^t\d+$/.test(key) ? Number(key.slice(1)) : scattered.get(key) ?? NaN

/** The ending that an exit of `future.result` is. */
export const endingOf = (exit: Exit.Exit<Value, unknown>, scattered: ReadonlyMap<string, number> = new Map()): Ending => {
  if (Exit.isSuccess(exit)) {
    const { digest, pad } = exit.value
    return { _tag: "Value", digest, bytes: pad.length }
  }
  if (Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Unknown" }
  const origin = Context.getOption(Cause.annotations(exit.cause), TaskOrigin)
  const error = Cause.squash(exit.cause)
  const from = Option.isSome(origin) ? taskOf(origin.value.key, scattered) : NaN
  if (error instanceof SchedulerLost) return { _tag: "SchedulerLost" }
  if (error instanceof CaseFailed) {
    return error.task === from ? { _tag: "Failed", how: "Error", origin: from } : unexpected(`the error of task ${error.task} is said to be that of ${from}`)
  }
  if (!(error instanceof TaskError)) return unexpected(String(error))
  switch (error.reason._tag) {
    case "SchedulerLost":
      return { _tag: "SchedulerLost" }
    case "DataLost":
      return error.reason.unknown === true ? { _tag: "NotKnown" } : { _tag: "Failed", how: "Lost", origin: from }
    case "TaskTimeout":
      return { _tag: "Failed", how: "TimedOut", origin: from }
    case "KeyConflict":
      return { _tag: "Failed", how: "Conflict", origin: from }
    case "KilledWorker":
      return { _tag: "Failed", how: "Killed", origin: from }
    case "TaskCancelled":
      return Option.isNone(origin) ? { _tag: "Released" } : { _tag: "Failed", how: "Cancelled", origin: from }
    case "TaskDefect":
      return String(error.reason.cause).includes(thrown(from))
        ? { _tag: "Failed", how: "Defect", origin: from }
        : unexpected(`${error.reason._tag} of task ${from}: ${String(error.reason.cause)}`)
    default:
      return unexpected(error.message)
  }
}

/** What the body of a task throws. */
export const thrown = (task: number): string => `task ${task} throws`

/** In a line, for reports. */
export const showEnding = (ending: Ending): string => {
  switch (ending._tag) {
    case "Value":
      return `the value ${ending.digest} and ${ending.bytes} bytes`
    case "Failed":
      return `${ending.how} of task ${ending.origin}`
    case "Unexpected":
      return `something that cannot be: ${ending.detail}`
    default:
      return ending._tag
  }
}

const unexpected = (detail: string): Ending => ({ _tag: "Unexpected", detail })
