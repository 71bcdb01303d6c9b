/**
 * What workers say, and what is said of them.
 *
 * Each row names a task and a run. A run that is not the task's present one is
 * over for us: the task was taken from that worker, or is forgotten, and its id
 * may be another's by now. Such a row changes nothing; where it leaves data, the
 * worker is told to drop it.
 *
 * Source: dask.distributed `scheduler.py`, `stimulus_task_finished`,
 * `handle_task_erred`, `remove_worker`, `handle_request_refresh_who_has` and the
 * others named below; there a stale report is told by its worker and stimulus.
 */
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../../persistent/IntSet.ts"
import * as Vector from "../../../persistent/Vector.ts"
import type { Of } from "../../Event.ts"
import type { Load, Processing, Task, Worker } from "../../State.ts"
import { answerAwaitedWorkers } from "../asks.ts"
import { endTakingBack } from "../assignment.ts"
import { attemptOf, attemptsBefore, raised, tryAgain } from "../attempts.ts"
import { attemptEndedBy, blame, judge } from "../blame.ts"
import { answerAwaitedPlaces, arrivalOf, arrivingOf, missArrival, missArrivals } from "../data.ts"
import { amountsOf, noAmounts } from "../demands.ts"
import { type Draft, isId } from "../draft.ts"
import { isHeld, isNeeded } from "../edges.ts"
import { learn } from "../estimates.ts"
import { runnable } from "../lacking.ts"
import { close, open, unassign } from "../load.ts"
import { addReplica, removeReplica, tellHolders } from "../replicas.ts"
import { allStopped, stopped } from "../stopping.ts"
import { transition } from "../transition.ts"

/**
 * A worker registered.
 *
 * It may hold results of an earlier incarnation. What is needed and not there is
 * taken over; whatever was to compute it meanwhile is stopped.
 */
export const onWorkerJoined = (draft: Draft, event: Of<"WorkerJoined">): void => {
  const id = event.worker
  if (!isId(id) || draft.worker(id) !== undefined) return
  const offers = amountsOf(event.resources)
  draft.addWorker({
    id,
    name: event.name,
    address: event.address ?? "",
    host: event.host ?? "",
    offers,
    occupied: offers.length === 0 ? noAmounts : offers.map(() => 0),
    fiber: emptyLoad(event.nfibers),
    thread: emptyLoad(event.nthreads),
    processing: IntSet.empty(),
    stopping: IntSet.empty(),
    hasWhat: IntSet.empty(),
    nbytes: 0,
    ending: false
  })
  const worker = draft.worker(id)
  if (worker === undefined) return
  open(draft, worker)
  for (const row of event.holds) takeOver(draft, worker, row)
  for (const task of runnable(draft)) draft.ready.push(task)
  answerAwaitedWorkers(draft)
  answerAwaitedPlaces(draft)
}

/** A worker is gone. What ran there is computed again, and so is what only it had, if somebody needs it. */
export const onWorkerLeft = (draft: Draft, event: Of<"WorkerLeft">): void => {
  const worker = draft.worker(event.worker)
  if (worker === undefined) return
  const { blamed, isCertain } = judge(draft, worker, event.leaving)
  if (!worker.ending) close(draft, worker)
  draft.removeWorker(worker.id)
  forgetThief(draft, worker)
  allStopped(draft, worker)
  missArrivals(draft, worker.id)
  const accused = new Set(blamed)
  IntSet.forEach(worker.processing, (id) => {
    const task = draft.task(id)
    if (task?.status._tag !== "Processing") return
    if (accused.has(id)) {
      const attempt = attemptEndedBy(worker, task.status, task.trials.suspect, draft.at, event.leaving)
      draft.editTrials(task, { suspect: true })
      blame(draft, id, attempt, isCertain)
    } else startAgain(draft, id)
  })
  IntSet.forEach(worker.hasWhat, (id) => {
    const status = draft.task(id)?.status
    if (status?._tag === "Memory") removeReplica(draft, worker.id, id, status.run)
  })
}

