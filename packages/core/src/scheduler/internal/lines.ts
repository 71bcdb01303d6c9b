/**
 * Where tasks stand that demand something of their worker, while they are placed.
 *
 * There is a line for each demand. The first in a line goes before whatever is
 * submitted later or of lower priority, as everywhere; but if no worker has what
 * it needs, only its line waits, and others may go on.
 *
 * What needs much must not wait for ever because what needs little always finds
 * some: so a line that waits for a resource has it reserved on one worker, where
 * the least is missing, and nothing that comes later in the order gets any of it
 * there. Tasks elsewhere, and of other resources, go on.
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
import type { Draft } from "./draft.ts"
import { transition } from "./transition.ts"

export interface Line {
  readonly demand: number
  readonly isolation: Isolation
  /** What has become ready, in order; before `at` it has been placed. */
  readonly ready: Array<Task>
  at: number
  /** No worker has what they need. */
  isBlocked: boolean
}

/** Resources that are kept free on a worker for a line that waits. */
export type Reserved = Map<WorkerId, Set<string>>

/** Higher priority first, then lower rank. */
export const compare = (a: Task, b: Task): number => b.priority - a.priority || a.rank - b.rank

/** All lines in which somebody stands. */
export const linesOf = (draft: Draft, ready: ReadonlyArray<Task>): ReadonlyArray<Line> => {
  const lines = new Map<number, Line>()
  const add = ({ id, isolation }: Demand): Line => {
    const line: Line = { demand: id, isolation, ready: [], at: 0, isBlocked: false }
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
  for (const { ready } of lines.values()) if (ready.length > 1) ready.sort(compare)
  return [...lines.values()]
}

/** Whether no worker connected may run these tasks; then there is no line any more. */
export const dissolve = (draft: Draft, { demand: id, ready }: Line): boolean => {
  const demand = draft.demand(id)
  if (demand === undefined || IntSet.size(demand.eligible) > 0) return false
  for (const task of ready) transition(draft, task.id, toNoWorker)
  for (const task of [...Ranked.values(demand.queue)]) transition(draft, task, toNoWorker)
  return true
}

const toNoWorker = { _tag: "NoWorker" } as const

/** The first in the line, unless the line has to wait. */
export const headOf = (draft: Draft, { at, demand, isBlocked, ready }: Line): Task | undefined => {
  if (isBlocked) return undefined
  const queue = draft.demand(demand)?.queue
  const queued = queue === undefined || queue.size === 0 ? undefined : draft.task(Ranked.first(queue) ?? noTask)
  const first = ready[at]
  return first === undefined || (queued !== undefined && compare(queued, first) < 0) ? queued : first
}

/** The workers that have room, and free what a task in this line needs. */
export const workersFor = (draft: Draft, line: Line, reserved: Reserved): IntSet.IntSet<WorkerId> => {
  let found = IntSet.empty<WorkerId>()
  const demand = draft.demand(line.demand)
  if (demand === undefined) return found
  const { open } = draft.pool(line.isolation)
  IntSet.forEach(demand.eligible, (id) => {
    const worker = IntSet.has(open, id) ? draft.worker(id) : undefined
    if (worker !== undefined && hasFree(worker, demand) && !isReserved(reserved.get(id), demand)) found = IntSet.add(found, draft.owner, id)
  })
  return found
}

const isReserved = (names: ReadonlySet<string> | undefined, { amounts }: Demand): boolean =>
  names !== undefined && amounts.some(({ name }) => names.has(name))

/** The line has to wait: for room, or for resources, which are then reserved for it. */
export const block = (draft: Draft, line: Line, reserved: Reserved): void => {
  line.isBlocked = true
  const demand = draft.demand(line.demand)
  if (demand === undefined || demand.amounts.length === 0) return
  let best: WorkerId | undefined
  let least = Infinity
  IntSet.forEach(demand.eligible, (id) => {
    const missing = missingOn(draft, id, demand)
    if (missing >= least) return
    best = id
    least = missing
  })
  // Where nothing is missing it waits for room, and is the first to get it.
  if (best === undefined || least === 0) return
  const names = reserved.get(best) ?? new Set()
  for (const { name } of demand.amounts) names.add(name)
  reserved.set(best, names)
}

/** The part of the resource most lacking that is missing on the worker; 0: nothing. */
const missingOn = (draft: Draft, id: WorkerId, { amounts }: Demand): number => {
  const worker = draft.worker(id)
  if (worker === undefined) return Infinity
  return amounts.reduce((most, { name, thousandths }) => Math.max(most, (thousandths - freeOn(worker, name)) / thousandths), 0)
}

/** No id. */
const noTask = -1 as TaskId
