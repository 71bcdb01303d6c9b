/**
 * Histories in lines of text: what happened, what was asked for, what became of a task.
 *
 * One line for each event and command, for logs, for stories that are tests, and
 * for people who look for a mistake. Names are the reader's: the machine knows
 * none.
 */
import type { ClientId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Failure } from "@skein/protocol/Failure"
import type { Terms } from "@skein/protocol/Terms"
import * as Recent from "../persistent/Recent.ts"
import * as Vector from "../persistent/Vector.ts"
import { type Answer, Command } from "./Command.ts"
import { Event, type Leaving, type NewTask } from "./Event.ts"
import type { Entry, State } from "./State.ts"

/** How ids are called. */
export interface Names {
  readonly task: (id: TaskId) => string
  readonly worker: (id: WorkerId) => string
  readonly client: (id: ClientId) => string
}

/** By their numbers. */
export const numbers: Names = {
  task: (id) => `task ${id}`,
  worker: (id) => `worker ${id}`,
  client: (id) => `client ${id}`
}

/** What happened. */
export const event = (event: Event, names: Names = numbers): string => {
  const { client, task, worker } = names
  const runs = (rows: ReadonlyArray<{ readonly id: TaskId; readonly run: number }>): string =>
    rows.map(({ id, run }) => `${task(id)} (run ${run})`).join(", ")
  return Event.match(event, {
    ClientJoined: (event) => `${client(event.client)} joins`,
    ClientLeft: (event) => `${client(event.client)} leaves`,
    TasksSubmitted: (event) =>
      `${client(event.client)} wants ${listed(event.tasks.map((row) => needing(task, row)), "; ")}${event.last ? "" : ", and more to come"}`,
    KeysWanted: (event) => `${client(event.client)} wants what there is of ${listed(event.ids.map(task))}`,
    KeysDetached: (event) => `${client(event.client)} wants ${listed(event.ids.map(task))} done, whoever holds it`,
    KeysReleased: (event) => `${client(event.client)} releases ${listed(event.ids.map(task))}`,
    CancelAsked: (event) =>
      `${client(event.client)} cancels ${listed(event.ids.map(task))}${event.force ? ", whoever wants it" : ""}`,
    RetryAsked: (event) => `${client(event.client)} retries ${listed(event.ids.map(task))}`,
    WorkersAwaited: (event) => `${client(event.client)} waits for ${event.count} workers`,
    RestartAsked: (event) => `${client(event.client)} has the cluster begin anew, with ${event.workers} workers`,
    DataAnnounced: (event) =>
      `${client(event.client)} has ${listed(event.tasks.map(({ id }, at) => `${task(id)} (${event.sizes[at]} bytes)`))} for ${
        event.broadcast ? "all workers" : "a worker"
      }${event.workers.length === 0 ? "" : ` called ${event.workers.join(" or ")}`}`,
    AskAbandoned: (event) => `${client(event.client)} gives up question ${event.ask}`,
    WorkerJoined: (event) =>
      `${worker(event.worker)} joins, ${event.nthreads} threads, ${event.nfibers} fibers` +
      (event.resources === undefined ? "" : `, ${amounts(event.resources)}`) +
      (event.holds.length === 0 ? "" : `, and has ${runs(event.holds)}`),
    WorkerLeft: (event) => `${worker(event.worker)} ${left(event.leaving)}`,
    TasksFinished: (event) =>
      event.rows.map(({ id, nbytes, run }) => `${worker(event.worker)} finished ${task(id)} (run ${run}), ${nbytes} bytes`)
        .join("; "),
    TasksFailed: (event) =>
      `${worker(event.worker)} failed ${runs(event.rows)}${event.rows.some((row) => row.retryable) ? "" : ", for good"}`,
    TasksKilled: (event) => `${worker(event.worker)} lost a thread to ${runs(event.rows)}`,
    TasksTimedOut: (event) => `${worker(event.worker)} stops ${runs(event.rows)}, which took too long`,
    TasksStopped: (event) => `${worker(event.worker)} stopped ${runs(event.rows)}`,
    TakeBacksAnswered: (event) =>
      event.rows.map(({ id, returned, run }) =>
        `${worker(event.worker)} ${returned ? "gives back" : "has begun"} ${task(id)} (run ${run})`
      ).join("; "),
    TasksSeceded: (event) => `${worker(event.worker)} runs on without a slot: ${runs(event.rows)}`,
    TasksRescheduled: (event) => `${worker(event.worker)} wants another place for ${runs(event.rows)}`,
    ReplicasAdded: (event) => `${worker(event.worker)} fetched ${runs(event.rows)}`,
    ReplicasGone: (event) => `${worker(event.worker)} has no longer ${runs(event.rows)}`,
    ReplicasMissing: (event) =>
      event.rows.map(({ id, peer, run }) => `${worker(event.worker)} did not find ${task(id)} (run ${run}) on ${worker(peer)}`)
        .join("; "),
    HoldersAsked: (event) => `${worker(event.worker)} asks who has ${runs(event.rows)}`,
    CodesForgotten: (event) => `codes ${event.codes.join(", ")} are dropped`,
    MemoryMeasured: ({ loadRatio }) => `${Math.round(100 * loadRatio)} % of the memory is in use`,
    Ticked: (event) => `it is ${event.at} ms`
  })
}

const answered = (answer: Answer, worker: Names["worker"]): string => {
  switch (answer._tag) {
    case "Cancelled":
      return listed(answer.outcomes)
    case "WorkersThere":
      return "the workers are there"
    case "DataPlaced":
      return listed(answer.places.map(({ run, workers }) => workers.length === 0 ? "nowhere" : `to ${workers.map(worker).join(" and ")} as run ${run}`), "; ")
  }
}