/** Results are in the memory of their worker. */
export const onTasksFinished = (draft: Draft, event: Of<"TasksFinished">): void => {
  const worker = draft.worker(event.worker)
  if (worker === undefined) return
  for (const { id, ms, nbytes, run } of event.rows) {
    const task = present(draft, event.worker, id, run)
    if (task === undefined) {
      stopped(draft, event.worker, id, run)
      addReplica(draft, worker, id, run)
    } else {
      learn(draft, task.code, ms)
      transition(draft, id, { _tag: "Memory", worker: event.worker, run, nbytes: size(nbytes) })
    }
  }
}

/** Bodies failed. They are tried again as often as was asked for, if that can help. */
export const onTasksFailed = (draft: Draft, event: Of<"TasksFailed">): void => {
  for (const { failure, id, ms, retryable, run } of event.rows) {
    const task = present(draft, event.worker, id, run)
    if (task === undefined) {
      stopped(draft, event.worker, id, run)
      continue
    }
    if (retryable && task.trials.retriesLeft > 0) {
      tryAgain(draft, task, attemptOf(draft, event.worker, ms, "failed", "the body failed or threw"), false)
    } else {
      draft.editTrials(task, { attempt: task.trials.attempt + 1 })
      transition(draft, id, { _tag: "Erred", failure: raised(draft, task, failure), origin: id, stop: false })
    }
  }
}

/**
 * Bodies ran for longer than they may. That is a failed attempt, over as of now; what still runs of it is being stopped, and keeps
 * its slot until it has.
 */
export const onTasksTimedOut = (draft: Draft, event: Of<"TasksTimedOut">): void => {
  for (const { id, ms, run } of event.rows) {
    const task = present(draft, event.worker, id, run)
    if (task === undefined) continue
    const limitMs = task.trials.rules?.timeoutMs ?? ms
    const attempt = attemptOf(draft, event.worker, ms, "timeout", `ran longer than its limit of ${limitMs} ms`)
    if (task.trials.retriesLeft > 0) {
      tryAgain(draft, task, attempt, true)
    } else {
      const number = task.trials.attempt
      draft.editTrials(task, { attempt: number + 1 })
      const failure = { _tag: "TimedOut", limitMs, attempt: number, attempts: [...attemptsBefore(draft, task), attempt] } as const
      transition(draft, id, { _tag: "Erred", failure, origin: id, stop: true })
    }
  }
}

/** Bodies ended their threads: deaths with one culprit each. */
export const onTasksKilled = (draft: Draft, event: Of<"TasksKilled">): void => {
  for (const { attempt, id, run } of event.rows) {
    if (present(draft, event.worker, id, run) === undefined) stopped(draft, event.worker, id, run)
    else blame(draft, id, attempt, true)
  }
}

/** Cancelled runs have stopped. */
export const onTasksStopped = (draft: Draft, event: Of<"TasksStopped">): void => {
  for (const { id, run } of event.rows) stopped(draft, event.worker, id, run)
}

/** A task that was given back goes to the worker for which it was asked; one that had begun stays. */
export const onTakeBacksAnswered = (draft: Draft, event: Of<"TakeBacksAnswered">): void => {
  for (const { id, returned, run } of event.rows) {
    const task = present(draft, event.worker, id, run)
    if (task === undefined) {
      if (returned) stopped(draft, event.worker, id, run)
      continue
    }
    const { status } = task
    if (returned) {
      // Given back is given back, though whom it was asked back for may have left since.
      if (status.takingBackFor !== undefined) (draft.destined ??= new Map()).set(id, status.takingBackFor)
      startAgain(draft, id)
    } else if (status.takingBackFor !== undefined) {
      endTakingBack(draft, task, status)
      draft.editTask(task).status = { ...status, takingBackFor: undefined, started: true }
      if (task.trials.suspect) draft.state.suspects = IntSet.remove(draft.state.suspects, draft.owner, id)
    }
  }
}

/** Tasks gave up their slots and run on. Source: `handle_long_running`. */
export const onTasksSeceded = (draft: Draft, event: Of<"TasksSeceded">): void => {
  for (const { id, run } of event.rows) {
    const task = present(draft, event.worker, id, run)
    const worker = draft.worker(event.worker)
    if (task === undefined || worker === undefined || task.status.seceded) continue
    unassign(draft, worker, task.isolation, task.status.expectedMs)
    draft.editTask(task).status = { ...task.status, seceded: true }
  }
}

