/**
 * One batch's edits, before they become the next state.
 *
 * The only file of this machine that knows how persistent data is edited: a
 * record that the batch has made or copied is changed in place, any other is
 * copied first. So everywhere else: look at what `task` returns, change only
 * what `editTask` returns, and look again after a call that may have edited it.
 *
 * A draft also collects what is to be done before the present event is over:
 * follow-ups for transition.ts, and tasks ready to be placed.
 */
import type { ClientId, CodeId, Isolation, Millis, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { TaskStatus } from "@skein/protocol/ClientRpcs"
import type { Attempt } from "@skein/protocol/Failure"
import type { Terms } from "@skein/protocol/Terms"
import * as IntSet from "../../persistent/IntSet.ts"
import { makeOwner, type Owner } from "../../persistent/Owner.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Recent from "../../persistent/Recent.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Command } from "../Command.ts"
import type { Event, NewTask } from "../Event.ts"
import {
  type Ask,
  type Client,
  type Config,
  type Counts,
  type Demand,
  type Entry,
  type Kind,
  type Load,
  noCounts,
  type Pool,
  type State,
  type Status,
  type Stopping,
  type Task,
  type Trials,
  type Worker
} from "../State.ts"
import { placeOf } from "./delays.ts"

/** A record that this batch may change. */
export type Edited<A> = { -readonly [Field in keyof A]: A[Field] }

export type EditedWorker = Omit<Edited<Worker>, Isolation> & { readonly [I in Isolation]: Edited<Load> }

type EditedState = Omit<Edited<State>, Isolation | "counts"> & {
  readonly [I in Isolation]: Edited<Pool>
} & { readonly counts: Edited<Counts> }

export class Draft {
  readonly owner: Owner = makeOwner()
  readonly commands: Array<Command> = []
  /** To be computed if somebody needs them. */
  readonly toCompute: Array<TaskId> = []
  /** To fail if a dependency has failed. */
  readonly toFail: Array<TaskId> = []
  /** To be released and forgotten unless somebody needs them. */
  readonly toDrop: Array<TaskId> = []
  /** To be placed: nothing is missing but a worker. */
  readonly ready: Array<TaskId> = []
  /** Where tasks go that were taken back for a worker. Made when it is needed, as `givenBack` is: most steps need neither. */
  destined: Map<TaskId, WorkerId> | undefined
  /** What the last new task demanded that was submitted on any terms. */
  lastDemand: { readonly terms: Terms; readonly isolation: Isolation; readonly id: number } | undefined
  /** Ids given back in the present event though no task had them. */
  givenBack: Set<TaskId> | undefined
  /** Everything that is not a table of records. May be assigned to directly. */
  readonly state: EditedState
  /** The time of the present event. */
  at: Millis = 0
  /** Since when a client that is leaving has not been reached; infinite: none is leaving, or it said so. */
  unheardSince: Millis = Infinity
  private cause: Event["_tag"] = "Ticked"

  constructor(state: State) {
    this.state = { ...state, fiber: { ...state.fiber }, thread: { ...state.thread }, counts: { ...state.counts } }
  }

  get config(): Config {
    return this.state.config
  }

  /** From here on, all that happens has this cause. */
  begin(event: Event): void {
    this.at = event.at
    this.cause = event._tag
    this.unheardSince = Infinity
    this.givenBack = undefined
  }

  /** The state after the batch. The draft must not be used again. */
  done(): State {
    return this.state
  }

  send(command: Command): void {
    this.commands.push(command)
  }

  task(id: number): Task | undefined {
    return Vector.get(this.state.tasks, id)
  }

  worker(id: number): Worker | undefined {
    return Vector.get(this.state.workers, id)
  }

  client(id: number): Client | undefined {
    return Vector.get(this.state.clients, id)
  }

  kind(code: number): Kind | undefined {
    return Vector.get(this.state.kinds, code)
  }

  pool(isolation: Isolation): Edited<Pool> {
    return isolation === "fiber" ? this.state.fiber : this.state.thread
  }