/** What was asked for. */
export const command = (command: Command, names: Names = numbers): string => {
  const { client, task, worker } = names
  return Command.match(command, {
    ComputeTask: ({ alone, attempt, dependencies, id, run, worker: to }) =>
      `${worker(to)}: compute ${task(id)} (run ${run}${attempt > 1 ? `, attempt ${attempt}` : ""}${alone ? ", alone" : ""})` +
      (dependencies.length === 0
        ? ""
        : ` with ${dependencies.map(({ id, whoHas }) => `${task(id)} from ${whoHas.map(worker).join(" or ")}`).join(", ")}`),
    CancelTask: ({ id, run, worker: to }) => `${worker(to)}: stop ${task(id)} (run ${run})`,
    TakeBack: ({ id, run, worker: to }) => `${worker(to)}: give back ${task(id)} (run ${run})`,
    FreeKey: ({ id, run, worker: to }) => `${worker(to)}: drop ${task(id)} (run ${run})`,
    TellHolders: ({ id, run, whoHas, worker: to }) =>
      `${worker(to)}: ${task(id)} (run ${run}) is on ${listed(whoHas.map(worker), " and ")}`,
    ReportInMemory: ({ client: to, id, worker: on }) => `${client(to)}: ${task(id)} in memory on ${worker(on)}`,
    ReportErred: ({ client: to, failure, id, origin }) =>
      `${client(to)}: ${task(id)} ${failed(failure)}${origin === id ? "" : `, with ${task(origin)}`}`,
    ReportPending: ({ client: to, id }) => `${client(to)}: ${task(id)} is pending again`,
    ReportConflict: ({ client: to, heldBy, id, origin }) =>
      `${client(to)}: ${origin === id ? "" : `${task(id)} needs `}${task(origin)}${origin === id ? "" : ", which"} is something else for ${heldBy}`,
    ReportRefused: ({ client: to, id }) => `${client(to)}: ${task(id)} is refused, for there is no room`,
    ReportUnknown: ({ client: to, id }) => `${client(to)}: ${task(id)} is not known`,
    TellDetachedFailed: ({ failure, id, origin }) => `nobody may hold ${task(id)}, which ${failed(failure)}${origin === id ? "" : `, with ${task(origin)}`}`,
    Reply: ({ answer, ask, client: to }) => `${client(to)}: answer ${ask}, ${answered(answer, worker)}`,
    WarnLacking: ({ at, id, others, since, wanted }) =>
      `warn: ${task(id)}${others === 0 ? "" : ` and ${others} others`} lacked ${wanted} for ${at - since} ms`,
    EndWorker: ({ reason, worker: to }) => `end ${worker(to)}: ${reason}`,
    Forgotten: ({ id }) => `${task(id)} is forgotten`,
    Wake: ({ at }) => `wake at ${at} ms`
  })
}

/** One line of a task's history. */
export interface Line {
  readonly at: number
  readonly line: string
}

/**
 * What the log still knows of a task, oldest first: of its present life, if an id
 * has had several, or of the last one.
 */
export const history = (state: State, id: number, names: Names = numbers): ReadonlyArray<Line> => {
  const entries = Recent.since(state.log, 0).filter((entry) => entry.id === id)
  const rank = Vector.get(state.tasks, id)?.rank ?? entries.at(-1)?.rank
  return entries.filter((entry) => entry.rank === rank).map((entry) => ({ at: entry.at, line: entryLine(entry, names) }))
}

/** All that the log still knows, oldest first. */
export const log = (state: State, names: Names = numbers): ReadonlyArray<Line> =>
  Recent.since(state.log, 0).map((entry) => ({ at: entry.at, line: `${names.task(entry.id)} ${entryLine(entry, names)}` }))

const entryLine = ({ cause, from, run, to, worker }: Entry, names: Names): string =>
  `${from} → ${to}${worker === undefined ? "" : ` on ${names.worker(worker)}`}${run === undefined ? "" : ` (run ${run})`}: ${cause}`

const left = (leaving: Leaving): string =>
  leaving._tag === "Closed"
    ? "leaves"
    : leaving._tag === "Silent"
    ? `is lost, silent for ${leaving.silentMs} ms`
    : `dies (${leaving.report.ended} ${leaving.report.detail}` +
      (leaving.report.started.length === 0 ? ")" : `, while run ${leaving.report.started.join(" and ")} was executing)`)

const failed = (failure: Failure): string => {
  switch (failure._tag) {
    case "Raised":
      return "failed"
    case "Cancelled":
      return `was cancelled by ${failure.by}${failure.note === null ? "" : ` ("${failure.note}")`}`
    case "Killed":
      return `was killed after ${failure.attempts.length} deaths`
    default:
      return `failed: ${failure._tag}`
  }
}

const needing = (
  task: Names["task"],
  { dependencies, id, priority, terms }: NewTask
): string =>
  `${task(id)}${priority === 0 ? "" : ` at priority ${priority}`}${terms === undefined ? "" : onTerms(terms)}` +
  (dependencies.length === 0 ? "" : ` needing ${dependencies.map(task).join(" and ")}`)

const amounts = (resources: Readonly<Record<string, number>>): string =>
  Object.entries(resources).map(([name, amount]) => `${amount} ${name}`).join(" and ")

/** What a task was submitted on, as far as it says where it may run. */
const onTerms = ({ allowOtherWorkers, resources, workers }: Terms): string =>
  (Object.keys(resources).length === 0 ? "" : ` with ${amounts(resources)}`) +
  (workers.length === 0 ? "" : ` ${allowOtherWorkers ? "best " : ""}on ${workers.join(" or ")}`)

const listed = (words: ReadonlyArray<string>, between = ", "): string => words.length === 0 ? "nothing" : words.join(between)
