/**
 * Which worker computes a task, and which task is next.
 *
 * A task goes where its data is. Among the workers that hold some of it and have
 * room, the one that would start soonest wins: its queue, plus the time to fetch
 * what it lacks. Ties fall to the one with less in memory, then to the lower id,
 * so that equal states choose equally. A task without data goes to the worker
 * with the shortest queue, or, where many have room, to the next one: looking at
 * all of them would cost more than it gains (a random choice is within 15 % of
 * the best).
 *
 * Tasks that became ready in one event are placed at its end, in their order and
 * that of the queue, so that what is queued is never overtaken by less.
 *
 * Source: dask.distributed `scheduler.py`, `decide_worker`, `worker_objective`,
 * `decide_worker_non_rootish` and `stimulus_queue_slots_maybe_opened`.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import type { Isolation, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Load, Task, Worker } from "../State.ts"
import { type Draft, noTask } from "./draft.ts"
import { isReadyToPlace } from "./delays.ts"
import { distinctDependencies, missingBytes } from "./estimates.ts"
import { waitMs } from "./load.ts"
import { advance, block, compare, dissolve, firstLine, type Line, firstOf, type Lines, linesOf, toNoWorker, workersFor } from "./lines.ts"
import { transition } from "./transition.ts"

type Workers = IntSet.IntSet<WorkerId>

/** With fewer workers that have room, all are compared. Dask's number. */
const fewWorkers = 20

/** Gives all that is ready, and what was queued before, to workers that have room; queues the rest. */
export const place = (draft: Draft): void => {
  // After most events there is nothing to place.
  const { demands, fiber, thread } = draft.state
  if (draft.ready.length === 0 && fiber.queue.size === 0 && thread.queue.size === 0 && demands.size === 0) {
    draft.destined = undefined
    return
  }
  const fibers: Array<Task> = []
  const threads: Array<Task> = []
  const demanding: Array<Task> = []
  for (const id of draft.ready) {
    const task = draft.task(id)
    if (task === undefined || (task.status._tag !== "NoWorker" && !isReadyToPlace(draft, task))) continue
    (task.demand !== undefined ? demanding : task.isolation === "fiber" ? fibers : threads).push(task)
  }
  draft.ready.length = 0
  const lines = demands.size === 0 ? noLines : linesOf(draft, demanding)
  placeIn(draft, "fiber", fibers, lines)
  placeIn(draft, "thread", threads, lines)
  draft.destined = undefined
}

const noLines: ReadonlyArray<Line> = []

const placeIn = (draft: Draft, isolation: Isolation, ready: Array<Task>, allLines: ReadonlyArray<Line>): void => {
  const pool = draft.pool(isolation)
  if (pool.slots === 0) {
    ready.forEach(({ id }) => transition(draft, id, toNoWorker))
    if (pool.queue.size > 0) for (const id of [...Ranked.values(pool.queue)]) transition(draft, id, toNoWorker)
  }
  const lines = allLines.length === 0 ? noLines : allLines.filter((line) => line.isolation === isolation && !dissolve(draft, line))
  if (pool.slots === 0) return
  if (ready.length > 1) ready.sort(compare)
  const standing: Lines = { lines, waiting: [], mostFree: undefined }
  let at = 0
  while (IntSet.size(pool.open) > 0) {
    const candidate = ready[at]
    const next = firstOf(draft, pool.queue, candidate)
    if (lines.length > 0 && placeDemanding(draft, standing, next)) continue
    if (next === undefined) break
    const worker = choose(draft, next, pool.open)
    if (worker === undefined) break
    if (next === candidate) at++
    // A task may have become ready twice in one event; the second time it is placed already.
    transition(draft, next.id, { _tag: "Processing", worker })
  }
  queueRest(draft, ready, at)
  for (const line of lines) queueRest(draft, line.ready, line.at)
}

const queueRest = (draft: Draft, ready: ReadonlyArray<Task>, from: number): void => {
  for (let at = from; at < ready.length; at++) {
    const id = ready[at]?.id ?? noTask
    // What has become ready twice may be placed.
    if (draft.task(id)?.status._tag !== "Processing") transition(draft, id, toQueued)
  }
}

/**
 * Of the tasks that demand something of their worker, gives the first in the lines to one, if it goes before `next` and there is
 * one for it; or has its line wait. False if there is none that goes before.
 */
const placeDemanding = (draft: Draft, lines: Lines, next: Task | undefined): boolean => {
  const line = firstLine(draft, lines, next)
  if (line?.head === undefined) return false
  const fitting = workersFor(draft, lines, line)
  const worker = IntSet.size(fitting) === 0 ? undefined : choose(draft, line.head, fitting)
  if (worker === undefined) block(draft, lines, line)
  else {
    transition(draft, line.head.id, { _tag: "Processing", worker })
    advance(draft, lines, line)
  }
  return true
}

const toQueued = { _tag: "Queued" } as const

/** One of these workers, which have room; there is one. */
const choose = (draft: Draft, task: Task, open: Workers): WorkerId | undefined => {
  const destined = draft.destined?.get(task.id)
  if (destined !== undefined && IntSet.has(open, destined)) return destined
  if (task.trials.suspect) return leastAssigned(draft, open)
  if (task.dependencies.length > 0) {
    const holder = chooseHolder(draft, task, open)
    if (holder !== undefined) return holder
  }
  return IntSet.size(open) < fewWorkers ? leastLoaded(draft, task.isolation, open) : nextInTurn(draft, open)
}

