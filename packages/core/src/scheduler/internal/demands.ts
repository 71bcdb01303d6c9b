/**
 * What tasks demand of their worker besides a slot: resources, and to be on
 * certain workers.
 *
 * Tasks that demand the same share one record, and are in one queue: where the
 * first of them finds no place, none of the others does, so a hundred thousand
 * of them cost no more to look at than one. A task that demands nothing has no
 * such record, and nothing here concerns it.
 *
 * Resources are occupied from when a task is given to its worker until nothing of
 * it runs any more: a task that gave up its slot runs on and needs what it has, as
 * in Dask, and one that is being stopped has not stopped. So a worker is never
 * given more than it offers, and need not know of resources at all: it has no
 * queue for them, and what it was given it may start at any time. The price is a
 * round trip between two tasks that use the same resource; a thread that is idle
 * meanwhile takes other work. And a worker that has lost its session begins anew
 * with all it offers, though bodies of its former life may take a moment to stop.
 *
 * Source: dask.distributed `scheduler.py`, `valid_workers`, and
 * `worker_state_machine.py`, `_resource_restrictions_satisfied`. There the
 * scheduler looks at what a worker has in all, and tasks wait at the worker, where
 * the first in line keeps out all others.
 */
import type { Terms } from "@skein/protocol/Terms"
import type { Resources } from "@skein/protocol/Resources"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { NewTask } from "../Event.ts"
import type { Amount, Demand, Task, Worker } from "../State.ts"
import type { Draft, EditedWorker } from "./draft.ts"

/** No amounts: of nearly all workers and tasks. */
export const noAmounts: ReadonlyArray<never> = []

/** Resources as amounts, by name. What is 0 or no amount at all is left out. */
export const amountsOf = (resources: Resources | undefined): ReadonlyArray<Amount> => {
  if (resources === undefined) return noAmounts
  const amounts = Object.entries(resources).map(([name, amount]): Amount => ({ name, thousandths: Math.round(amount * 1_000) }))
    .filter(({ thousandths }) => thousandths > 0)
  if (amounts.length === 0) return noAmounts
  return amounts.sort((a, b) => a.name < b.name ? -1 : 1)
}

/** The demand of a new task, which is one more that has it; undefined: it demands nothing. */
export const takeDemand = (draft: Draft, { isolation, terms }: NewTask): number | undefined => {
  if (terms === undefined) return undefined
  const { lastDemand } = draft
  // Rows that were submitted together share their terms.
  const last = lastDemand?.terms === terms && lastDemand.isolation === isolation ? draft.demand(lastDemand.id) : undefined
  const demand = last ?? demandOf(draft, isolation, terms)
  if (demand === undefined) return undefined
  draft.lastDemand = { terms, isolation, id: demand.id }
  draft.editDemand(demand).tasks++
  return demand.id
}

const demandOf = (draft: Draft, isolation: NewTask["isolation"], terms: Terms): Demand | undefined => {
  const amounts = amountsOf(terms.resources)
  if (amounts.length === 0 && terms.workers.length === 0) return undefined
  const workers = [...new Set(terms.workers)].sort()
  const allowOthers = terms.allowOtherWorkers && workers.length > 0
  const hash = hashOf([isolation, allowOthers ? "or others" : "", ...amounts.map(({ name, thousandths }) => `${name}=${thousandths}`), ...workers])
  let known: Demand | undefined
  Vector.forEach(draft.state.demands, (demand) => {
    if (
      demand.hash === hash && demand.isolation === isolation && demand.allowOthers === allowOthers && areSame(demand.workers, workers) &&
      demand.amounts.length === amounts.length && demand.amounts.every((amount, at) => isSame(amount, amounts[at]))
    ) known = demand
  })
  if (known !== undefined) return known
  const added = draft.addDemand({ hash, isolation, amounts, workers, allowOthers, tasks: 0, queue: Ranked.empty(), eligible: IntSet.empty() })
  return chooseEligible(draft, added)
}

/** There may be thousands of demands, and their texts may be long: those that differ are told apart at a glance (FNV-1a). */
const hashOf = (texts: ReadonlyArray<string>): number => {
  let hash = 0x811c9dc5
  for (const text of texts) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    hash = Math.imul(hash ^ 0x1_0000, 0x01000193)
  }
  return hash >>> 0
}

/** One task less has this demand; nothing of it is kept after the last. */
export const giveUpDemand = (draft: Draft, id: number | undefined): void => {
  const demand = id === undefined ? undefined : draft.demand(id)
  if (demand === undefined) return
  const edited = draft.editDemand(demand)
  edited.tasks--
  if (edited.tasks === 0) draft.dropDemand(edited.id)
}

/** What the task occupies of its worker's resources. */
export const amountsDemanded = (draft: Draft, { demand }: Task): ReadonlyArray<Amount> =>
  demand === undefined ? noAmounts : draft.demand(demand)?.amounts ?? noAmounts

