/**
 * What is true of every run, each by the id that it has in reference/reliability.md §2.6.
 *
 * A check that fails says what it saw and what would have been right. Nothing
 * here runs anything: what is looked at is handed in, so that a test can break it.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import { broken as brokenScheduler } from "@skein/core/scheduler/Invariants"
import type { State as SchedulerState } from "@skein/core/scheduler/State"
import * as SchedulerView from "@skein/core/scheduler/View"
import { broken as brokenWorker } from "@skein/core/worker/Invariants"
import type { State as WorkerState } from "@skein/core/worker/State"
import * as WorkerView from "@skein/core/worker/View"
import type { RunId, TaskId } from "@skein/protocol/Ids"
import type { Case } from "../Case.ts"
import type { Answer, Cancelled } from "./History.ts"
import { keyOf, showEnding } from "./History.ts"
import { allows, type Oracle, showAllowed } from "./Oracle.ts"
import type { Execution } from "./Work.ts"

/** A check that failed. */
export interface Violation {
  /** Which, e.g. `C1` or `S: a processing task and its worker name each other`. Shrinking keeps to it. */
  readonly id: string
  /** What was seen. */
  readonly saw: string
}

/** Every check there is, with what it says. Those of the machines are one for each of their invariants. */
export const catalogue = {
  C1: "every future resolves",
  C2: "values equal the oracle's",
  C3: "errors name a true failed ancestor, and are of a kind that the case allows",
  C4: "once a cancellation is acknowledged nothing of the task runs",
  C5: "what is released everywhere is forgotten",
  C8: "a key is one graph: while somebody holds its result, another graph is refused",
  L1: "once the faults are over, everything ends in time",
  L2: "no run comes to a standstill while something is waited for",
  L5: "at the end nothing is left: no task, replica, question, socket, timer, fiber",
  S: "the scheduler's machine keeps its invariants",
  W: "the workers' machines keep their invariants",
  X1: "at rest the scheduler knows exactly who has what",
  X2: "without faults every body runs as often as its case says",
  X3: "without faults no two bodies of one task run at once, but for one that is being stopped",
  X4: "all replicas of a result are the same bytes",
  X7: "nothing is done by a process that has ended",
  D: "the same case gives the same run"
} as const

/** C1 to C3 of one answer. */
export const checkAnswer = (oracle: Oracle, { asked, client, ending, handle, task }: Answer): Violation | undefined => {
  if (allows(oracle, task, client, ending)) return undefined
  return {
    id: ending._tag === "Value" ? "C2" : "C3",
    saw: `task ${task}, future ${handle} of client-${client}${asked === "again" ? ", asked again" : asked === "together" ? ", asked with others" : asked === "submit" ? ", when it was submitted" : ""}, ended with ${showEnding(ending)}; ` +
      `right would be ${showAllowed(oracle, task)}`
  }
}

/** A future that has a value, or had one; `since` when it was made, or had its value, virtual milliseconds. */
export interface Valued {
  readonly client: number
  readonly task: number
  readonly since: number
}

/** C8: the value of a future that was made when others, which are held still, had one of another graph under its key. */
export const checkOneGraph = (of: Case, valued: Valued, others: ReadonlyArray<Valued>): Violation | undefined => {
  const tasks = new Map(of.tasks.map((task) => [task.id, task]))
  const task = tasks.get(valued.task)
  const other = others.find(({ since, task: id }) => {
    const held = tasks.get(id)
    return since <= valued.since && held !== undefined && task !== undefined && held.id !== task.id && keyOf(held) === keyOf(task)
  })
  return other && {
    id: "C8",
    saw: `task ${valued.task} of client-${valued.client} was computed under the key "${keyOf(task!)}", and client-${other.client} has held task ${other.task} under it all the time`
  }
}

/** C1: of these futures none may still be waited for. */
export const checkResolved = (waiting: ReadonlyArray<{ readonly client: number; readonly task: number; readonly handle: number }>): Violation | undefined =>
  waiting.length === 0 ? undefined : {
    id: "C1",
    saw: `${waiting.length} futures were never resolved: ${waiting.slice(0, 8).map(({ client, handle, task }) => `task ${task} of client-${client} (future ${handle})`).join(", ")}`
  }

