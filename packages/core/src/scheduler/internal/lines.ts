/**
 * Where tasks stand that demand something of their worker, while they are placed.
 *
 * There is a line for each demand. The first in a line goes before whatever is
 * submitted later or of lower priority, as everywhere; but if no worker has what
 * it needs, only its line waits, and others may go on.
 *
 * What needs much must not wait for ever because what needs little always finds
 * some: so the first few lines that wait for a resource have it reserved on one
 * worker each, where the least is missing, and nothing that comes later in the
 * order gets any of it there. Tasks elsewhere, and of other resources, go on.
 *
 * In Dask tasks wait for resources at a worker, in one queue, where the first
 * keeps out all others.
 */
import type { Isolation, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Demand, Task } from "../State.ts"
import { freeOn, hasFree } from "./demands.ts"
import { type Draft, noTask } from "./draft.ts"
import { transition } from "./transition.ts"

export interface Line {
  readonly demand: number
  readonly isolation: Isolation
  /** What has become ready, in order; before `at` it has been placed. */
  readonly ready: Array<Task>
  at: number
  /** The first in the line. */
  head: Task | undefined
  /** No worker has what they need, and none will have it before the event is over. */
  isBlocked: boolean
}

/** The lines of one isolation, while they are gone through. */
export interface Lines {
  readonly lines: ReadonlyArray<Line>
  /** The first few that wait for resources, the first first. */
  readonly waiting: Array<Waiting>
  /** The most that is free of each resource on a worker with room; undefined: not known any more. */
  mostFree: ReadonlyMap<string, number> | undefined
}

interface Waiting {
  readonly head: Task
  readonly demand: Demand
  /** Where resources are reserved for it, once that has been asked; null: nowhere. */
  worker: WorkerId | null | undefined
}

/** Lines for which resources are reserved at a time: those behind them have their turn when they are gone. */
const RESERVING = 4

/** Higher priority first, then lower rank. */
export const compare = (a: Task, b: Task): number => b.priority - a.priority || a.rank - b.rank

/** All lines in which somebody stands. */
export const linesOf = (draft: Draft, ready: ReadonlyArray<Task>): ReadonlyArray<Line> => {
  const lines = new Map<number, Line>()
  const add = ({ id, isolation }: Demand): Line => {
    const line: Line = { demand: id, isolation, ready: [], at: 0, head: undefined, isBlocked: false }
    lines.set(id, line)
    return line
  }
  Vector.forEach(draft.state.demands, (demand) => {
    if (demand.queue.size > 0) add(demand)
  })
  for (const task of ready) {
    const demand = draft.demand(task.demand ?? -1)
    if (demand !== undefined) (lines.get(demand.id) ?? add(demand)).ready.push(task)
  }
  const all = [...lines.values()]
  for (const line of all) {
    if (line.ready.length > 1) line.ready.sort(compare)
    line.head = headOf(draft, line)
  }
  return all
}

/** Whether no worker connected may run these tasks; then there is no line any more. */
export const dissolve = (draft: Draft, { demand: id, ready }: Line): boolean => {
  const demand = draft.demand(id)
  if (demand === undefined || IntSet.size(demand.eligible) > 0) return false
  for (const task of ready) transition(draft, task.id, toNoWorker)
  for (const task of [...Ranked.values(demand.queue)]) transition(draft, task, toNoWorker)
  return true
}

export const toNoWorker = { _tag: "NoWorker" } as const

/** The line whose first goes before all others, and before `next`, and may find a worker; undefined: there is none. */
export const firstLine = (draft: Draft, lines: Lines, next: Task | undefined): Line | undefined => {
  let best: Line | undefined
  let before = next
  for (const line of lines.lines) {
    const { head } = line
    if (line.isBlocked || head === undefined || (before !== undefined && compare(head, before) >= 0)) continue
    if (!mayStart(draft, lines, line)) {
      block(draft, lines, line)
      continue
    }
    best = line
    before = head
  }
  return best
}

/** The first of the line has been given to a worker. */
export const advance = (draft: Draft, lines: Lines, line: Line): void => {
  if (line.ready[line.at]?.id === line.head?.id) line.at++
  line.head = headOf(draft, line)
  lines.mostFree = undefined
}

