/**
 * The checks that are made while a run goes on, and the marks that it leaves.
 *
 * After each step the machines are looked at: a state that is another object than
 * before has changed, its log tells which tasks, and its invariants are counted
 * anew. That costs what the state is large, so on large states it is done now and
 * then, and always where a run is at rest.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Recent from "@skein/core/persistent/Recent"
import * as Vector from "@skein/core/persistent/Vector"
import type { State as SchedulerState } from "@skein/core/scheduler/State"
import * as SchedulerView from "@skein/core/scheduler/View"
import type { State as WorkerState } from "@skein/core/worker/State"
import * as Schema from "effect/Schema"
import type { TaskId } from "@skein/protocol/Ids"
import type { Case } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import type { SimCluster } from "../SimCluster.ts"
import type { SimProcess } from "../SimProcess.ts"
import type { World } from "../World.ts"
import { checkAlone, checkScheduler, checkWorker, type Violation } from "./Checks.ts"
import { keyOf } from "./History.ts"
import type { Marks } from "./Marks.ts"
import { type Execution, record } from "./Work.ts"

/** A check has failed: how it ends a run. */
export class CheckFailed extends Schema.TaggedError<CheckFailed>()("CheckFailed", {
  id: Schema.String,
  saw: Schema.String,
  atMs: Schema.Number
}) {
  override get message() {
    return `${this.id}: ${this.saw} (at ${this.atMs.toFixed(3)} ms)`
  }

  /** What failed. */
  get violation(): Violation {
    return { id: this.id, saw: this.saw }
  }
}

export interface Watch {
  /** Ends the run with a violation, if there is one. */
  readonly judge: (violation: Violation | undefined) => void
  /** Looks at everything now, however large. */
  readonly lookClosely: () => void
  /** Bodies of a task that run in processes that live. */
  readonly running: (task: number) => ReadonlyArray<Execution>
  /** Notes what a fault is about to meet. */
  readonly before: (fault: Fault) => void
  readonly stop: () => void
}

/** Tasks whose invariants are counted anew for each change of a state, on average. */
const TASKS_PER_CHANGE = 30

/** Steps after which it is asked which workers there are. */
const STEPS_PER_LIST = 64

interface Watched<State> {
  readonly name: string
  readonly state: () => State
  last: State | undefined
  logged: number
  credit: number
}

export const make = (of: Case, world: World, cluster: SimCluster, marks: Marks): Watch => {
  const judge = (violation: Violation | undefined) => {
    if (violation !== undefined) world.fail(new CheckFailed({ ...violation, atMs: world.now }))
  }
  const doings = record()
  const keys = new Map(of.tasks.map((task) => [task.id, keyOf(task)]))
  const watchedWorkers = new Map<unknown, Watched<WorkerState>>()
  let watchedScheduler: Watched<SchedulerState> | undefined
  let steps = 0

  const list = () => {
    const scheduler = cluster.scheduler()
    if (scheduler === undefined) watchedScheduler = undefined
    else if (watchedScheduler?.state !== scheduler.state) watchedScheduler = watched("scheduler", scheduler.state)
    const present = cluster.workers()
    if (present.size === 0 && watchedWorkers.size > 0) marks.see("all workers were gone at once")
    const trees = new Set<unknown>(present.values())
    for (const tree of watchedWorkers.keys()) if (!trees.has(tree)) watchedWorkers.delete(tree)
    for (const [name, tree] of present) if (!watchedWorkers.has(tree)) watchedWorkers.set(tree, watched(name, tree.state))
  }
  const lookAtScheduler = (seen: Watched<SchedulerState>, closely: boolean) => {
    const state = seen.state()
    if (state === seen.last && !closely) return
    if (state !== seen.last) {
      marks.scheduler(state, seen.logged)
      markScheduler(marks, state, seen.last)
    }
    seen.last = state
    seen.logged = state.log.count
    if (isDue(seen, state.tasks.size, closely)) judge(checkScheduler(state))
  }
  const lookAtWorker = (seen: Watched<WorkerState>, closely: boolean) => {
    const state = seen.state()
    if (state === seen.last && !closely) return
    if (state !== seen.last) {
      marks.worker(state, seen.logged)
      if (state.lone !== undefined) marks.see("a suspect ran alone")
      if (IntSet.size(state.stopping) > 0 && IntSet.some(state.stopping, (id) => Vector.get(state.tasks, id)?.assignment !== undefined)) {
        marks.see("a cancelled run was being stopped while its task was wanted again")
      }
      if (seen.last !== undefined && seen.last.worker !== state.worker && state.counts.Memory > 0) marks.see("a worker returned with results")
    }
    seen.last = state
    seen.logged = state.log.count
    if (isDue(seen, state.tasks.size, closely)) judge(checkWorker(seen.name, state))
  }
  const look = (closely: boolean) => {
    if (watchedScheduler !== undefined) lookAtScheduler(watchedScheduler, closely)
    for (const seen of watchedWorkers.values()) lookAtWorker(seen, closely)
  }
  const running = (task: number) =>
    doings.executions.filter((execution) => execution.task === task && execution.endedAt === undefined && isAlive(execution.process))

  doings.onChange.push((execution) => {
    if (execution.process?.status === "ended" && execution.how !== undefined) {
      return judge({ id: "X7", saw: `task ${execution.task} ${execution.how} in ${execution.process.name}, which has ended` })
    }
    if (execution.endedAt !== undefined) return
    const others = running(execution.task).filter((other) => other !== execution)
    if (others.length > 0) {
      marks.see("a body ran on two workers at once")
      judge(checkAlone(of, execution, others, isStopping(cluster, keys.get(execution.task))))
    }
  })
  const undo = world.afterStep(() => {
    if (steps++ % STEPS_PER_LIST === 0) list()
    look(false)
  })
  return {
    judge,
    running,
    lookClosely: () => {
      list()
      look(true)
    },
    before: (fault) => markFault(marks, cluster, doings.executions, fault),
    stop: undo
  }
}

