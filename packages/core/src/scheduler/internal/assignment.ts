/**
 * Giving a task to a worker, and asking for it back.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { TaskId } from "@skein/protocol/Ids"
import type { Dependency } from "@skein/protocol/WorkerRpcs"
import type { Command } from "../Command.ts"
import type { Processing, Task, Worker } from "../State.ts"
import { amountsDemanded, occupy } from "./demands.ts"
import type { Draft } from "./draft.ts"
import type { Target } from "./edges.ts"
import { expectedMs } from "./estimates.ts"
import { holders } from "./holding.ts"
import { assign, refresh } from "./load.ts"

/** The task is given to a worker, as a new run. */
export const becomeProcessing = (
  draft: Draft,
  task: Task,
  target: Extract<Target, { readonly _tag: "Processing" }>
): void => {
  const worker = draft.worker(target.worker)
  if (worker === undefined) return
  const run = draft.takeRun()
  const expected = expectedMs(draft, task, worker.id)
  const edited = assign(draft, worker, task.isolation, expected)
  edited.processing = IntSet.add(edited.processing, draft.owner, task.id)
  if (task.demand !== undefined) occupy(edited, amountsDemanded(draft, task))
  if (task.trials.suspect) draft.state.suspects = IntSet.add(draft.state.suspects, draft.owner, task.id)
  draft.move(task, {
    _tag: "Processing",
    worker: worker.id,
    run,
    since: draft.at,
    expectedMs: expected,
    seceded: false,
    started: false,
    takingBackFor: undefined
  })
  const command: ComputeTask = {
    _tag: "ComputeTask",
    worker: worker.id,
    id: task.id,
    run,
    code: task.code,
    args: task.args,
    isolation: task.isolation,
    priority: task.priority,
    rank: task.rank,
    attempt: task.trials.attempt,
    alone: task.trials.suspect,
    dependencies: task.dependencies.length === 0 ? noDependencies : task.dependencies.map((id) => describe(draft, id))
  }
  const timeoutMs = task.trials.rules?.timeoutMs ?? Infinity
  const timed = timeoutMs === Infinity ? command : { ...command, timeoutMs }
  draft.send(task.trials.suspect && task.trials.deaths.length >= draft.config.allowedFailures ? { ...timed, decisive: true } : timed)
}

type ComputeTask = Extract<Command, { readonly _tag: "ComputeTask" }>

/** Asks `victim` to give the task back, so that `thief` may have it. */
export const takeBack = (draft: Draft, task: Task, status: Processing, victim: Worker, thief: Worker): void => {
  draft.editTask(task).status = { ...status, takingBackFor: thief.id }
  draft.editWorker(victim)[task.isolation].leaving++
  draft.editWorker(thief)[task.isolation].coming++
  refresh(draft, draft.editWorker(victim), task.isolation)
  refresh(draft, draft.editWorker(thief), task.isolation)
  draft.send({ _tag: "TakeBack", worker: victim.id, id: task.id, run: status.run })
}

/** Forgets that the task was asked back, if it was: it has been answered, or it makes no difference any more. */
export const endTakingBack = (draft: Draft, task: Task, status: Processing): void => {
  if (status.takingBackFor === undefined) return
  const victim = draft.worker(status.worker)
  if (victim !== undefined) {
    const edited = draft.editWorker(victim)
    edited[task.isolation].leaving--
    refresh(draft, edited, task.isolation)
  }
  const thief = draft.worker(status.takingBackFor)
  if (thief !== undefined) {
    const edited = draft.editWorker(thief)
    edited[task.isolation].coming--
    refresh(draft, edited, task.isolation)
  }
}

const noDependencies: ReadonlyArray<never> = []

/** An input, as its reader is told of it. Only tasks whose dependencies are in memory are given to a worker. */
const describe = (draft: Draft, id: TaskId): Dependency => {
  const status = draft.task(id)?.status
  if (status?._tag !== "Memory") throw new Error(`invariant broken: task ${id} is an input, but not in memory`)
  return { id, run: status.run, nbytes: status.nbytes, whoHas: holders(status) }
}
