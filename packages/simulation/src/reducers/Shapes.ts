/**
 * What the status of a task says of it and of those beside it, for one task that
 * a step has changed: see StepChecks.ts.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import type * as Scheduler from "@skein/core/scheduler/State"
import type * as Worker from "@skein/core/worker/State"
import type { Process } from "./Parts.ts"
import { breaks, type World } from "./World.ts"

/** Neighbours looked at of one task at most; the rest waits for the recount. */
const neighboursLooked = 16

/** A changed task of the scheduler, and its neighbours if its status is another. */
export const checkTask = (world: World, before: Scheduler.State, state: Scheduler.State, old: Scheduler.Task | undefined, now: Scheduler.Task | undefined): void => {
  if (now !== undefined) {
    checkShape(state, now)
    checkResult(world, before, old, now)
    if (now.trials !== old?.trials) checkTrials(now)
  }
  if (old?.status._tag === now?.status._tag) return
  const dependents = (now ?? old)?.dependents
  if (dependents === undefined || IntSet.size(dependents) > neighboursLooked) return
  for (let id = IntSet.min(dependents); id !== undefined; id = IntSet.next(dependents, id)) {
    const dependent = Vector.get(state.tasks, id)
    if (dependent !== undefined) checkShape(state, dependent)
  }
}

/** What the status of a task says of it and of its dependencies. */
const checkShape = (state: Scheduler.State, task: Scheduler.Task): void => {
  const { dependencies, id, status } = task
  const isNeeded = task.waiters > 0 || IntSet.size(task.whoWants) > 0
  switch (status._tag) {
    case "Waiting": {
      if (!isNeeded) breaks("S15 what nobody needs is let go", `task ${id} waits`)
      if (IntSet.size(status.waitingOn) === 0 && Vector.get(state.delays, id) === undefined) breaks("S4 a waiting task waits for something, or for its time", `task ${id}`)
      for (const dependency of dependencies) {
        const is = Vector.get(state.tasks, dependency)?.status._tag
        if (is === "Memory" === IntSet.has(status.waitingOn, dependency)) breaks("S3 a task waits for just what is not in memory", `task ${id} and ${dependency}`)
        if (is !== "Memory" && (is === undefined || is === "Released" || is === "Erred")) breaks("S3 what is waited for is in play", `task ${id} waits for ${dependency}`)
      }
      return
    }
    case "NoWorker":
    case "Queued":
    case "Processing":
      if (!isNeeded) breaks("S15 what nobody needs is let go", `task ${id} is ${status._tag}`)
      for (const dependency of dependencies) {
        if (Vector.get(state.tasks, dependency)?.status._tag !== "Memory") breaks("S4 what can run has its dependencies in memory", `task ${id} and ${dependency}`)
      }
      if (status._tag === "Processing") {
        const worker = Vector.get(state.workers, status.worker)
        if (worker === undefined || !IntSet.has(worker.processing, id)) breaks("S4 a processing task and its worker name each other", `task ${id}`)
      }
      return
    case "Memory":
      if (!isNeeded) breaks("S15 what nobody needs is let go", `task ${id} is in memory`)
      if (IntSet.size(status.whoHas) === 0) breaks("S5 in memory means that somebody has it", `task ${id}`)
      for (let holder = IntSet.min(status.whoHas); holder !== undefined; holder = IntSet.next(status.whoHas, holder)) {
        const worker = Vector.get(state.workers, holder)
        if (worker === undefined || !IntSet.has(worker.hasWhat, id)) breaks("S7 holders and results name each other", `task ${id} and worker ${holder}`)
      }
      return
    case "Released":
    case "Erred":
      return
  }
}

/** A result is that of a run which has computed this very task; a run in progress is new, or the one that was. */
const checkResult = (world: World, before: Scheduler.State, old: Scheduler.Task | undefined, now: Scheduler.Task): void => {
  if (now.status._tag === "Memory") {
    if (old?.status._tag === "Memory" && old.status.run === now.status.run) return
    const key = world.keys.keyOf(now.id)
    const place = world.produced.get(now.status.run)
    if (key === undefined || place === undefined || world.tasks.keys[place] !== key) {
      breaks("X2 a result that is accepted was computed for that task", `task ${now.id}, run ${now.status.run}`)
    }
  } else if (now.status._tag === "Processing" && (old?.status._tag !== "Processing" || old.status.run !== now.status.run)) {
    if (now.status.run < before.nextRun) breaks("S20 run numbers are never used again", `task ${now.id}`)
  }
}

const checkTrials = ({ id, trials: { retries, retriesLeft } }: Scheduler.Task): void => {
  if (retriesLeft < 0 || retriesLeft > retries) breaks("S22 a task is tried as often as it may be", `task ${id} has ${retriesLeft} of ${retries} retries left`)
}

/** A changed task on a worker. */
export const checkHere = ({ name, store }: Process, state: Worker.State, task: Worker.Task): void => {
  const { assignment, dependents, id, run, status, whoHas } = task
  switch (status._tag) {
    case "Memory":
      if (store.find(id, run) === undefined) breaks("W3 the store has what the machine knows", `task ${id} on ${name}`)
      return
    case "Waiting":
      if (IntSet.size(status.waitingOn) === 0) breaks("W3 a waiting task waits for something", `task ${id} on ${name}`)
      return
    case "Ready":
      for (const dependency of assignment?.dependencies ?? []) {
        if (Vector.get(state.tasks, dependency.id)?.status._tag !== "Memory") breaks("W3 what is ready has its inputs here", `task ${id} on ${name}`)
      }
      return
    case "Fetch":
      if (IntSet.size(whoHas) === 0 || IntSet.size(dependents) === 0) breaks("W4 what is fetched has a holder and a reader", `task ${id} on ${name}`)
      return
    case "Missing":
      if (IntSet.size(whoHas) > 0) breaks("W4 what is missing has no holder", `task ${id} on ${name}`)
      return
    case "Executing":
      if (assignment?.run !== run) breaks("W2 what runs is what was asked for", `task ${id} on ${name}`)
  }
}