/** S: each broken invariant of the scheduler's machine has an id of its own. */
export const checkScheduler = (state: SchedulerState): Violation | undefined => named("S", brokenScheduler(state))

/** W: of a worker's. */
export const checkWorker = (name: string, state: WorkerState): Violation | undefined => {
  const violation = named("W", brokenWorker(state))
  return violation && { ...violation, saw: `${name}: ${violation.saw}` }
}

/** The first of what is broken; what is in brackets tells where, and is not part of the id. */
const named = (machine: "S" | "W", broken: ReadonlyArray<string>): Violation | undefined =>
  broken.length === 0 ? undefined : { id: `${machine}: ${broken[0]!.replace(/ \(\w+ \d+\)$/, "")}`, saw: `not true any more: ${broken.join("; ")}` }

/** A worker as it is in truth. */
export interface WorkerTruth {
  readonly name: string
  readonly state: WorkerState
  /** The bytes of a result; undefined if it is not in its store. */
  readonly find: (id: TaskId, run: RunId) => Uint8Array | undefined
  /** Results in its store. */
  readonly stored: number
}

/** X1 and X4. To be asked when nothing is under way any more. */
export const checkReplicas = (scheduler: SchedulerState, workers: ReadonlyArray<WorkerTruth>): Violation | undefined => {
  const known = SchedulerView.workers(scheduler)
  for (const view of known) {
    const truth = workers.find(({ name, state }) => name === view.name && state.worker === view.worker)
    if (truth === undefined) return { id: "X1", saw: `the scheduler has a worker ${view.name} (${view.worker}) that is not there` }
    const believed = SchedulerView.hasWhat(scheduler, view.worker).map((id) => nameOf({ id, run: SchedulerView.locate(scheduler, id)?.run ?? -1 }))
    const held = WorkerView.holds(truth.state).map(nameOf)
    const difference = [...believed.filter((name) => !held.includes(name)), ...held.filter((name) => !believed.includes(name))]
    if (difference.length > 0) {
      return { id: "X1", saw: `${view.name} has ${held.join(", ") || "nothing"}, and the scheduler believes ${believed.join(", ") || "nothing"}` }
    }
    const missing = WorkerView.holds(truth.state).filter(({ id, run }) => truth.find(id, run) === undefined)
    if (missing.length > 0 || truth.stored !== held.length) {
      return { id: "X1", saw: `${view.name} says that it has ${held.length} results, its store has ${truth.stored} and lacks ${missing.map(nameOf).join(", ") || "none"}` }
    }
  }
  return checkCopies(scheduler, workers)
}

const checkCopies = (scheduler: SchedulerState, workers: ReadonlyArray<WorkerTruth>): Violation | undefined => {
  for (const task of Vector.values(scheduler.tasks)) {
    if (task.status._tag !== "Memory" || IntSet.size(task.status.whoHas) < 2) continue
    const { run } = task.status
    const copies = workers.flatMap((worker) => worker.find(task.id, run) ?? [])
    const first = copies[0]
    if (first !== undefined && copies.some((copy) => !areEqual(first, copy))) {
      return { id: "X4", saw: `the ${copies.length} copies of ${nameOf({ id: task.id, run })} differ` }
    }
  }
  return undefined
}