/** A worker has joined: it may be what some have waited for. */
export const admit = (draft: Draft, worker: Worker): void => {
  if (draft.state.demands.size === 0) return
  Vector.forEach(draft.state.demands, (demand) => {
    if (!offersEnough(worker, demand)) return
    // Those who are eligible are all wished for, or all others.
    const hasWished = isWished(draft.worker(IntSet.min(demand.eligible) ?? nobody), demand)
    if (isWished(worker, demand)) {
      const edited = draft.editDemand(demand)
      edited.eligible = IntSet.add(hasWished ? edited.eligible : IntSet.empty(), draft.owner, worker.id)
    } else if (demand.allowOthers && !hasWished) {
      const edited = draft.editDemand(demand)
      edited.eligible = IntSet.add(edited.eligible, draft.owner, worker.id)
    }
  })
}

/** A worker leaves, or is to be ended. It may not be given anything. */
export const dismiss = (draft: Draft, worker: Worker): void => {
  if (draft.state.demands.size === 0) return
  Vector.forEach(draft.state.demands, (demand) => {
    if (!IntSet.has(demand.eligible, worker.id)) return
    const edited = draft.editDemand(demand)
    edited.eligible = IntSet.remove(edited.eligible, draft.owner, worker.id)
    if (IntSet.size(edited.eligible) === 0 && edited.allowOthers) chooseEligible(draft, edited, worker)
  })
}

/** Looks at all workers but `leaving` for those that may be given tasks with this demand. */
const chooseEligible = (draft: Draft, demand: Demand, leaving?: Worker): Demand => {
  let wished = IntSet.empty<Worker["id"]>()
  let others = IntSet.empty<Worker["id"]>()
  Vector.forEach(draft.state.workers, (worker) => {
    if (worker.ending || worker.id === leaving?.id || !offersEnough(worker, demand)) return
    if (isWished(worker, demand)) wished = IntSet.add(wished, draft.owner, worker.id)
    else others = IntSet.add(others, draft.owner, worker.id)
  })
  const edited = draft.editDemand(demand)
  edited.eligible = IntSet.size(wished) > 0 || !demand.allowOthers ? wished : others
  return edited
}

/** Whether the worker has slots, and offers enough in all, whoever occupies it. */
export const offersEnough = (worker: Worker, { amounts, isolation }: Demand): boolean =>
  worker[isolation].slots > 0 && amounts.every(({ name, thousandths }) => thousandths <= (worker.offers[placeOf(worker, name)]?.thousandths ?? 0))

/** Whether the worker is one of those that the tasks are to run on. */
export const isWished = (worker: Worker | undefined, { workers }: Pick<Demand, "workers">): boolean =>
  worker !== undefined &&
  (workers.length === 0 || workers.some((wanted) => wanted === worker.name || wanted === worker.address || wanted === worker.host))

/** Thousandths of a resource that are free on the worker. */
export const freeOn = (worker: Worker, name: string): number => {
  const at = placeOf(worker, name)
  return (worker.offers[at]?.thousandths ?? 0) - (worker.occupied[at] ?? 0)
}

/** Whether the worker has free what one more task would occupy. */
export const hasFree = (worker: Worker, { amounts }: Demand): boolean =>
  amounts.every(({ name, thousandths }) => thousandths <= freeOn(worker, name))

/** Whether the worker has at present what the task demands. */
export const mayRunOn = (draft: Draft, { demand: id }: Task, worker: Worker): boolean => {
  const demand = id === undefined ? undefined : draft.demand(id)
  return demand === undefined || (IntSet.has(demand.eligible, worker.id) && hasFree(worker, demand))
}

/** A task that occupies this has been given to the worker. */
export const occupy = (worker: EditedWorker, amounts: ReadonlyArray<Amount>): void => change(worker, amounts, 1)

/** Nothing of it runs there any more. */
export const vacate = (worker: EditedWorker, amounts: ReadonlyArray<Amount>): void => change(worker, amounts, -1)

const change = (worker: EditedWorker, amounts: ReadonlyArray<Amount>, by: 1 | -1): void => {
  if (amounts.length === 0) return
  const occupied = [...worker.occupied]
  for (const { name, thousandths } of amounts) {
    const at = placeOf(worker, name)
    if (at >= 0) occupied[at] = (occupied[at] ?? 0) + by * thousandths
  }
  worker.occupied = occupied
}

/** No id. */
const nobody = -1

const placeOf = ({ offers }: Pick<Worker, "offers">, name: string): number => offers.findIndex((offer) => offer.name === name)

const areSame = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean => a.length === b.length && a.every((text, at) => text === b[at])

const isSame = (a: Amount, b: Amount | undefined): boolean => a.name === b?.name && a.thousandths === b.thousandths
