/**
 * Tasks that no worker connected may run, as time goes by.
 *
 * After ten seconds somebody is told what they want and what there is, for such
 * tasks may wait for ever; after `noWorkersTimeoutMs` they fail, if that was asked
 * for. Those that want the same are told of together, and what waits in vain
 * by the thousand is told of every ten seconds at most.
 *
 * Source: dask.distributed `scheduler.py`, `_check_no_workers`, which looks four
 * times a second, and says nothing before the end.
 */
import type { TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Offers from "../Offers.ts"
import type { Demand, Task } from "../State.ts"
import type { Draft } from "./draft.ts"
import { transition } from "./transition.ts"

/** Tasks are failed together that are due within a second. */
const TOGETHER_MS = 1_000

/** Time went by: warns of tasks and fails them, as they are due. */
export const tellLacking = (draft: Draft): void => {
  const due = draft.state.lackingDue
  if (due === undefined) return
  if (draft.at < due) return draft.wake(due)
  draft.state.lackingDue = undefined
  const { noWorkersTimeoutMs, warnAfterMs } = draft.config
  const { warnedTo } = draft.state
  const expired: Array<Task> = []
  const groups = new Map<string | number, { first: Lacking; others: number }>()
  let oldest = Infinity
  let oldestUnwarned = Infinity
  IntSet.forEach(draft.state.noWorker, (id) => {
    const task = draft.task(id)
    if (task?.status._tag !== "NoWorker") return
    const { since } = task.status
    if (since + noWorkersTimeoutMs <= draft.at) return void expired.push(task)
    oldest = Math.min(oldest, since)
    if (since <= warnedTo) return
    if (since + warnAfterMs > draft.at) {
      oldestUnwarned = Math.min(oldestUnwarned, since)
      return
    }
    const what = task.demand ?? task.isolation
    const group = groups.get(what)
    if (group === undefined) groups.set(what, { first: { task, since }, others: 0 })
    else {
      group.others++
      if (since < group.first.since) group.first = { task, since }
    }
  })
  warn(draft, [...groups.values()])
  fail(draft, expired)
  const isOver = IntSet.size(draft.state.noWorker) === 0
  draft.state.warnedTo = isOver ? -1 : Math.max(warnedTo, draft.at - warnAfterMs)
  if (oldestUnwarned < Infinity) draft.watchLacking(Math.max(oldestUnwarned + warnAfterMs, draft.at + (groups.size > 0 ? warnAfterMs : 0)))
  if (oldest + noWorkersTimeoutMs < Infinity) draft.watchLacking(Math.max(oldest + noWorkersTimeoutMs, draft.at + (expired.length > 0 ? TOGETHER_MS : 0)))
}

interface Lacking {
  readonly task: Task
  readonly since: number
}

const warn = (draft: Draft, groups: ReadonlyArray<{ readonly first: Lacking; readonly others: number }>): void => {
  if (groups.length === 0) return
  const there = Offers.offers(draft.state)
  for (const { first: { since, task }, others } of groups) {
    draft.send({ _tag: "WarnLacking", id: task.id, others, since, at: draft.at, wanted: Offers.wanted(task, demandOf(draft, task)), there })
  }
}

const fail = (draft: Draft, expired: ReadonlyArray<Task>): void => {
  if (expired.length === 0) return
  const offers = Offers.print(Offers.offers(draft.state), draft.at)
  for (const task of expired) {
    const failure = { _tag: "Unrunnable", wanted: Offers.wanted(task, demandOf(draft, task)), offers } as const
    transition(draft, task.id, { _tag: "Erred", failure, origin: task.id, stop: false })
  }
}

const demandOf = (draft: Draft, { demand }: Task): Demand | undefined => demand === undefined ? undefined : draft.demand(demand)

/** The tasks for which there is a worker now. */
export const runnable = (draft: Draft): ReadonlyArray<TaskId> => {
  const ids: Array<TaskId> = []
  IntSet.forEach(draft.state.noWorker, (id) => {
    const task = draft.task(id)
    if (task !== undefined && hasWorker(draft, task)) ids.push(id)
  })
  return ids
}

/** Whether some worker connected may run the task. */
export const hasWorker = (draft: Draft, task: Task): boolean => {
  const demand = demandOf(draft, task)
  return demand === undefined ? draft.pool(task.isolation).slots > 0 : IntSet.size(demand.eligible) > 0
}
