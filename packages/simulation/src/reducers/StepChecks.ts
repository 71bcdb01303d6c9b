/**
 * What is true of a step, at the cost of what it changed.
 *
 * Beside each machine goes a second set of books, kept from the records alone: a
 * record that a batch has changed is counted out as it was and in as it is. After
 * each batch the machine's own counts must be the same, and every changed task,
 * with its neighbours if its status changed, must have the shape of its status.
 * So an error shows in the step that makes it, and a step costs no more on a
 * large state than on a small one. What this leaves out, `recount` finds later.
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
import { breaks, type World } from "./World.ts"

/** Neighbours looked at of one task at most; the rest waits for the recount. */
const neighboursLooked = 16

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
    for (let at = 0; at < tasks.olds.length; at++) {
      const old = tasks.olds[at]
      const now = tasks.nows[at]
      if (old !== undefined) books.task(old, -1)
      if (now !== undefined) books.task(now, 1)
      checkTask(this.world, before, state, old, now)
    }
    stopping.find(before.stopping, state.stopping)
    for (let at = 0; at < stopping.olds.length; at++) {
      for (const entry of stopping.olds[at] ?? none) books.stopping(entry, -1)
      for (const entry of stopping.nows[at] ?? none) books.stopping(entry, 1)
    }
    forEachChange(before.workers, state.workers, books.touch)
    books.compare(state)
    checkRuns(before, step)
    if (events.length === 1) {
      checkOrder(state, tasks)
      if (events[0]?._tag === "WorkerLeft") checkKept(tasks)
    }
  }

  worker(process: Process, before: Worker.State, events: ReadonlyArray<WorkerEvent>, step: WorkerStep): void {
    let own = this.workerBooks[process.number]
    if (own === undefined || own.life !== process.life) own = this.workerBooks[process.number] = { life: process.life, books: new WorkerBooks() }
    const { books } = own
    const { state } = step
    const { tasksHere } = this
    tasksHere.find(before.tasks, state.tasks)
    for (let at = 0; at < tasksHere.olds.length; at++) {
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

interface WorkerCounts {
  processing: number
  held: number
  nbytes: number
  /** Occupied by what was given to it, in thousandths. */
  gpus: number
  readonly assigned: Record<Isolation, number>
  readonly occupancyMs: Record<Isolation, number>
  readonly leaving: Record<Isolation, number>
  readonly coming: Record<Isolation, number>
}

/** The scheduler's counts, from its records. */
class SchedulerBooks {
  private readonly statuses: Record<Scheduler.Status["_tag"], number> = { Released: 0, Waiting: 0, NoWorker: 0, Queued: 0, Processing: 0, Memory: 0, Erred: 0 }
  private readonly queued: Record<Isolation, number> = { fiber: 0, thread: 0 }
  /** Queued tasks that demand something of their worker. */
  private inLines = 0
  private readonly workers: Array<WorkerCounts | undefined> = []
  private readonly wants: Array<number> = []
  private readonly wanting = new Set<number>()
  /** Workers whose counts are to be compared. */
  private readonly touched = new Set<number>()
  readonly touch = (_old: Scheduler.Worker | undefined, _now: Scheduler.Worker | undefined, id: number): void => void this.touched.add(id)

  task(task: Scheduler.Task, by: 1 | -1): void {
    const { status } = task
    this.statuses[status._tag] += by
    if (status._tag === "Processing") {
      const worker = this.worker(status.worker)
      worker.processing += by
      worker.gpus += by * 1_000 * (task.terms?.resources["GPU"] ?? 0)
      if (!status.seceded) {
        worker.assigned[task.isolation] += by
        worker.occupancyMs[task.isolation] += by * status.expectedMs
      }
      if (status.takingBackFor !== undefined) {
        worker.leaving[task.isolation] += by
        this.worker(status.takingBackFor).coming[task.isolation] += by
      }
    } else if (status._tag === "Memory") {
      for (let id = IntSet.min(status.whoHas); id !== undefined; id = IntSet.next(status.whoHas, id)) {
        const worker = this.worker(id)
        worker.held += by
        worker.nbytes += by * status.nbytes
      }
    } else if (status._tag === "Queued") {
      if (task.demand === undefined) this.queued[task.isolation] += by
      else this.inLines += by
    }
    for (let client = IntSet.min(task.whoWants); client !== undefined; client = IntSet.next(task.whoWants, client)) {
      this.wants[client] = (this.wants[client] ?? 0) + by
      this.wanting.add(client)
    }
  }

  stopping({ amounts, expectedMs, hasSlot, isolation, worker }: Scheduler.Stopping, by: 1 | -1): void {
    const counts = this.worker(worker)
    for (const { thousandths } of amounts) counts.gpus += by * thousandths
    if (!hasSlot) return
    counts.assigned[isolation] += by
    counts.occupancyMs[isolation] += by * expectedMs
  }

  compare(state: Scheduler.State): void {
    const { counts } = state
    const { statuses } = this
    if (
      counts.released !== statuses.Released || counts.waiting !== statuses.Waiting || counts.noWorker !== statuses.NoWorker ||
      counts.queued !== statuses.Queued || counts.processing !== statuses.Processing || counts.memory !== statuses.Memory ||
      counts.erred !== statuses.Erred
    ) breaks("S13 tasks are counted by status", `${JSON.stringify(counts)} for ${JSON.stringify(statuses)}`)
    if (state.fiber.queue.size !== this.queued.fiber || state.thread.queue.size !== this.queued.thread) breaks("S26 the queue has just what is queued", "")
    let inLines = 0
    Vector.forEach(state.demands, ({ queue }) => void (inLines += queue.size))
    if (inLines !== this.inLines) breaks("S26 the queue has just what is queued", "in lines")
    if (IntSet.size(state.noWorker) !== statuses.NoWorker) breaks("S4 what lacks a worker is listed", "")
    if (this.touched.size > 0) {
      for (const id of this.touched) this.compareWorker(state, id)
      this.touched.clear()
    }
    if (this.wanting.size === 0) return
    for (const id of this.wanting) {
      const client = Vector.get(state.clients, id)
      if ((client === undefined ? 0 : IntSet.size(client.wantsWhat)) !== this.wants[id]) breaks("S14 clients and tasks agree on who wants what", `client ${id}`)
    }
    this.wanting.clear()
  }

  private compareWorker(state: Scheduler.State, id: number): void {
    const worker = Vector.get(state.workers, id)
    const counts = this.worker(id)
    this.touched.delete(id)
    if (worker === undefined) {
      if (counts.processing + counts.held !== 0) breaks("S16 nothing refers to a worker that has left", `worker ${id}`)
      this.workers[id] = undefined
      return
    }
    if (IntSet.size(worker.processing) !== counts.processing) breaks("S4 a processing task and its worker name each other", `worker ${id}`)
    if (IntSet.size(worker.hasWhat) !== counts.held) breaks("S7 holders and results name each other", `worker ${id}`)
    if (worker.nbytes !== counts.nbytes) breaks("S8 a worker's size is the sum of what it holds", `worker ${id}: ${worker.nbytes} for ${counts.nbytes}`)
    if (worker.occupied[0] !== counts.gpus || counts.gpus > 2_000) breaks("S11 resources are occupied by what runs, and no more than there are", `worker ${id}: ${worker.occupied[0]} for ${counts.gpus}`)
    for (const isolation of isolations) {
      const load = worker[isolation]
      if (load.assigned !== counts.assigned[isolation]) breaks("S24 slots given are counted", `worker ${id}: ${load.assigned} for ${counts.assigned[isolation]}`)
      if (load.occupancyMs !== counts.occupancyMs[isolation]) breaks("S9 occupancy is the sum of what is expected", `worker ${id}: ${load.occupancyMs} for ${counts.occupancyMs[isolation]}`)
      if (load.leaving !== counts.leaving[isolation] || load.coming !== counts.coming[isolation]) breaks("S25 what is asked back is counted", `worker ${id}`)
    }
  }

  private worker(id: number): WorkerCounts {
    this.touched.add(id)
    return this.workers[id] ??= {
      processing: 0,
      held: 0,
      nbytes: 0,
      gpus: 0,
      assigned: { fiber: 0, thread: 0 },
      occupancyMs: { fiber: 0, thread: 0 },
      leaving: { fiber: 0, thread: 0 },
      coming: { fiber: 0, thread: 0 }
    }
  }
}

const isolations: ReadonlyArray<Isolation> = ["fiber", "thread"]

/** A changed task of the scheduler, and its neighbours if its status is another. */
const checkTask = (world: World, before: Scheduler.State, state: Scheduler.State, old: Scheduler.Task | undefined, now: Scheduler.Task | undefined): void => {
  if (now !== undefined) {
    checkShape(state, now)
    checkResult(world, before, old, now)
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
const checkOrder = (state: Scheduler.State, { nows, olds }: Changes<Scheduler.Task>): void => {
  for (const isolation of isolations) {
    const first = Ranked.first(state[isolation].queue)
    const best = first === undefined ? undefined : Vector.get(state.tasks, first)
    if (best === undefined) continue
    for (let at = 0; at < nows.length; at++) {
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
const checkKept = ({ nows, olds }: Changes<Scheduler.Task>): void => {
  for (let at = 0; at < nows.length; at++) {
    const now = nows[at]
    const old = olds[at]
    if (old?.status._tag !== "Memory" || IntSet.size(old.status.whoHas) < 2 || now === undefined || now.status._tag === "Memory") continue
    if (now.waiters > 0 || IntSet.size(now.whoWants) > 0) breaks("L3 what others hold is not computed again", `task ${now.id}`)
  }
}

/** A worker's counts, from its records. */
class WorkerBooks {
  private readonly statuses: Record<Worker.StatusTag, number> = {
    Released: 0, Waiting: 0, Fetch: 0, Flight: 0, Missing: 0, Ready: 0, Executing: 0, LongRunning: 0, Stopping: 0, Memory: 0, Error: 0
  }
  private nbytes = 0
  private flying = 0
  private rejoining = 0
  private readonly slots: Record<Isolation, number> = { fiber: 0, thread: 0 }

  task({ assignment, status }: Worker.Task, by: 1 | -1): void {
    this.statuses[status._tag] += by
    if (status._tag === "Memory") this.nbytes += by * status.nbytes
    else if (status._tag === "Flight") this.flying += by * status.nbytes
    else if (status._tag === "LongRunning") this.rejoining += status.rejoining === undefined ? 0 : by
    else if (status._tag === "Executing" && assignment !== undefined) this.slots[assignment.isolation] += by
    else if (status._tag === "Stopping" && status.slot) this.slots[status.isolation] += by
  }

  compare({ name }: Process, state: Worker.State): void {
    const { statuses } = this
    const { counts } = state
    for (const tag of countedTags) {
      if (counts[tag] !== statuses[tag]) breaks("W2 tasks are counted by status", `${name}: ${counts[tag]} ${tag} for ${statuses[tag]}`)
    }
    if (statuses.Released + statuses.Error !== 0) breaks("nothing is left released or failed", name)
    if (state.threads !== this.slots.thread || state.fibers !== this.slots.fiber) {
      breaks("W1 slots are held by what executes or is being stopped", `${name}: ${state.threads} and ${state.fibers} for ${this.slots.thread} and ${this.slots.fiber}`)
    }
    if (state.running !== statuses.Executing + statuses.LongRunning + statuses.Stopping) breaks("W1 what runs is counted", name)
    if (state.nbytes !== this.nbytes) breaks("W6 bytes in memory are counted", name)
    if (state.gatherBytes !== this.flying) breaks("W5 bytes under way are counted", name)
    if (state.wanted.size !== statuses.Fetch || IntSet.size(state.missing) !== statuses.Missing || IntSet.size(state.stopping) !== statuses.Stopping) {
      breaks("W2 each status and its list agree", name)
    }
    if (state.readyThreads.size + state.readyFibers.size !== statuses.Ready + this.rejoining) breaks("W2 each status and its list agree", `${name}: ready`)
  }
}

const countedTags: ReadonlyArray<Worker.StatusTag> = ["Waiting", "Fetch", "Flight", "Missing", "Ready", "Executing", "LongRunning", "Stopping", "Memory"]

/** A changed task on a worker. */
const checkHere = ({ name, store }: Process, state: Worker.State, task: Worker.Task): void => {
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

/** Nothing starts before what is more urgent. Suspects wait for a quiet moment. */
const checkStarts = ({ name }: Process, before: Worker.State, state: Worker.State, { nows, olds }: Changes<Worker.Task>): void => {
  if (state.lone !== undefined || before.lone !== undefined) return
  for (const isolation of isolations) {
    const queue = isolation === "thread" ? state.readyThreads : state.readyFibers
    const first = Ranked.first(queue)
    const best = first === undefined ? undefined : Vector.get(state.tasks, first)?.assignment
    if (best === undefined || best.alone) continue
    for (let at = 0; at < nows.length; at++) {
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