/** No worker has what the line needs. Resources are reserved for it, if it waits for some and is one of the first. */
export const block = (draft: Draft, { waiting }: Lines, line: Line): void => {
  line.isBlocked = true
  const { head } = line
  const demand = draft.demand(line.demand)
  if (head === undefined || demand === undefined || demand.amounts.length === 0) return
  const at = waiting.findIndex((other) => compare(head, other.head) < 0)
  waiting.splice(at < 0 ? waiting.length : at, 0, { head, demand, worker: undefined })
  if (waiting.length > RESERVING) waiting.pop()
}

const headOf = (draft: Draft, { at, demand, ready }: Line): Task | undefined => {
  const queue = draft.demand(demand)?.queue
  return queue === undefined ? ready[at] : firstOf(draft, queue, ready[at])
}

/** Of a queue and of what has become ready, what goes before all others. */
export const firstOf = (draft: Draft, queue: Ranked.Ranked<TaskId>, ready: Task | undefined): Task | undefined => {
  const queued = queue.size === 0 ? undefined : draft.task(Ranked.first(queue) ?? noTask)
  return ready === undefined || (queued !== undefined && compare(queued, ready) < 0) ? queued : ready
}

/** Whether there may be a worker for the line, by what can be seen without looking at each: there may be thousands of lines. */
const mayStart = (draft: Draft, lines: Lines, { demand: id, isolation }: Line): boolean => {
  const demand = draft.demand(id)
  if (demand === undefined) return false
  const { open } = draft.pool(isolation)
  if (demand.amounts.length > 0) {
    const free = lines.mostFree ??= mostFreeOn(draft, open)
    if (demand.amounts.some(({ name, thousandths }) => thousandths > (free.get(name) ?? 0))) return false
  }
  return IntSet.some(demand.eligible, (worker) => IntSet.has(open, worker))
}

const mostFreeOn = (draft: Draft, open: IntSet.IntSet<WorkerId>): ReadonlyMap<string, number> => {
  const most = new Map<string, number>()
  IntSet.forEach(open, (id) => {
    const worker = draft.worker(id)
    if (worker === undefined || worker.offers.length === 0) return
    worker.offers.forEach(({ name, thousandths }, at) =>
      void most.set(name, Math.max(most.get(name) ?? 0, thousandths - (worker.occupied[at] ?? 0))))
  })
  return most
}

/** The workers that have room, and free what the first of this line needs, apart from what is reserved for those before it. */
export const workersFor = (draft: Draft, { waiting }: Lines, { demand: id, head, isolation }: Line): IntSet.IntSet<WorkerId> => {
  let found = IntSet.empty<WorkerId>()
  const demand = draft.demand(id)
  if (demand === undefined || head === undefined) return found
  const reserved = new Set<WorkerId>()
  for (const other of waiting) {
    if (compare(other.head, head) > 0 || !overlap(other.demand, demand)) continue
    if (other.worker === undefined) other.worker = leastMissing(draft, other.demand)
    if (other.worker !== null) reserved.add(other.worker)
  }
  const { open } = draft.pool(isolation)
  IntSet.forEach(demand.eligible, (id) => {
    const worker = IntSet.has(open, id) ? draft.worker(id) : undefined
    if (worker !== undefined && hasFree(worker, demand) && !reserved.has(id)) found = IntSet.add(found, draft.owner, id)
  })
  return found
}

const overlap = (a: Demand, b: Demand): boolean => a.amounts.some(({ name }) => b.amounts.some((other) => other.name === name))

/** Where the least is missing; null where nothing is: there it waits for room, and is the first to get it. */
const leastMissing = (draft: Draft, demand: Demand): WorkerId | null => {
  let best: WorkerId | null = null
  let least = Infinity
  IntSet.forEach(demand.eligible, (id) => {
    const missing = missingOn(draft, id, demand)
    if (missing >= least) return
    best = missing === 0 ? null : id
    least = missing
  })
  return best
}

/** The part of the resource most lacking that is missing on the worker; 0: nothing. */
const missingOn = (draft: Draft, id: WorkerId, { amounts }: Demand): number => {
  const worker = draft.worker(id)
  if (worker === undefined) return Infinity
  return amounts.reduce((most, { name, thousandths }) => Math.max(most, (thousandths - freeOn(worker, name)) / thousandths), 0)
}
