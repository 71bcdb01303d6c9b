/**
 * Why a task is not running, or where it is, or why it failed: one true sentence.
 *
 * For people who wait. A sentence names the nearest thing that stands in the way,
 * counts what else does, and says nothing that the state does not know: a task
 * that was given to a worker with more tasks than slots may be running or not.
 */
import type { Failure } from "@skein/protocol/Failure"
import type { Millis, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../persistent/IntSet.ts"
import * as Ranked from "../persistent/Ranked.ts"
import * as Vector from "../persistent/Vector.ts"
import { distinctDependencies } from "./internal/estimates.ts"
import * as Offers from "./Offers.ts"
import { type Processing, type State, statusName, type Task } from "./State.ts"
import type { Names } from "./Story.ts"
import { delayedUntil } from "./View.ts"

/** What the state does not know. */
export interface Around {
  readonly at: Millis
  readonly names: Names
  /** A failure as a reader of it would put it, without what it is about: `threw on worker-0: Error: boom`. */
  readonly words: (failure: Failure, origin: TaskId) => string
}

/** Of many the first few are named. */
const NAMED = 3
/** A failure's way from one task to the next is told in full up to so many. */
const LINKS = 4

/** What is to be said of a task. */
export const explain = (state: State, id: TaskId, around: Around): string => {
  const task = Vector.get(state.tasks, id)
  if (task === undefined) return unknown(around.names.task(id))
  const { status } = task
  switch (status._tag) {
    case "Released":
      return released(state, task, around)
    case "Waiting":
      return waiting(state, task, status.waitingOn, around)
    case "NoWorker":
      return noWorker(state, task, status.since, around)
    case "Queued":
      return queued(state, task, around)
    case "Processing":
      return processing(state, task, status, around)
    case "Memory":
      return `${name(task, around)} is done: its result of ${status.nbytes} bytes is in memory on ${some(IntSet.toArray(status.whoHas).map(workerNames(around)))}.`
    case "Erred":
      return erred(state, task, status, around)
  }
}

/** Of a key that the scheduler does not know. */
export const unknown = (key: string): string =>
  `"${key}" is not known: nobody has submitted it, or all who had have released it.`

const released = (state: State, task: Task, around: Around): string => {
  const holder = IntSet.toArray(task.whoWants).find((client) => Vector.get(state.clients, client) !== undefined)
  if (holder !== undefined) return `${name(task, around)} waits for the rest of its graph, which "${around.names.client(holder)}" has not submitted yet.`
  return `${name(task, around)} is not computed, because nobody wants it: it is known only for ${some(quoted(IntSet.toArray(task.dependents), around))}, which would need it again.`
}

const waiting = (state: State, task: Task, waitingOn: IntSet.IntSet<TaskId>, around: Around): string => {
  const delayed = delayedUntil(state, task.id)
  const before = delayed === undefined ? "" : `attempt ${task.trials.attempt} may begin in ${span(delayed - around.at)}`
  const missing = IntSet.toArray(waitingOn)
  if (missing.length === 0) return `${name(task, around)} waits after a failed attempt: ${before === "" ? "the next may begin at once" : before}.`
  const words = missing.slice(0, NAMED).map((id) => `"${around.names.task(id)}" (${inShort(state, id, around)})`)
  const all = distinctDependencies(task).length
  return `${name(task, around)} waits for ${missing.length} of its ${counted(all, "input")}: ${some(words, missing.length)}${before === "" ? "" : `; and ${before}`}.`
}

const noWorker = (state: State, task: Task, since: Millis, around: Around): string => {
  const demand = task.demand === undefined ? undefined : Vector.get(state.demands, task.demand)
  const offers = Offers.print(Offers.offers(state), around.at, around.names.task)
  return `${name(task, around)} has waited ${span(around.at - since)} for a worker that offers ${Offers.wanted(task, demand)}; ` +
    (offers.length === 0 ? "none is connected." : `there is ${offers.join(", ")}.`)
}

const queued = (state: State, task: Task, around: Around): string => {
  const demand = task.demand === undefined ? undefined : Vector.get(state.demands, task.demand)
  const pool = state[task.isolation]
  const queue = demand === undefined ? pool.queue : demand.queue
  const ahead: Array<TaskId> = []
  for (const [id] of Ranked.entries(queue)) {
    if (id === task.id) break
    ahead.push(id)
  }
  const behind = ahead.length === 0 ? "is the next to be given to a worker" : `is queued behind ${some(quoted(ahead.slice(0, NAMED), around), ahead.length)}`
  if (demand !== undefined) {
    const offers = Offers.print(Offers.offers(state), around.at, around.names.task)
    return `${name(task, around)} ${behind}: all who may run it are busy, or others occupy ${Offers.wanted(task, demand)} there; there is ${offers.join(", ")}.`
  }
  const workers = [...Vector.values(state.workers)].filter((worker) => !worker.ending && worker[task.isolation].slots > 0).length
  return `${name(task, around)} ${behind}: all ${slots(task, pool.slots)} of ${counted(workers, "worker")} have enough to do.`
}

const processing = (state: State, task: Task, { seceded, since, started, takingBackFor, worker }: Processing, around: Around): string => {
  const on = around.names.worker(worker)
  const attempt = task.trials.attempt > 1 ? `, attempt ${task.trials.attempt}` : ""
  const length = span(around.at - since)
  if (seceded) return `${name(task, around)} has been running on ${on} for ${length}${attempt}, and has given back its slot.`
  const given = `${name(task, around)} was given to ${on} ${length} ago${attempt}, where it`
  const suspicion = started ? undefined : besideSuspects(state, task, worker, around)
  if (suspicion !== undefined) return `${given} ${suspicion}.`
  const load = Vector.get(state.workers, worker)?.[task.isolation]
  const surely = started || (load !== undefined && load.assigned <= load.slots)
  if (surely) return `${name(task, around)} has been running on ${on} for ${length}${attempt}.`
  const others = (load?.assigned ?? 1) - 1
  const moving = takingBackFor === undefined ? "" : `; if it has not begun, it goes to ${around.names.worker(takingBackFor)}, which has nothing to do`
  return `${given} shares ${slots(task, load?.slots ?? 0)} with ${counted(others, "other")}, and runs or is soon to run${moving}.`
}

/** A suspect runs alone, so that not every task which a worker has slots for runs there. */
const besideSuspects = (state: State, { id, trials }: Task, worker: WorkerId, around: Around): string | undefined => {
  const processing: IntSet.IntSet<TaskId> = Vector.get(state.workers, worker)?.processing ?? IntSet.empty()
  const others = IntSet.toArray(processing).filter((other) => other !== id)
  const inTheWay = trials.suspect ? others : others.filter((other) => Vector.get(state.tasks, other)?.trials.suspect === true)
  if (inTheWay.length === 0) return undefined
  const forThem = `may be waiting for ${some(quoted(inTheWay, around), inTheWay.length)} to end`
  return trials.suspect
    ? `is to run alone, because it may have ended a worker, and ${forThem}`
    : `${forThem}, beside which nothing starts, because ${inTheWay.length === 1 ? "it" : "they"} may have ended a worker`
}

const erred = (state: State, task: Task, { failure, origin }: Extract<Task["status"], { readonly _tag: "Erred" }>, around: Around): string => {
  const why = failure._tag === "Cancelled"
    ? `was cancelled by "${failure.by}"${failure.note === null ? "" : `, who said: ${failure.note}`}`
    : around.words(failure, origin)
  const chain = chainTo(state, task, origin)
  const last = `${quote(origin, around)} ${why}`
  if (chain.length === 0) return `${end(last)}`
  const shown = chain.length <= LINKS ? chain : [chain[0], undefined, chain.at(-1)]
  const links = shown.map((id) =>
    id === undefined ? `… (${chain.length - 2} between) …` : id === task.id ? `${quote(id, around)} failed because` : `${quote(id, around)} did, because`
  )
  return end(`${links.join(" ")} ${last}`)
}

/** The tasks from this one down to the one before that which failed first; none if it is that itself. */
const chainTo = (state: State, task: Task, origin: TaskId): ReadonlyArray<TaskId> => {
  const chain: Array<TaskId> = []
  for (let at: Task | undefined = task; at !== undefined && at.id !== origin;) {
    chain.push(at.id)
    const next: TaskId | undefined = at.dependencies.find((id) => {
      const status = Vector.get(state.tasks, id)?.status
      return id === origin || (status?._tag === "Erred" && status.origin === origin)
    })
    at = next === undefined ? undefined : Vector.get(state.tasks, next)
  }
  return chain
}

/** What a task is doing, for whoever waits for it. */
const inShort = (state: State, id: TaskId, { at, names }: Around): string => {
  const status = Vector.get(state.tasks, id)?.status
  return status === undefined
    ? "not known"
    : status._tag === "Processing"
    ? `with ${names.worker(status.worker)} for ${span(at - status.since)}`
    : status._tag === "NoWorker"
    ? "no worker may run it"
    : statusName[status._tag]
}

const name = ({ id }: Task, around: Around): string => quote(id, around)
const quote = (id: TaskId, { names }: Around): string => `"${names.task(id)}"`
const quoted = (ids: ReadonlyArray<TaskId>, around: Around): ReadonlyArray<string> => ids.slice(0, NAMED).map((id) => quote(id, around))
const workerNames = ({ names }: Around) => (id: WorkerId): string => names.worker(id)

/** A list in words. `all`: how many there are, of which these are the first. */
const some = (words: ReadonlyArray<string>, all = words.length): string => {
  const named = words.slice(0, NAMED)
  const others = all - named.length
  const parts = others > 0 ? [...named, counted(others, "other")] : named
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

const slots = ({ isolation }: Task, n: number): string => counted(n, isolation === "thread" ? "thread" : "fiber")

/** A length of time: `12 ms`, `3.4 s`, `5 min`, `2 h`. */
const span = (ms: number): string => {
  const length = Math.max(0, ms)
  return length < 1_000
    ? `${Math.round(length)} ms`
    : length < 60_000
    ? `${(length / 1_000).toFixed(1)} s`
    : length < 3_600_000
    ? `${Math.floor(length / 60_000)} min`
    : `${Math.floor(length / 3_600_000)} h`
}

/** A sentence ends in one full stop, whatever it ends with. */
const end = (sentence: string): string => /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
