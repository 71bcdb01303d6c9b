/**
 * What peers say, as events: the border.
 *
 * The schemas of hot messages check no numbers, so they are checked here, once,
 * as they come in: what cannot be an id, what the peer does not hold, what no
 * correct peer says is a `Violation`, which ends the session that said it before
 * anything of its message has become an event. An id of the right form that
 * names nothing any more is no violation but late, and the reducer drops it.
 *
 * Rows pass through as they came off the wire: nothing is copied for a report.
 */
import type { Event, NewTask } from "@skein/core/scheduler/Event"
import { DATA_NAME, SCATTER_ROWS, type ScatterRow } from "@skein/protocol/ClientRpcs"
import type { CodeDef } from "@skein/protocol/Code"
import { ARGS_LIMIT, type AttemptRules, forgetOldCodes, type Graph, type SubmittedTask, TASKS_PER_MESSAGE } from "@skein/protocol/Graph"
import type { CodeRef, Key, Millis, Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"
import type { Held, Registration, WorkerReport } from "@skein/protocol/WorkerRpcs"
import type { Code, CodeTable } from "./CodeTable.ts"
import { type Conflict, isCount, type KeyTable, type Refs } from "./KeyTable.ts"
import type { Progress } from "./Progress.ts"
import type { ClientPeer, WorkerPeer } from "./Registry.ts"
import type { ClientRow } from "./Rows.ts"
import { refuse } from "./Violation.ts"

/** Results that a worker may bring along when it registers. */
export const HOLDS_LIMIT = 1 << 20

export interface Tables {
  readonly keys: KeyTable
  readonly codes: CodeTable
}

/** What became of a submission. */
export interface Submission {
  readonly event: Event
  /** Tasks that build on what another client's computation stands in the way of. They never reach the reducer. */
  readonly conflicts: ReadonlyArray<ClientRow>
}

/** A client submitted (a part of) a graph. */
export const submitted = (tables: Tables, client: ClientPeer, graph: Graph, at: Millis): Submission => {
  if (graph.tasks.length > TASKS_PER_MESSAGE) refuse(`${graph.tasks.length} tasks came in one message; ${TASKS_PER_MESSAGE} are the limit`)
  const { terms = noTerms } = graph
  if (terms.length > graph.tasks.length) refuse(`${terms.length} terms came for ${graph.tasks.length} tasks`)
  for (const { def, ref } of graph.codes) {
    if (!isCount(ref)) refuse(`${ref} is no reference to a code`)
    if (client.codes.has(ref)) refuse(`it told two codes under the number ${ref}`)
    client.codes.set(ref, tables.codes.declare(def))
  }
  const tasks: Array<NewTask> = []
  const conflicts: Array<ClientRow> = []
  tables.keys.begin()
  try {
    for (const task of graph.tasks) {
      checkTask(task, terms.length)
      const dependencies = dependencyIds(client.refs, task.dependencies)
      if (Array.isArray(dependencies)) tasks.push(newTask(tables, client, task, dependencies, terms))
      else conflicts.push(conflicting(tables, client, task, dependencies as Conflict)) // what is no array is the conflict
    }
  } catch (violation) {
    tables.keys.undo()
    throw violation
  }
  forgetOldCodes(client.codes)
  return { event: { _tag: "TasksSubmitted", at, client: client.client, tasks, last: graph.last }, conflicts }
}

const noTerms: ReadonlyArray<Terms> = []

const checkTask = (task: SubmittedTask, terms: number): void => {
  if (task.args.length > ARGS_LIMIT) refuse(`the arguments of one task have ${task.args.length} bytes; ${ARGS_LIMIT} are the limit`)
  if (Number.isNaN(task.priority)) refuse("a priority is no number")
  if (!isCount(task.retries)) refuse(`${task.retries} is no number of retries`)
  if (task.rules !== undefined) checkRules(task.rules)
  if (task.terms !== undefined && !(isCount(task.terms) && task.terms < terms)) refuse(`${task.terms} is no place among ${terms} terms`)
}

const checkRules = ({ delayMs, factor, maxDelayMs, timeoutMs }: AttemptRules): void => {
  checkAmount(delayMs)
  checkAmount(factor)
  if (!(maxDelayMs >= 0)) refuse(`${maxDelayMs} is no longest delay`)
  if (!(timeoutMs > 0)) refuse(`${timeoutMs} is no limit of time`)
}

const newTask = (
  tables: Tables,
  client: ClientPeer,
  task: SubmittedTask,
  dependencies: ReadonlyArray<TaskId>,
  allTerms: ReadonlyArray<Terms>
): NewTask => {
  const code = codeOf(tables, client, task.code)
  const id = tables.keys.idFor(task.key, code.code)
  client.refs.hold(task.ref, id)
  const added = {
    id,
    code: code.code,
    args: task.args,
    dependencies,
    priority: task.priority,
    retries: task.retries,
    isolation: task.isolation
  }
  if (task.rules === undefined && task.terms === undefined) return added
  const terms = task.terms === undefined ? undefined : allTerms[task.terms]
  return { ...added, ...(task.rules === undefined ? {} : { rules: task.rules }), ...(terms === undefined ? {} : { terms }) }
}

const codeOf = (tables: Tables, client: ClientPeer, ref: CodeRef): Code => {
  const known = client.codes.get(ref) ?? refuse(`it calls the code ${ref}, of which it has not told`)
  const code = tables.codes.again(known)
  if (code !== known) client.codes.set(ref, code)
  return code
}

const none: Array<TaskId> = []

/** The ids of dependencies, or the first that stands for a conflict. */
const dependencyIds = (refs: Refs, dependencies: ReadonlyArray<Ref>): ReadonlyArray<TaskId> | Conflict => {
  if (dependencies.length === 0) return none
  const ids: Array<TaskId> = []
  for (const ref of dependencies) {
    const id = refs.idOf(ref)
    if (typeof id !== "number") return id
    ids.push(id)
  }
  return ids
}

/** Nobody computes this: what it needs is another client's. It fails as that did. */
const conflicting = (tables: Tables, client: ClientPeer, task: SubmittedTask, conflict: Conflict): ClientRow => {
  codeOf(tables, client, task.code)
  client.refs.holdConflict(task.ref, conflict)
  return erredByConflict(tables, task.ref, conflict, task.key)
}

/** The news of a conflict. `key`: the client's own, where it is at hand; what was refused is told in its name, or in nobody's. */
export const erredByConflict = (tables: Tables, ref: Ref, conflict: Conflict, key = "" as Key): ClientRow => ({
  _tag: "Erred",
  row: {
    ref,
    failure: conflict.failure,
    origin: conflict.origin ?? key,
    originTask: conflict.originCode === undefined ? "" : tables.codes.defOf(conflict.originCode)?.name ?? ""
  }
})

/** A client wants keys that somebody has submitted. `unknown`: those that nobody knows. */
export const wanted = (
  tables: Tables,
  client: ClientPeer,
  rows: ReadonlyArray<{ readonly ref: Ref; readonly key: Key }>,
  at: Millis
): { readonly event: Event; readonly unknown: ReadonlyArray<ClientRow> } => {
  const ids: Array<TaskId> = []
  const unknown: Array<ClientRow> = []
  for (const { key, ref } of rows) {
    const id = tables.keys.idOf(key)
    if (id !== undefined) {
      client.refs.hold(ref, id)
      ids.push(id)
    } else {
      const conflict: Conflict = { failure: { _tag: "Unknown" }, origin: key, originCode: undefined }
      client.refs.holdConflict(ref, conflict)
      unknown.push(erredByConflict(tables, ref, conflict))
    }
  }
  return { event: { _tag: "KeysWanted", at, client: client.client, ids }, unknown }
}

/** A client is about to send values to workers itself: tasks without a body. */
export const scattered = (tables: Tables, client: ClientPeer, rows: ReadonlyArray<ScatterRow>): ReadonlyArray<NewTask> => {
  if (rows.length > SCATTER_ROWS) refuse(`it scatters ${rows.length} values at once; ${SCATTER_ROWS} are the limit`)
  tables.keys.begin()
  try {
    const { code } = tables.codes.declare(dataCode)
    return rows.map(({ digest, key, nbytes, ref }) => {
      checkAmount(nbytes)
      if (digest.length > DIGEST_LIMIT) refuse(`a digest of ${digest.length} bytes is none`)
      const id = tables.keys.idFor(key, code)
      client.refs.hold(ref, id)
      return { id, code, args: digest, dependencies: none, priority: 0, retries: 0, isolation: "fiber" }
    })
  } catch (violation) {
    tables.keys.undo()
    throw violation
  }
}

const DIGEST_LIMIT = 64

/** What data has in the place of code: a name, and nothing that could be run. Nothing has this digest, which is of no text. */
const dataCode: CodeDef = {
  digest: "0".repeat(32),
  name: DATA_NAME,
  kind: "function",
  text: null,
  module: null,
  moduleFirst: false,
  body: "unknown",
  isolation: "fiber",
  version: 1
}

/** A client holds these no longer. */
export const released = (client: ClientPeer, refs: ReadonlyArray<Ref>, at: Millis): Event => {
  // Looked up before any of them is let go: a message is taken whole or not at all.
  for (const ref of refs) client.refs.idOf(ref)
  const ids: Array<TaskId> = []
  for (const ref of refs) {
    const id = client.refs.release(ref)
    if (id !== undefined) ids.push(id)
  }
  return { _tag: "KeysReleased", at, client: client.client, ids }
}

/** The ids under a client's numbers, and the conflicts among them. */
export const resolved = (client: ClientPeer, refs: ReadonlyArray<Ref>): {
  readonly ids: ReadonlyArray<TaskId>
  readonly conflicts: ReadonlyArray<readonly [Ref, Conflict]>
} => {
  const ids: Array<TaskId> = []
  const conflicts: Array<readonly [Ref, Conflict]> = []
  for (const ref of refs) {
    const id = client.refs.idOf(ref)
    if (typeof id === "number") ids.push(id)
    else conflicts.push([ref, id])
  }
  return { ids, conflicts }
}

/** A worker registered. `ids`: of what it brought along, −1 for what nobody knows. */
export const registered = (
  tables: Tables,
  worker: WorkerId,
  registration: Registration,
  at: Millis
): { readonly event: Event; readonly ids: ReadonlyArray<TaskId> } => {
  const { dataAddress: address, holds, host, name, nfibers, nthreads, resources } = registration
  if (!isCount(nthreads) || !isCount(nfibers)) refuse(`${nthreads} threads and ${nfibers} fibers are no numbers of slots`)
  if (holds.length > HOLDS_LIMIT) refuse(`it holds ${holds.length} results; ${HOLDS_LIMIT} are the limit`)
  const held: Array<Held> = []
  const ids: Array<TaskId> = []
  for (const { key, nbytes, run } of holds) {
    checkRun(0, run)
    checkAmount(nbytes)
    const id = tables.keys.idOf(key)
    ids.push(id ?? notKnown)
    if (id !== undefined) held.push({ id, run, nbytes })
  }
  return { event: { _tag: "WorkerJoined", at, worker, name, nthreads, nfibers, address, host, resources, holds: held }, ids }
}

const notKnown = -1 as TaskId // says "nobody needs it"; see WorkerRpcs.Register

/** One segment of a worker's news; undefined if it is of no interest to the reducer. */
export const reported = (
  worker: WorkerPeer,
  segment: WorkerReport,
  at: Millis,
  keepValue: (worker: WorkerId, run: RunId, value: Uint8Array) => void,
  progress: Progress["said"]
): Event | undefined => {
  const from = { at, worker: worker.worker }
  switch (segment._tag) {
    case "Finished":
      for (const row of segment.rows) {
        checkRun(row.id, row.run)
        checkAmount(row.nbytes)
        checkAmount(row.ms)
      }
      for (const row of segment.rows) if (row.value.length > 0) keepValue(worker.worker, row.run, row.value)
      return { _tag: "TasksFinished", ...from, rows: segment.rows }
    case "Failed":
      for (const row of segment.rows) {
        checkRun(row.id, row.run)
        checkAmount(row.ms)
      }
      return { _tag: "TasksFailed", ...from, rows: segment.rows }
    case "Killed":
      return { _tag: "TasksKilled", ...from, rows: checkedRuns(segment.rows) }
    case "TimedOut":
      for (const row of segment.rows) checkAmount(row.ms)
      return { _tag: "TasksTimedOut", ...from, rows: checkedRuns(segment.rows) }
    case "Progress":
      progress(worker, checkedRuns(segment.rows))
      return undefined
    case "Stopped":
      return { _tag: "TasksStopped", ...from, rows: checkedRuns(segment.rows) }
    case "TakeBack":
      return { _tag: "TakeBacksAnswered", ...from, rows: checkedRuns(segment.rows) }
    case "Seceded":
      return { _tag: "TasksSeceded", ...from, rows: checkedRuns(segment.rows) }
    case "Rescheduled":
      return { _tag: "TasksRescheduled", ...from, rows: checkedRuns(segment.rows) }
    case "ReplicasAdded":
      for (const row of segment.rows) checkAmount(row.nbytes)
      return { _tag: "ReplicasAdded", ...from, rows: checkedRuns(segment.rows) }
    case "ReplicasGone":
      return { _tag: "ReplicasGone", ...from, rows: checkedRuns(segment.rows) }
    case "Missing":
      for (const row of segment.rows) checkRun(row.peer, row.run)
      return { _tag: "ReplicasMissing", ...from, rows: checkedRuns(segment.rows) }
    case "HoldersAsked":
      return { _tag: "HoldersAsked", ...from, rows: checkedRuns(segment.rows) }
    case "Load":
      checkAmount(segment.memoryBytes)
      checkAmount(segment.managedBytes)
      // Of what it holds the state knows more, and exactly: `managedBytes` is for the worker's own page.
      worker.memoryBytes = segment.memoryBytes
      return undefined
  }
}

const checkedRuns = <Row extends { readonly id: TaskId; readonly run: RunId }>(rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  for (const row of rows) checkRun(row.id, row.run)
  return rows
}

const checkRun = (id: number, run: number): void => {
  if (!isCount(id) || !isCount(run)) refuse(`(${id}, ${run}) is no run of a task`)
}

/** Bytes and milliseconds. */
const checkAmount = (amount: number): void => {
  if (!(amount >= 0 && amount < Infinity)) refuse(`${amount} is no amount`)
}
