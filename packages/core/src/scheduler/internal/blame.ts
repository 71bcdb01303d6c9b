/**
 * Who is to blame for the death of a worker.
 *
 * With prefetch nobody knows what a worker was executing. So at a first death
 * all that was assigned to it become *suspects*: each is started alone from then
 * on, and its start is noted where it survives the worker, so that the next death
 * has one culprit. A body that has given up its slot may run beside it, and then
 * both are noted, and both suspected. A task that has ended more than
 * `allowedFailures` workers fails as killed; but only when it was alone to blame
 * for the last, or many innocent tasks would fall with a guilty one. So at the
 * death that may be the last of it nothing runs beside it (`decisive`).
 *
 * The normal path pays nothing for this, and a task that always kills is found
 * after one death among others and three alone.
 *
 * Source: dask.distributed `scheduler.py`, `remove_worker` (`suspicious`,
 * `allowed-failures`). There every task that was merely queued on the dead worker
 * counts as guilty.
 */
import type { Attempt } from "@skein/protocol/Failure"
import type { Millis, TaskId } from "@skein/protocol/Ids"
import * as Option from "effect/Option"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Leaving } from "../Event.ts"
import type { Processing, Task, Worker } from "../State.ts"
import type { Draft } from "./draft.ts"
import { transition } from "./transition.ts"

/** What a worker's end means for the tasks that were processing there. */
export interface Verdict {
  /** Each may have ended it. */
  readonly blamed: ReadonlyArray<TaskId>
  /** One of them certainly did: there was no other. */
  readonly isCertain: boolean
}

const nobody: Verdict = { blamed: [], isCertain: false }

/**
 * Judges by what was processing on the worker when it left.
 *
 * A nanny's report names all that ran, if there was a suspect among them. One of
 * those is guilty, also if it has been cancelled, and all others are innocent. If
 * it names none, no suspect is guilty but one that waited without a slot, of which
 * a fiber may have run on. Without a report any task may be that has reached the
 * worker.
 */
export const judge = (draft: Draft, worker: Worker, leaving: Leaving): Verdict => {
  // An end that we asked for because a cancelled task would not stop is nobody's fault.
  if (leaving._tag === "Closed" || worker.ending) return nobody
  const assigned = processingOn(draft, worker)
  // What it was given since it was last heard of has not reached it: where many fall silent at once, a task would be given to one after the other.
  if (leaving._tag === "Silent") return accuse(worker, assigned.filter(({ since }) => since <= draft.at - leaving.silentMs))
  const { report } = leaving
  if (report.ended === "closed") return nobody
  if (report.started.length > 0) {
    const started = new Set(report.started)
    return { blamed: assigned.filter(({ run }) => started.has(run)).map(({ task }) => task.id), isCertain: started.size === 1 }
  }
  return accuse(worker, assigned.filter(({ seceded, task }) => !task.trials.suspect || seceded))
}

/**
 * Writes the death down for a task that may have caused it, and ends the task if
 * it is certain that it did, once too often. Otherwise it is to be computed again.
 */
export const blame = (draft: Draft, id: TaskId, attempt: Attempt, isCertain: boolean): void => {
  const task = draft.task(id)
  if (task === undefined) return
  const { allowedFailures } = draft.config
  const number = task.trials.attempt
  const deaths = [...task.trials.deaths, attempt].slice(-(allowedFailures + 1))
  draft.editTrials(task, { attempt: number + 1, deaths })
  if (isCertain && deaths.length > allowedFailures) {
    const failure = { _tag: "Killed", attempt: number, attempts: deaths } as const
    return transition(draft, id, { _tag: "Erred", failure, origin: id, stop: false })
  }
  transition(draft, id, { _tag: "Released", stop: false })
  draft.toCompute.push(id)
}

/**
 * The attempt of a task at which its worker ended. When it began is known of a suspect, whose start the nanny has noted; of others
 * it is when they were given to the worker.
 */
export const attemptEndedBy = (worker: Worker, { run, since }: Processing, isSuspect: boolean, at: Millis, leaving: Leaving): Attempt => {
  if (leaving._tag !== "Died") {
    const detail = leaving._tag === "Silent" ? `silent for ${leaving.silentMs} ms` : "closed"
    return { worker: worker.name, startedAtMs: since, endedAtMs: at, ended: "heartbeat", detail, peakMemoryBytes: Option.none(), logTail: [] }
  }
  const { detail, ended, logTail, memoryLimitBytes, peakMemoryBytes, ranMs, started } = leaving.report
  const ran = isSuspect ? ranMs?.[started.indexOf(run)] : undefined
  return {
    worker: worker.name,
    startedAtMs: ran === undefined ? since : at - ran,
    endedAtMs: at,
    ended,
    detail,
    peakMemoryBytes: Option.fromNullOr(peakMemoryBytes),
    ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
    logTail
  }
}

const accuse = (worker: Worker, assigned: ReadonlyArray<{ readonly task: Task }>): Verdict => ({
  blamed: assigned.map(({ task }) => task.id),
  // A cancelled task that has not stopped may be what ended the worker.
  isCertain: assigned.length === 1 && IntSet.size(worker.stopping) === 0
})

const processingOn = (
  draft: Draft,
  worker: Worker
): ReadonlyArray<{ readonly task: Task } & Pick<Processing, "run" | "seceded" | "since">> =>
  IntSet.toArray(worker.processing).flatMap((id) => {
    const task = draft.task(id)
    return task?.status._tag === "Processing" ? [{ task, run: task.status.run, seceded: task.status.seceded, since: task.status.since }] : []
  })
