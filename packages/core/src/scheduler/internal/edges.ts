/**
 * The shape of transitions: where a task can be sent, and what a way there is.
 */
import type { Failure } from "@skein/protocol/Failure"
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"

/** Where a task is to go, with what is needed to go there. */
export type Target =
  /** `stop`: what runs is to be stopped, for it has not ended by itself. */
  | { readonly _tag: "Released"; readonly stop: boolean }
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "NoWorker" }
  | { readonly _tag: "Queued" }
  | { readonly _tag: "Processing"; readonly worker: WorkerId }
  | { readonly _tag: "Memory"; readonly worker: WorkerId; readonly run: RunId; readonly nbytes: number }
  | { readonly _tag: "Erred"; readonly failure: Failure; readonly origin: TaskId; readonly stop: boolean }
  | { readonly _tag: "Forgotten" }

/** The ways out of one status. Each is called with a task that has it. */
export type Edges = {
  readonly [Tag in Target["_tag"]]?: (
    draft: Draft,
    task: Task,
    target: Extract<Target, { readonly _tag: Tag }>
  ) => void
}

/** Whether somebody wants the result, or a task in play uses it. */
export const isNeeded = (task: Task): boolean => task.waiters > 0 || IntSet.size(task.whoWants) > 0

/** Whether it is wanted, but its graph is not whole yet, and nothing that has started needs it. */
export const isHeld = (task: Task): boolean => task.status._tag === "Released" && task.waiters === 0 && isNeeded(task)