  /** The present record of this task, which may be a later one than that given. So it is with the other `edit…`. */
  editTask(task: Task): Edited<Task> {
    if (task.owner === this.owner) return task
    const present = this.task(task.id) ?? task
    if (present.owner === this.owner) return present
    const copy = copyTask(present, this.owner)
    this.state.tasks = Vector.set(this.state.tasks, this.owner, task.id, copy)
    return copy
  }

  /** Changes how the task is tried from now on. */
  editTrials(task: Task, changed: Partial<Trials>): void {
    const edited = this.editTask(task)
    edited.trials = { ...edited.trials, ...changed }
  }

  /** It has finished: should it have to be computed again, nothing has happened to it. */
  tryAnew(task: Edited<Task>): void {
    const { attempt, deaths, retries, retriesLeft, rules, suspect } = task.trials
    if (attempt > 1 || suspect || deaths.length > 0 || retriesLeft < retries) task.trials = trialsOf(retries, rules)
  }

  editWorker(worker: Worker): EditedWorker {
    if (worker.owner === this.owner) return worker
    const present = this.worker(worker.id) ?? worker
    if (present.owner === this.owner) return present
    const copy = { ...present, fiber: { ...present.fiber }, thread: { ...present.thread }, owner: this.owner }
    this.state.workers = Vector.set(this.state.workers, this.owner, worker.id, copy)
    return copy
  }

  editClient(client: Client): Edited<Client> {
    if (client.owner === this.owner) return client
    const present = this.client(client.id) ?? client
    if (present.owner === this.owner) return present
    const copy = { ...present, owner: this.owner }
    this.state.clients = Vector.set(this.state.clients, this.owner, client.id, copy)
    return copy
  }

  demand(id: number): Demand | undefined {
    return Vector.get(this.state.demands, id)
  }

  editDemand(demand: Demand): Edited<Demand> {
    if (demand.owner === this.owner) return demand
    const present = this.demand(demand.id) ?? demand
    if (present.owner === this.owner) return present
    const copy = { ...present, owner: this.owner }
    this.state.demands = Vector.set(this.state.demands, this.owner, demand.id, copy)
    return copy
  }

  addDemand(demand: Omit<Demand, "id" | "owner">): Demand {
    const id = this.state.nextDemand
    // As with questions: after so many the ids begin again.
    this.state.nextDemand = (id + 1) & Vector.maxIndex
    const added = { ...demand, id, owner: this.owner }
    this.state.demands = Vector.set(this.state.demands, this.owner, id, added)
    return added
  }

  dropDemand(id: number): void {
    this.state.demands = Vector.remove(this.state.demands, this.owner, id)
  }

  /** The kind of this code, made if it is the first task that calls it. */
  editKind(code: CodeId): Omit<Edited<Kind>, "counts"> & { readonly counts: Edited<Kind["counts"]> } {
    const kind = this.kind(code)
    if (kind !== undefined && kind.owner === this.owner) return kind
    const copy = kind === undefined
      ? { code, meanMs: undefined, counts: { ...noCounts }, owner: this.owner }
      : { code, meanMs: kind.meanMs, counts: { ...kind.counts }, owner: this.owner }
    this.state.kinds = Vector.set(this.state.kinds, this.owner, code, copy)
    return copy
  }

  dropKind(code: CodeId): void {
    this.state.kinds = Vector.remove(this.state.kinds, this.owner, code)
  }

  /** Adds a task that nobody wants yet: released, and without a rank. `demand`: the id of what it demands, if it does. */
  addTask(task: NewTask, demand: number | undefined): Edited<Task> {
    const added = makeTask(task, demand, this.owner)
    this.state.tasks = Vector.set(this.state.tasks, this.owner, task.id, added)
    this.state.counts.released++
    this.editKind(task.code).counts.released++
    return added
  }

  /** Takes a released task away. */
  removeTask(task: Task): void {
    this.state.tasks = Vector.remove(this.state.tasks, this.owner, task.id)
    if (this.state.delays.size > 0) this.endDelay(task.id)
    this.setTried(task.id, none)
    this.state.counts.released--
    this.editKind(task.code).counts.released--
    this.note(task, task.status, undefined)
  }

