/**
 * The second set of books beside the scheduler: see StepChecks.ts.
 *
 * Every changed record of every step goes through here twice, so nothing is
 * looked up by the name of a status or an isolation, and nothing is allocated.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import type * as Scheduler from "@skein/core/scheduler/State"
import { breaks } from "./World.ts"

/** Of what a worker was given, of one isolation. */
interface LoadCounts {
  assigned: number
  occupancyMs: number
  leaving: number
  coming: number
}

interface WorkerCounts {
  processing: number
  held: number
  nbytes: number
  /** Occupied by what was given to it, in thousandths. */
  gpus: number
  readonly fiber: LoadCounts
  readonly thread: LoadCounts
  /** Something of it is to be compared. */
  isTouched: boolean
}

/** The scheduler's counts, from its records. */
export class SchedulerBooks {
  private released = 0
  private waiting = 0
  private noWorker = 0
  private processing = 0
  private memory = 0
  private erred = 0
  private readonly queued = { fiber: 0, thread: 0 }
  /** Queued tasks that demand something of their worker. */
  private inLines = 0
  private readonly workers: Array<WorkerCounts | undefined> = []
  private readonly touched: Array<number> = []
  private readonly wants: Array<number> = []
  /** Clients whose counts are to be compared: some may stand here twice. */
  private readonly wanting: Array<number> = []

  /** A worker whose record has changed. */
  readonly touch = (_old: Scheduler.Worker | undefined, _now: Scheduler.Worker | undefined, id: number): void => void this.worker(id)

  task(task: Scheduler.Task, by: 1 | -1): void {
    const { isolation, status, whoWants } = task
    switch (status._tag) {
      case "Released":
        this.released += by
        break
      case "Waiting":
        this.waiting += by
        break
      case "NoWorker":
        this.noWorker += by
        break
      case "Queued":
        if (task.demand !== undefined) this.inLines += by
        else if (isolation === "fiber") this.queued.fiber += by
        else this.queued.thread += by
        break
      case "Processing":
        this.processing += by
        this.given(task, status, by)
        break
      case "Memory":
        this.memory += by
        for (let id = IntSet.min(status.whoHas); id !== undefined; id = IntSet.next(status.whoHas, id)) {
          const worker = this.worker(id)
          worker.held += by
          worker.nbytes += by * status.nbytes
        }
        break
      case "Erred":
        this.erred += by
    }
    for (let client = IntSet.min(whoWants); client !== undefined; client = IntSet.next(whoWants, client)) {
      this.wants[client] = (this.wants[client] ?? 0) + by
      if (this.wanting[this.wanting.length - 1] !== client) this.wanting.push(client)
    }
  }

  stopping({ amounts, expectedMs, hasSlot, isolation, worker }: Scheduler.Stopping, by: 1 | -1): void {
    const counts = this.worker(worker)
    for (const { thousandths } of amounts) counts.gpus += by * thousandths
    if (!hasSlot) return
    const load = isolation === "fiber" ? counts.fiber : counts.thread
    load.assigned += by
    load.occupancyMs += by * expectedMs
  }

  /** After each step: the scheduler's own counts must be the same. */
  compare(state: Scheduler.State): void {
    const { counts, demands, fiber, noWorker, thread } = state
    const { queued } = this
    if (
      counts.released !== this.released || counts.waiting !== this.waiting || counts.noWorker !== this.noWorker ||
      counts.queued !== queued.fiber + queued.thread + this.inLines || counts.processing !== this.processing || counts.memory !== this.memory ||
      counts.erred !== this.erred
    ) breaks("S13 tasks are counted by status", `${JSON.stringify(counts)} for ${JSON.stringify(this)}`)
    if (fiber.queue.size !== queued.fiber || thread.queue.size !== queued.thread) breaks("S26 the queue has just what is queued", "")
    let inLines = 0
    if (demands.size > 0) Vector.forEach(demands, ({ queue }) => void (inLines += queue.size))
    if (inLines !== this.inLines) breaks("S26 the queue has just what is queued", "in lines")
    if (IntSet.size(noWorker) !== this.noWorker) breaks("S4 what lacks a worker is listed", "")
    for (let id = this.touched.pop(); id !== undefined; id = this.touched.pop()) this.compareWorker(state, id)
    for (let id = this.wanting.pop(); id !== undefined; id = this.wanting.pop()) {
      const client = Vector.get(state.clients, id)
      if ((client === undefined ? 0 : IntSet.size(client.wantsWhat)) !== this.wants[id]) breaks("S14 clients and tasks agree on who wants what", `client ${id}`)
    }
  }

  private given({ isolation, terms }: Scheduler.Task, { expectedMs, seceded, takingBackFor, worker: id }: Scheduler.Processing, by: 1 | -1): void {
    const worker = this.worker(id)
    const load = isolation === "fiber" ? worker.fiber : worker.thread
    worker.processing += by
    if (terms !== undefined) worker.gpus += by * 1_000 * (terms.resources["GPU"] ?? 0)
    if (!seceded) {
      load.assigned += by
      load.occupancyMs += by * expectedMs
    }
    if (takingBackFor === undefined) return
    const thief = this.worker(takingBackFor)
    load.leaving += by
    if (isolation === "fiber") thief.fiber.coming += by
    else thief.thread.coming += by
  }

  private compareWorker(state: Scheduler.State, id: number): void {
    const worker = Vector.get(state.workers, id)
    const counts = this.workers[id]
    if (counts === undefined) return
    counts.isTouched = false
    if (worker === undefined) {
      if (counts.processing + counts.held + counts.fiber.coming + counts.thread.coming !== 0) breaks("S16 nothing refers to a worker that has left", `worker ${id}`)
      this.workers[id] = undefined
      return
    }
    if (IntSet.size(worker.processing) !== counts.processing) breaks("S4 a processing task and its worker name each other", `worker ${id}`)
    if (IntSet.size(worker.hasWhat) !== counts.held) breaks("S7 holders and results name each other", `worker ${id}`)
    if (worker.nbytes !== counts.nbytes) breaks("S8 a worker's size is the sum of what it holds", `worker ${id}: ${worker.nbytes} for ${counts.nbytes}`)
    if (worker.occupied[0] !== counts.gpus || counts.gpus > 2_000) breaks("S11 resources are occupied by what runs, and no more than there are", `worker ${id}: ${worker.occupied[0]} for ${counts.gpus}`)
    compareLoad(worker.fiber, counts.fiber, id)
    compareLoad(worker.thread, counts.thread, id)
  }

  /** It is compared after this step. */
  private worker(id: number): WorkerCounts {
    const counts = this.workers[id] ??= { processing: 0, held: 0, nbytes: 0, gpus: 0, fiber: noLoad(), thread: noLoad(), isTouched: false }
    if (!counts.isTouched) {
      counts.isTouched = true
      this.touched.push(id)
    }
    return counts
  }
}

const noLoad = (): LoadCounts => ({ assigned: 0, occupancyMs: 0, leaving: 0, coming: 0 })

const compareLoad = (load: Scheduler.Load, { assigned, coming, leaving, occupancyMs }: LoadCounts, id: number): void => {
  if (load.assigned !== assigned) breaks("S24 slots given are counted", `worker ${id}: ${load.assigned} for ${assigned}`)
  if (load.occupancyMs !== occupancyMs) breaks("S9 occupancy is the sum of what is expected", `worker ${id}: ${load.occupancyMs} for ${occupancyMs}`)
  if (load.leaving !== leaving || load.coming !== coming) breaks("S25 what is asked back is counted", `worker ${id}`)
}
