/**
 * What is true of a step, at the cost of what it changed.
 *
 * Beside each machine goes a second set of books, kept from the records alone: a
 * record that a batch has changed is counted out as it was and in as it is. After
 * each batch the machine's own counts must be the same (SchedulerBooks.ts,
 * WorkerBooks.ts), and every changed task, with its neighbours if its status
 * changed, must have the shape of its status (Shapes.ts). So an error shows in
 * the step that makes it, and a step costs no more on a large state than on a
 * small one. What this leaves out, `recount` finds later.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Ranked from "@skein/core/persistent/Ranked"
import * as Vector from "@skein/core/persistent/Vector"
import type { Event as SchedulerEvent } from "@skein/core/scheduler/Event"
import type { Step as SchedulerStep } from "@skein/core/scheduler/Reducer"
import type * as Scheduler from "@skein/core/scheduler/State"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import type { Step as WorkerStep } from "@skein/core/worker/Reducer"
import type * as Worker from "@skein/core/worker/State"
import type { Isolation } from "@skein/protocol/Ids"
import { Changes, forEachChange } from "./changes.ts"
import type { Process } from "./Parts.ts"
import { SchedulerBooks } from "./SchedulerBooks.ts"
import { checkHere, checkTask } from "./Shapes.ts"
import { WorkerBooks } from "./WorkerBooks.ts"
import { breaks, type World } from "./World.ts"

export class StepChecks {
  private readonly world: World
  private readonly schedulerBooks = new SchedulerBooks()
  private readonly workerBooks: Array<{ life: number; books: WorkerBooks }> = []
  private readonly tasks = new Changes<Scheduler.Task>()
  private readonly tasksHere = new Changes<Worker.Task>()
  private readonly stopping = new Changes<ReadonlyArray<Scheduler.Stopping>>()

  constructor(world: World) {
    this.world = world
  }

  scheduler(before: Scheduler.State, events: ReadonlyArray<SchedulerEvent>, step: SchedulerStep): void {
    const books = this.schedulerBooks
    const { state } = step
    const { stopping, tasks } = this
    tasks.find(before.tasks, state.tasks)
    for (let at = 0; at < tasks.count; at++) {
      const old = tasks.olds[at]
      const now = tasks.nows[at]
      if (old !== undefined) books.task(old, -1)
      if (now !== undefined) books.task(now, 1)
      checkTask(this.world, before, state, old, now)
    }
    stopping.find(before.stopping, state.stopping)
    for (let at = 0; at < stopping.count; at++) {
      for (const entry of stopping.olds[at] ?? none) books.stopping(entry, -1)
      for (const entry of stopping.nows[at] ?? none) books.stopping(entry, 1)
    }
    forEachChange(before.workers, state.workers, books.touch)
    books.compare(state)
    checkRuns(before, step)
    if (events.length === 1) {
      checkOrder(state, tasks)
      if (events[0]?._tag === "WorkerLeft") checkKept(tasks)
      if (events[0]?._tag === "TasksFailed") checkTried(events[0], tasks)
    }
  }

  worker(process: Process, before: Worker.State, events: ReadonlyArray<WorkerEvent>, step: WorkerStep): void {
    let own = this.workerBooks[process.number]
    if (own === undefined || own.life !== process.life) own = this.workerBooks[process.number] = { life: process.life, books: new WorkerBooks() }
    const { books } = own
    const { state } = step
    const { tasksHere } = this
    tasksHere.find(before.tasks, state.tasks)
    for (let at = 0; at < tasksHere.count; at++) {
      const old = tasksHere.olds[at]
      const now = tasksHere.nows[at]
      if (old !== undefined) books.task(old, -1)
      if (now === undefined) continue
      books.task(now, 1)
      checkHere(process, state, now)
    }
    books.compare(process, state)
    if (events.length === 1) checkStarts(process, before, state, tasksHere)
  }
}

const none: ReadonlyArray<never> = []

const isolations: ReadonlyArray<Isolation> = ["fiber", "thread"]

/** Runs are numbered upwards from the counter. */
const checkRuns = (before: Scheduler.State, { commands, state }: SchedulerStep): void => {
  let last = before.nextRun - 1
  for (const command of commands) {
    if (command._tag !== "ComputeTask") continue
    if (command.run <= last || command.run >= state.nextRun) breaks("S20 run numbers are never used again", `task ${command.id}, run ${command.run}`)
    last = command.run
  }
}