  addWorker(worker: Omit<Worker, "owner">): void {
    this.state.workers = Vector.set(this.state.workers, this.owner, worker.id, { ...worker, owner: this.owner })
  }

  removeWorker(id: WorkerId): void {
    this.state.workers = Vector.remove(this.state.workers, this.owner, id)
  }

  addClient(id: ClientId, name: string): void {
    const none = Vector.empty<TaskId>()
    const client = { id, name, wantsWhat: IntSet.empty<TaskId>(), unfinished: none, refusing: false, refused: none, conflicts: none, owner: this.owner }
    this.state.clients = Vector.set(this.state.clients, this.owner, id, client)
  }

  removeClient(id: ClientId): void {
    this.state.clients = Vector.remove(this.state.clients, this.owner, id)
  }

  /** The one place where a status changes to another: counted, and remembered with its cause. */
  move(task: Task, status: Status): Edited<Task> {
    const edited = this.editTask(task)
    const from = edited.status
    const { counts } = this.editKind(edited.code)
    count(this.state.counts, from, -1)
    count(this.state.counts, status, 1)
    count(counts, from, -1)
    count(counts, status, 1)
    if (this.state.delays.size > 0 && status._tag !== "Waiting") this.endDelay(task.id)
    this.note(edited, from, status)
    edited.status = status
    return edited
  }

  /** The task, which is about to wait, is not to be placed before this. */
  setDelay(id: TaskId, until: Millis): void {
    this.state.delays = Vector.set(this.state.delays, this.owner, id, until)
    this.state.delayed = Ranked.add(this.state.delayed, this.owner, placeOf(id, until), id)
    this.wake(until)
  }

  /** Does nothing if the task is not delayed. */
  endDelay(id: TaskId): void {
    const until = Vector.get(this.state.delays, id)
    if (until === undefined) return
    this.state.delays = Vector.remove(this.state.delays, this.owner, id)
    this.state.delayed = Ranked.remove(this.state.delayed, this.owner, placeOf(id, until))
  }

  triedOf(id: number): ReadonlyArray<Attempt> {
    return Vector.get(this.state.tried, id) ?? none
  }

  /** An empty list takes the entry away. */
  setTried(id: TaskId, attempts: ReadonlyArray<Attempt>): void {
    if (attempts.length > 0) this.state.tried = Vector.set(this.state.tried, this.owner, id, attempts)
    else if (this.state.tried.size > 0) this.state.tried = Vector.remove(this.state.tried, this.owner, id)
  }

  stoppingOf(id: number): ReadonlyArray<Stopping> {
    return Vector.get(this.state.stopping, id) ?? none
  }

  /** An empty list takes the entry away. */
  setStopping(id: TaskId, runs: ReadonlyArray<Stopping>): void {
    this.state.stopping = runs.length === 0
      ? Vector.remove(this.state.stopping, this.owner, id)
      : Vector.set(this.state.stopping, this.owner, id, runs)
  }

  /** Remembers a question, and returns its place. */
  addAsk(ask: Ask): number {
    const place = this.state.nextAsk
    // After two thousand million questions the places begin again; none that old is still open.
    this.state.nextAsk = (place + 1) & Vector.maxIndex
    this.setAsk(place, ask)
    return place
  }

  setAsk(place: number, ask: Ask): void {
    this.state.asks = Vector.set(this.state.asks, this.owner, place, ask)
  }

  removeAsk(place: number): void {
    this.state.asks = Vector.remove(this.state.asks, this.owner, place)
  }

  takeRun(): RunId {
    // The one place where run numbers come from, hence the brand.
    return this.state.nextRun++ as RunId
  }

  takeRank(): number {
    return this.state.nextRank++
  }

  /** Asks for a `Ticked` at this time, unless one comes before. */
  wake(at: Millis): void {
    if (this.state.wakeAt !== undefined && this.state.wakeAt <= at) return
    this.state.wakeAt = at
    this.send({ _tag: "Wake", at })
  }