const watched = <State>(name: string, state: () => State): Watched<State> => ({ name, state, last: undefined, logged: 0, credit: 0 })

/** Whether the invariants are to be counted now: dearer ones more rarely. */
const isDue = (seen: Watched<unknown>, tasks: number, closely: boolean): boolean => {
  seen.credit += TASKS_PER_CHANGE
  if (!closely && seen.credit < tasks) return false
  seen.credit = 0
  return true
}

/** A thread's end is that of its process. */
const isAlive = (process: SimProcess | undefined): boolean => process !== undefined && process.status !== "ended"

/** Whether the scheduler waits for a cancelled run of the task of this key. */
const isStopping = (cluster: SimCluster, key: string | undefined): boolean => {
  const scheduler = cluster.scheduler()
  if (scheduler === undefined) return true
  // The cast names a text that has been chosen as a key.
  const id = scheduler.desk.tables.keys.idOf(key as never)
  // A key that was forgotten meanwhile says nothing of its old runs.
  return id === undefined || Vector.get(scheduler.state().stopping, id) !== undefined || SchedulerView.totals(scheduler.state()).stopping > 0
}

const markScheduler = (marks: Marks, state: SchedulerState, before: SchedulerState | undefined): void => {
  for (const entry of Recent.since(state.log, before?.log.count ?? 0)) {
    const task = Vector.get(state.tasks, entry.id)
    if (entry.from === "memory" && entry.to === "released" && entry.cause === "WorkerLeft" && task?.status._tag !== "Released") marks.see("a lost result was computed again")
    if (entry.cause === "TasksFailed" && entry.from === "processing" && entry.to === "released") marks.see("a body failed and was tried again")
    if (entry.to === "erred" && task?.status._tag === "Erred" && task.status.failure._tag === "Killed") marks.see("a task was killed after four deaths")
    if (entry.to === "processing" && task?.status._tag === "Processing" && task.status.takingBackFor !== undefined) marks.see("a task was asked back")
    if (entry.cause === "TakeBacksAnswered") marks.see("a task was asked back")
    if (entry.to === "memory" && task?.dependencies.some((id) => holders(state, id) > 1) === true) marks.see("a result was held by several workers")
  }
}

/** Workers that have a result. */
const holders = (state: SchedulerState, id: TaskId): number => {
  const status = Vector.get(state.tasks, id)?.status
  return status?._tag === "Memory" ? IntSet.size(status.whoHas) : 0
}

const markFault = (marks: Marks, cluster: SimCluster, executions: ReadonlyArray<Execution>, fault: Fault): void => {
  if (fault._tag === "ClientCrash") {
    if (isWorking(cluster)) marks.see("a client died while its tasks ran")
    return
  }
  if (fault._tag !== "WorkerCrash" && fault._tag !== "MemoryPressure" && fault._tag !== "NannyCrash") return
  const victim = cluster.workers().get(fault.worker)
  if (victim === undefined) return
  const id = victim.state().worker
  for (const [name, { state }] of cluster.workers()) {
    if (name === fault.worker || id === undefined) continue
    if (IntSet.size(Vector.get(state().peers, id)?.flying ?? IntSet.empty()) > 0) marks.see("a worker died while it served a replica")
  }
  if (executions.some(({ endedAt, process }) => endedAt === undefined && process?.name === fault.worker && isAlive(process))) {
    marks.see("a worker died while it ran a body")
  }
}

/** Whether anything is to be computed. */
export const isWorking = (cluster: SimCluster): boolean => {
  const counts = cluster.scheduler()?.state().counts
  return counts !== undefined && counts.waiting + counts.processing + counts.queued + counts.noWorker > 0
}
