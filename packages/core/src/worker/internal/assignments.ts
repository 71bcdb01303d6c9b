/**
 * What is to be computed here, and what that needs.
 *
 * The edges between a task and its inputs stand in the inputs' `dependents`
 * from when the task is asked for until it starts, and no longer: then the
 * shell has taken hold of the results, and they may be dropped.
 *
 * Whatever is asked for is answered once: finished, failed, killed,
 * rescheduled, given back, or stopped.
 */
import type { RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Assignment, Dependency } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../persistent/IntSet.ts"
import type { Position } from "../../persistent/Ranked.ts"
import type { Task } from "../State.ts"
import { type Draft, type Owned, released } from "./draft.ts"
import { reposition, setHolders } from "./holders.ts"
import { interrupt } from "./stopping.ts"
import { transition } from "./transition.ts"

/** The task is to be computed here, as soon as nothing older stands in the way. */
export const assign = (draft: Draft, task: Owned<Task>, assignment: Assignment): void => {
  task.assignment = assignment
  assignment.dependencies.forEach((dependency, index) => link(draft, task.id, dependency, urgencyOf(assignment, index)))
  draft.touch(task.id)
}

/** The task is not to be computed here any more: nothing of it has started. */
export const unassign = (draft: Draft, task: Owned<Task>): void => {
  const { assignment, status } = task
  if (assignment === undefined) return
  task.assignment = undefined
  if (status._tag === "Waiting" || status._tag === "Ready") transition(draft, task, released)
  unlink(draft, task.id, assignment)
  draft.touch(task.id)
}

/** The task needs its inputs no longer. */
export const unlink = (draft: Draft, id: TaskId, { dependencies }: Assignment): void => {
  for (const dependency of dependencies) {
    const input = draft.task(dependency.id)
    if (input === undefined || !IntSet.has(input.dependents, id)) continue
    const owned = draft.own(input)
    owned.dependents = IntSet.remove(owned.dependents, draft.owner, id)
    draft.touch(owned.id)
  }
}

/**
 * Whether the scheduler speaks of another run than the one known here, and not of the past.
 *
 * It numbers runs upwards. But a worker that comes back may bring a result of an
 * older run along; then the newer one has been cancelled, and nothing is left of it.
 */
export const isNews = ({ assignment, run: known, status }: Task, run: RunId): boolean =>
  run > known || (run < known && assignment === undefined && status._tag !== "Memory")

/**
 * The scheduler has spoken of another run: whatever is here of the known one is
 * outdated. Leaves the record to be about the new run, of which nothing is known.
 */
export const supersede = (draft: Draft, task: Owned<Task>, run: RunId): void => {
  const { assignment, status } = task
  if (status._tag === "Executing" || status._tag === "LongRunning") interrupt(draft, task)
  else if (assignment !== undefined) {
    draft.send({ _tag: "ReportStopped", id: task.id, run: assignment.run })
    unassign(draft, task)
  }
  if (status._tag === "Memory") {
    draft.send({ _tag: "Drop", id: task.id, run: task.run })
    draft.send({ _tag: "ReportGone", row: { id: task.id, run: task.run } })
    transition(draft, task, released)
  }
  setHolders(draft, task, IntSet.empty())
  task.run = run
  draft.touch(task.id)
}

/** Peers, as the scheduler names them, are who else has it: if it names this worker, it is mistaken. */
export const othersOf = (draft: Draft, task: Task, whoHas: ReadonlyArray<WorkerId>): ReadonlyArray<WorkerId> => {
  if (!whoHas.some((holder) => holder === draft.next.worker)) return whoHas
  draft.send({ _tag: "ReportGone", row: { id: task.id, run: task.run } })
  return whoHas.filter((holder) => holder !== draft.next.worker)
}

/** Notes that `dependent` needs an input, and what the scheduler says of it: this goes before what it said earlier. */
const link = (draft: Draft, dependent: TaskId, dependency: Dependency, urgency: Position): void => {
  const known = draft.task(dependency.id)
  const input = known === undefined
    ? draft.addTask(dependency.id, dependency.run, dependency.nbytes)
    : draft.own(known)
  input.dependents = IntSet.add(input.dependents, draft.owner, dependent)
  if (isNews(input, dependency.run)) {
    supersede(draft, input, dependency.run)
    input.nbytes = dependency.nbytes
  }
  if (dependency.run === input.run && input.status._tag !== "Memory") {
    setHolders(draft, input, IntSet.fromIterable(othersOf(draft, input, dependency.whoHas)))
  }
  if (isBefore(urgency, input.urgency)) reposition(draft, input, urgency)
  draft.touch(input.id)
}

/**
 * How urgent an input is: as its dependent, and among the inputs of one in their
 * order. Ranks are spread to make room for those; of a task with more inputs
 * than that, the last mingle with the first of the tasks that come next. More
 * room would make the queues deeper: they are trees over the ranks.
 */
const urgencyOf = ({ priority, rank }: Assignment, index: number): Position => ({
  priority,
  rank: Math.min(rank, maxRank) * inputsApart + index
})

const inputsApart = 16
/** So that what is spread remains an exact integer. */
const maxRank = 2 ** 48

const isBefore = (a: Position, b: Position): boolean =>
  a.priority !== b.priority ? a.priority > b.priority : a.rank < b.rank