  /** Asks for the tasks that lack a worker to be looked at then, unless they are before. */
  watchLacking(at: Millis): void {
    if (this.state.lackingDue !== undefined && this.state.lackingDue <= at) return
    this.state.lackingDue = at
    this.wake(at)
  }

  private note(task: Task, from: Status, to: Status | undefined): void {
    const entry: Entry = {
      at: this.at,
      id: task.id,
      rank: task.rank,
      run: (to === undefined ? undefined : runOf(to)) ?? runOf(from),
      from: nameOf(from),
      to: to === undefined ? "forgotten" : nameOf(to),
      worker: (to === undefined ? undefined : workerOf(to)) ?? workerOf(from),
      cause: this.cause
    }
    this.state.log = Recent.add(this.state.log, this.owner, entry)
  }
}

/** What all released tasks have for a status. */
export const released: Status = { _tag: "Released" }

/** No id. */
export const noTask = -1 as TaskId

/** Whether a number can be an id of ours. All else comes from a stranger's message, and names nothing. */
export const isId = (id: number): boolean => (id & Vector.maxIndex) === id

const none: ReadonlyArray<never> = []

/*
 * What follows is written out field by field and case by case, for it is done
 * several times in each task's life: every record of a task is made by one of
 * two literals of one shape, and no name of a status is looked up by another.
 */

const makeTask = (task: NewTask, demand: number | undefined, owner: Owner): Edited<Task> => ({
  id: task.id,
  code: task.code,
  args: task.args,
  isolation: task.isolation,
  priority: Number.isNaN(task.priority) ? 0 : task.priority,
  rank: -1,
  terms: task.terms,
  demand,
  trials: trialsOf(task.retries, task.rules),
  dependencies: task.dependencies.length === 0 ? none : task.dependencies,
  dependents: IntSet.empty(),
  waiters: 0,
  whoWants: IntSet.empty(),
  status: released,
  owner
})

const copyTask = (task: Task, owner: Owner): Edited<Task> => ({
  id: task.id,
  code: task.code,
  args: task.args,
  isolation: task.isolation,
  priority: task.priority,
  rank: task.rank,
  terms: task.terms,
  demand: task.demand,
  trials: task.trials,
  dependencies: task.dependencies,
  dependents: task.dependents,
  waiters: task.waiters,
  whoWants: task.whoWants,
  status: task.status,
  owner
})

/** What is no number of retries is none. */
const trialsOf = (retries: number, rules: Trials["rules"]): Trials =>
  rules === undefined && !(retries > 0) ? untried : { ...untried, retries: retries > 0 ? retries : 0, retriesLeft: retries > 0 ? retries : 0, rules }

const untried: Trials = { retries: 0, retriesLeft: 0, rules: undefined, attempt: 1, suspect: false, deaths: none }

const count = (counts: Edited<Counts>, status: Status, by: 1 | -1): void => {
  switch (status._tag) {
    case "Released":
      counts.released += by
      return
    case "Waiting":
      counts.waiting += by
      return
    case "NoWorker":
      counts.noWorker += by
      return
    case "Queued":
      counts.queued += by
      return
    case "Processing":
      counts.processing += by
      return
    case "Memory":
      counts.memory += by
      return
    case "Erred":
      counts.erred += by
  }
}

const nameOf = (status: Status): TaskStatus => {
  switch (status._tag) {
    case "Released":
      return "released"
    case "Waiting":
      return "waiting"
    case "NoWorker":
      return "noWorker"
    case "Queued":
      return "queued"
    case "Processing":
      return "processing"
    case "Memory":
      return "memory"
    case "Erred":
      return "erred"
  }
}

const runOf = (status: Status): RunId | undefined =>
  status._tag === "Processing" || status._tag === "Memory" ? status.run : undefined

const workerOf = (status: Status): WorkerId | undefined =>
  status._tag === "Processing" ? status.worker : status._tag === "Memory" ? IntSet.min(status.whoHas) : undefined