/** Bodies asked to be placed again. No retry is used up. Source: `handle_reschedule`. */
export const onTasksRescheduled = (draft: Draft, event: Of<"TasksRescheduled">): void => {
  for (const { id, run } of event.rows) {
    if (present(draft, event.worker, id, run) === undefined) stopped(draft, event.worker, id, run)
    else startAgain(draft, id)
  }
}

/** Source: `add_keys`. */
export const onReplicasAdded = (draft: Draft, event: Of<"ReplicasAdded">): void => {
  const worker = draft.worker(event.worker)
  if (worker === undefined) return
  for (const row of event.rows) {
    const arrival = arrivalOf(draft, worker.id, row)
    if (arrival === undefined) addReplica(draft, worker, row.id, row.run)
    else transition(draft, row.id, arrival)
  }
}

/** Source: `release_worker_data`. */
export const onReplicasGone = (draft: Draft, event: Of<"ReplicasGone">): void => {
  for (const { id, run } of event.rows) {
    if (arrivingOf(draft, id)?.run === run) missArrival(draft, event.worker, id)
    else removeReplica(draft, event.worker, id, run)
  }
}

/** `peer` does not have a result that we thought it had; the asker hears who has it. Source: `handle_missing_data`. */
export const onReplicasMissing = (draft: Draft, event: Of<"ReplicasMissing">): void => {
  if (draft.worker(event.worker) === undefined) return
  for (const { id, peer, run } of event.rows) {
    removeReplica(draft, peer, id, run)
    tellHolders(draft, event.worker, id, run)
  }
}

/** Source: `handle_request_refresh_who_has`. */
export const onHoldersAsked = (draft: Draft, event: Of<"HoldersAsked">): void => {
  if (draft.worker(event.worker) === undefined) return
  for (const { id, run } of event.rows) tellHolders(draft, event.worker, id, run)
}

/** The task, if it is processing there and this is its run. */
const present = (
  draft: Draft,
  worker: WorkerId,
  id: TaskId,
  run: RunId
): (Task & { readonly status: Processing }) | undefined => {
  const task = draft.task(id)
  return task !== undefined && isRunning(task) && task.status.run === run && task.status.worker === worker ? task : undefined
}

const isRunning = (task: Task): task is Task & { readonly status: Processing } => task.status._tag === "Processing"

/** The run has ended by itself, without a result: the task is to be computed again. */
const startAgain = (draft: Draft, id: TaskId): void => {
  transition(draft, id, { _tag: "Released", stop: false })
  draft.toCompute.push(id)
}

/** A result that a worker brought along. */
const takeOver = (draft: Draft, worker: Worker, { id, nbytes, run }: Held): void => {
  const task = draft.task(id)
  const isWelcome = task !== undefined && isNeeded(task) && !isHeld(task) && Number.isSafeInteger(run) && run >= 0 &&
    task.status._tag !== "Memory" && task.status._tag !== "Erred"
  if (!isWelcome) return addReplica(draft, worker, id, run)
  // After a restart of the scheduler its runs may be ahead of ours.
  if (run >= draft.state.nextRun) draft.state.nextRun = run + 1
  transition(draft, id, { _tag: "Released", stop: true })
  transition(draft, id, { _tag: "Memory", worker: worker.id, run, nbytes: size(nbytes) })
}

/** Tasks that were asked back for this worker stay where they are, unless they go elsewhere. */
const forgetThief = (draft: Draft, thief: Worker): void => {
  if (thief.fiber.coming + thief.thread.coming === 0) return
  Vector.forEach(draft.state.workers, (victim) => {
    if (victim.fiber.leaving + victim.thread.leaving === 0) return
    IntSet.forEach(victim.processing, (id) => {
      const task = draft.task(id)
      if (task === undefined || !isRunning(task) || task.status.takingBackFor !== thief.id) return
      const { status } = task
      endTakingBack(draft, task, status)
      draft.editTask(task).status = { ...status, takingBackFor: undefined }
    })
  })
}

const emptyLoad = (slots: number): Load => ({
  slots: Number.isSafeInteger(slots) && slots > 0 ? slots : 0,
  assigned: 0,
  occupancyMs: 0,
  leaving: 0,
  coming: 0,
  movedAt: 0,
  stalledMs: 0
})

/** Bytes of a result, as a worker says; what is no size counts nothing. */
const size = (nbytes: number): number => nbytes >= 0 && nbytes < Infinity ? nbytes : 0