/** With more dependencies than this, who holds how much of them is added up first. */
const fewDependencies = 4

/** The holder of dependencies that would start the task soonest. */
const chooseHolder = (draft: Draft, task: Task, open: Workers): WorkerId | undefined => {
  const sole = soleHolder(draft, task)
  if (sole !== undefined) return IntSet.has(open, sole) ? sole : undefined
  const dependencies = distinctDependencies(task)
  if (dependencies.length > fewDependencies) {
    const { held, total } = heldBytes(draft, dependencies)
    return soonest(draft, task.isolation, open, [...held.keys()], (id) => total - (held.get(id) ?? 0))
  }
  return soonest(draft, task.isolation, open, holdersOf(draft, dependencies), (id) => missingBytes(draft, task, id))
}

/** The holder of a single dependency that has no other, which is the commonest case: nothing is to be compared. */
const soleHolder = (draft: Draft, { dependencies }: Task): WorkerId | undefined => {
  if (dependencies.length !== 1) return undefined
  const status = draft.task(dependencies[0] ?? noTask)?.status
  return status?._tag === "Memory" && IntSet.size(status.whoHas) === 1 ? IntSet.min(status.whoHas) : undefined
}

/** The holders of a few results, in no order. */
const holdersOf = (draft: Draft, ids: ReadonlyArray<TaskId>): ReadonlyArray<WorkerId> => {
  const found: Array<WorkerId> = []
  for (const id of ids) {
    const status = draft.task(id)?.status
    if (status?._tag !== "Memory") continue
    for (let holder = IntSet.min(status.whoHas); holder !== undefined; holder = IntSet.next(status.whoHas, holder)) {
      found.push(holder)
    }
  }
  return found
}

/** How many bytes of these results each holder has, and how many they are in all. */
const heldBytes = (draft: Draft, ids: ReadonlyArray<TaskId>) => {
  const held = new Map<WorkerId, number>()
  let total = 0
  for (const id of ids) {
    const status = draft.task(id)?.status
    if (status?._tag !== "Memory") continue
    total += status.nbytes
    IntSet.forEach(status.whoHas, (holder) => void held.set(holder, (held.get(holder) ?? 0) + status.nbytes))
  }
  return { held, total }
}

/** Which of these candidates, if it has room, would start a task soonest for which it lacks so many bytes. */
const soonest = (
  draft: Draft,
  isolation: Isolation,
  open: Workers,
  candidates: ReadonlyArray<WorkerId>,
  missing: (id: WorkerId) => number
): WorkerId | undefined => {
  let best: Worker | undefined
  let bestMs = Infinity
  for (const id of candidates) {
    const worker = IntSet.has(open, id) ? draft.worker(id) : undefined
    if (worker === undefined) continue
    const ms = startsInMs(worker[isolation], missing(id), draft.config.bytesPerMs)
    if (best === undefined || ms < bestMs || (ms === bestMs && isLess(worker, best))) {
      best = worker
      bestMs = ms
    }
  }
  return best?.id
}

/**
 * Milliseconds until a worker could start the task.
 *
 *   queue    occupancyMs / slots
 * + fetch    missing bytes / bandwidth (bytes per ms)
 *
 * Source: dask.distributed `worker_objective`.
 */
const startsInMs = (load: Load, missingBytes: number, bytesPerMs: number): number =>
  waitMs(load) + missingBytes / bytesPerMs

const isLess = (a: Worker, b: Worker): boolean => a.nbytes < b.nbytes || (a.nbytes === b.nbytes && a.id < b.id)

/** The open worker with the shortest queue; of equal ones the next in turn. */
const leastLoaded = (draft: Draft, isolation: Isolation, open: Workers): WorkerId | undefined => {
  const { turn } = draft.state
  let best: WorkerId | undefined
  let bestMs = Infinity
  for (let id = IntSet.min(open); id !== undefined; id = IntSet.next(open, id)) {
    const worker = draft.worker(id)
    if (worker === undefined) continue
    const ms = waitMs(worker[isolation])
    if (ms > bestMs || (ms === bestMs && (id < turn || (best !== undefined && best >= turn)))) continue
    best = id
    bestMs = ms
  }
  if (best !== undefined) draft.state.turn = best + 1
  return best
}

/** Ids are looked up one by one from the last choice on; where so many are missing in a row, the search begins again. */
const longestGap = 32

const nextInTurn = (draft: Draft, open: Workers): WorkerId | undefined => {
  for (let id = draft.state.turn; id < draft.state.turn + longestGap; id++) {
    if (!IntSet.has(open, id)) continue
    draft.state.turn = id + 1
    // The brand: the id is a member of a set of worker ids.
    return id as WorkerId
  }
  const first = IntSet.min(open)
  if (first !== undefined) draft.state.turn = first + 1
  return first
}

/** For a suspect, which has to wait until nothing else runs on its worker. */
const leastAssigned = (draft: Draft, open: Workers): WorkerId | undefined => {
  let best: WorkerId | undefined
  let fewest = Infinity
  for (let id = IntSet.min(open); id !== undefined; id = IntSet.next(open, id)) {
    const worker = draft.worker(id)
    if (worker === undefined) continue
    const assigned = worker.fiber.assigned + worker.thread.assigned
    if (assigned >= fewest) continue
    best = id
    fewest = assigned
  }
  return best
}