/** Nothing is given to a worker while better waits in the queue. */
const checkOrder = (state: Scheduler.State, { count, nows, olds }: Changes<Scheduler.Task>): void => {
  for (const isolation of isolations) {
    const first = Ranked.first(state[isolation].queue)
    const best = first === undefined ? undefined : Vector.get(state.tasks, first)
    if (best === undefined) continue
    for (let at = 0; at < count; at++) {
      const now = nows[at]
      const old = olds[at]
      if (now === undefined || now.isolation !== isolation || now.status._tag !== "Processing") continue
      if (old?.status._tag === "Processing" && old.status.run === now.status.run) continue
      if (now.priority < best.priority || (now.priority === best.priority && now.rank > best.rank)) {
        breaks("L7 nothing is begun before what is more urgent", `task ${now.id} before ${best.id}`)
      }
    }
  }
}

/** A result that others have too outlives one of its holders. */
const checkKept = ({ count, nows, olds }: Changes<Scheduler.Task>): void => {
  for (let at = 0; at < count; at++) {
    const now = nows[at]
    const old = olds[at]
    if (old?.status._tag !== "Memory" || IntSet.size(old.status.whoHas) < 2 || now === undefined || now.status._tag === "Memory") continue
    if (now.waiters > 0 || IntSet.size(now.whoWants) > 0) breaks("L3 what others hold is not computed again", `task ${now.id}`)
  }
}

/** A failure that may be repeated uses up one retry, and is final if there is none. */
const checkTried = ({ rows, worker }: Extract<SchedulerEvent, { readonly _tag: "TasksFailed" }>, { count, nows, olds }: Changes<Scheduler.Task>): void => {
  for (let at = 0; at < count; at++) {
    const now = nows[at]
    const old = olds[at]
    if (now === undefined || old?.status._tag !== "Processing" || old.status.worker !== worker) continue
    const { id, status: { run }, trials: { retriesLeft } } = old
    const row = rows.find((row) => row.id === id && row.run === run)
    if (row === undefined) continue
    const isFinal = now.status._tag === "Erred"
    if (isFinal === (row.retryable && retriesLeft > 0) || (!isFinal && now.trials.retriesLeft !== retriesLeft - 1)) {
      breaks("S22 a task is tried as often as it may be", `task ${id} failed with ${retriesLeft} retries left, and then was ${now.status._tag} with ${now.trials.retriesLeft}`)
    }
  }
}

/** Nothing starts before what is more urgent. Suspects wait for a quiet moment. */
const checkStarts = ({ name }: Process, before: Worker.State, state: Worker.State, { count, nows, olds }: Changes<Worker.Task>): void => {
  if (state.lone !== undefined || before.lone !== undefined) return
  for (const isolation of isolations) {
    const queue = isolation === "thread" ? state.readyThreads : state.readyFibers
    const first = Ranked.first(queue)
    const best = first === undefined ? undefined : Vector.get(state.tasks, first)?.assignment
    if (best === undefined || best.alone) continue
    for (let at = 0; at < count; at++) {
      const now = nows[at]
      const old = olds[at]
      if (now?.status._tag !== "Executing" || old?.status._tag === "Executing" || old?.status._tag === "LongRunning") continue
      const { assignment } = now
      if (assignment === undefined || assignment.isolation !== isolation || assignment.alone) continue
      if (assignment.priority < best.priority || (assignment.priority === best.priority && assignment.rank > best.rank)) {
        breaks("L7 nothing is begun before what is more urgent", `task ${now.id} before ${best.id} on ${name}`)
      }
    }
  }
}
