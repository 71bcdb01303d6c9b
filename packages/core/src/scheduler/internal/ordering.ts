/**
 * The order of tasks within a graph, as ranks.
 *
 * Ranks are given when a graph is whole, from one counter: so earlier graphs go
 * first, whatever their tasks. Within a graph it is depth-first from the tasks on
 * which nothing depends, in the order of submission, dependencies before
 * dependents: what a chain has begun is finished before the next chain begins, and
 * few results are kept at a time.
 *
 * Source: dask `order.py` in spirit; that also weighs the lengths of paths.
 */
import * as IntSet from "../../persistent/IntSet.ts"
import type { TaskId } from "@skein/protocol/Ids"
import type { Draft } from "./draft.ts"

/** Gives ranks to those of `ids` that have none, and to all they depend on. */
export const rank = (draft: Draft, ids: ReadonlyArray<TaskId>): void => {
  for (const id of ids) {
    const task = draft.task(id)
    if (task !== undefined && task.rank < 0 && IntSet.size(task.dependents) === 0) rankFrom(draft, id)
  }
  // What other graphs depend on.
  for (const id of ids) rankFrom(draft, id)
}

/** One step of the search: a task, and which of its dependencies is next. */
interface Visit {
  readonly id: TaskId
  next: number
}

/** A list and not recursion: chains may be long. */
const rankFrom = (draft: Draft, id: TaskId): void => {
  const first = draft.task(id)
  if (first === undefined || first.rank >= 0) return
  if (first.dependencies.length === 0) {
    draft.editTask(first).rank = draft.takeRank()
    return
  }
  const path: Array<Visit> = [{ id, next: 0 }]
  for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
    const task = draft.task(visit.id)
    const dependency = task === undefined || task.rank >= 0 ? undefined : task.dependencies[visit.next]
    if (dependency !== undefined) {
      visit.next++
      path.push({ id: dependency, next: 0 })
      continue
    }
    if (task !== undefined && task.rank < 0) draft.editTask(task).rank = draft.takeRank()
    path.pop()
  }
}