/** L5 of the machines: what must be gone once every client has released everything. */
export const checkForgotten = (scheduler: SchedulerState, named: number, workers: ReadonlyArray<WorkerTruth>): Violation | undefined => {
  const { questions, stopping, tasks } = SchedulerView.totals(scheduler)
  if (tasks > 0) {
    return {
      id: "C5",
      saw: `the scheduler still has ${tasks} tasks: ${SchedulerView.tasks(scheduler).slice(0, 8).map((id) => `${id} (${SchedulerView.task(scheduler, id)?.status})`).join(", ")}`
    }
  }
  if (named > 0) return { id: "L5", saw: `the scheduler still has ids for ${named} keys` }
  if (stopping > 0) return { id: "L5", saw: `the scheduler still waits for ${stopping} cancelled runs` }
  if (questions > 0) return { id: "L5", saw: `the scheduler has not answered ${questions} questions` }
  for (const { name, state, stored } of workers) {
    if (stored > 0) return { id: "L5", saw: `${name} still stores ${stored} results` }
    if (!WorkerView.isEmpty(state)) return { id: "L5", saw: `${name} still knows ${WorkerView.tasks(state).map(({ id, status }) => `${id} (${status})`).join(", ") || "peers"}` }
  }
  return undefined
}

/** L5 of what lies under the machines. */
export const checkLeftovers = (leftovers: ReadonlyArray<string>): Violation | undefined =>
  leftovers.length === 0 ? undefined : { id: "L5", saw: `after the end there are still: ${leftovers.slice(0, 12).join("; ")}` }

/** X2: bodies run as often as the oracle says, where it says so. */
export const checkExecutions = (oracle: Oracle, executions: ReadonlyArray<Execution>): Violation | undefined => {
  const counts = new Map<number, number>()
  for (const { task } of executions) counts.set(task, (counts.get(task) ?? 0) + 1)
  for (const { executions: expected, task } of oracle.allowed.values()) {
    const count = counts.get(task) ?? 0
    if (expected !== undefined && count !== expected) return { id: "X2", saw: `task ${task} ran ${count} times, and ${expected} would be right` }
  }
  return undefined
}

/** C2 and C3 of what tasks submit themselves: no body hears a wrong value, and where nothing goes wrong it hears of no failure. */
export const checkChildren = (of: Case, executions: ReadonlyArray<Execution>): Violation | undefined => {
  const wrong = executions.find(({ children }) => children === "wrong")
  if (wrong !== undefined) return { id: "C2", saw: `task ${wrong.task} got a wrong value of a task that it had submitted` }
  // Whoever ends a worker ends the sessions of its bodies.
  const mayFail = of.faults.length > 0 || of.operations.some(({ _tag }) => _tag === "Scale") || of.tasks.some(({ body }) => body._tag === "Exits" || body._tag === "Blocks")
  const failed = mayFail ? undefined : executions.find(({ children, how }) => children === "failed" && how !== "interrupted")
  return failed && { id: "C3", saw: `task ${failed.task} was told that a task which it had submitted failed, and nothing went wrong` }
}

/** C4, as it is when the acknowledgement has come. `running`: bodies of this task, in processes that live. */
export const checkCancelled = (of: Case, { outcome, task }: Cancelled, running: ReadonlyArray<Execution>): Violation | undefined => {
  if (outcome !== "cancelled" || running.length === 0) return undefined
  // Who is cut off may run what was given up elsewhere long ago, and what is wanted again may have begun anew.
  const isExcused = of.faults.length > 0 || of.operations.some(({ _tag }) => _tag === "Retry" || _tag === "Resubmit" || _tag === "Scale")
  return isExcused ? undefined : { id: "C4", saw: `the cancellation of task ${task} was acknowledged, and it runs on ${placesOf(running)}` }
}

/** X3, when another body of the task begins. `isStopping`: whether the scheduler waits for a cancelled run of it. */
export const checkAlone = (of: Case, begun: Execution, others: ReadonlyArray<Execution>, isStopping: boolean): Violation | undefined =>
  others.length === 0 || isStopping || of.faults.length > 0 || of.operations.some(({ _tag }) => _tag === "Scale") ? undefined : {
    id: "X3",
    saw: `task ${begun.task} begins on ${placesOf([begun])}, and runs on ${placesOf(others)} already`
  }

const placesOf = (executions: ReadonlyArray<Execution>): string => executions.map(({ process }) => process?.name ?? "a thread").join(", ")

const nameOf = ({ id, run }: { readonly id: number; readonly run: number }): string => `${id}#${run}`

const areEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
