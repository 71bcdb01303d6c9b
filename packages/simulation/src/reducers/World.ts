/**
 * A whole cluster of reducers, and what is true of it at this moment.
 *
 * The world does nothing by itself. Whoever drives it chooses what happens next,
 * through the functions of SchedulerShell, WorkerShell and ClientShell, and hears
 * through `Observer` of what has become possible by it: a message can be
 * delivered, a body can end. Simulation.ts drives it by virtual time and chance,
 * explore/Explore.ts through everything that can happen at all.
 *
 * The tables of keys and references and the store of results are the product's
 * own; where worlds are to be copied, ones that can be (explore/Tables.ts).
 */
import type { State as SchedulerState } from "@skein/core/scheduler/State"
import * as Scheduler from "@skein/core/scheduler/State"
import type { Event as SchedulerEvent } from "@skein/core/scheduler/Event"
import type { Step as SchedulerStep } from "@skein/core/scheduler/Reducer"
import * as Worker from "@skein/core/worker/State"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import type { Step as WorkerStep } from "@skein/core/worker/Reducer"
import type { ClientId, Key, Millis, RunId, WorkerId } from "@skein/protocol/Ids"
import type { KeyTable, Refs } from "@skein/runtime/scheduler/KeyTable"
import type { DataStore } from "@skein/runtime/worker/DataStore"
import type { CaseTask } from "../Case.ts"
import { type Body, type Client, type Gathering, makeLine, type Process, type Session } from "./Parts.ts"

/** A truth that a run broke. `invariant` is its name, which stays the same while a case is shortened; `detail` says where. */
export class Broken extends Error {
  readonly invariant: string
  readonly detail: string

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.invariant = invariant
    this.detail = detail
  }
}

/** Ends the run: this must not be. */
export const breaks = (invariant: string, detail: string): never => {
  throw new Broken(invariant, detail)
}

/** Hears of what may happen next. None of these may act at once. */
export interface Observer {
  /** A message waits at the end of this line. */
  readonly toScheduler: (session: Session) => void
  readonly toWorker: (session: Session) => void
  readonly fromClient: (client: Client) => void
  readonly toClient: (client: Client) => void
  /** Events wait for a machine's turn, and none did before. */
  readonly schedulerFilled: () => void
  readonly workerFilled: (process: Process) => void
  readonly began: (process: Process, body: Body) => void
  /** The body has been asked to end. */
  readonly interrupted: (process: Process, body: Body) => void
  /** Its thread is to be ended. */
  readonly terminated: (process: Process, body: Body) => void
  readonly asked: (process: Process, gathering: Gathering) => void
  readonly wakeScheduler: (at: Millis) => void
  readonly wakeWorker: (process: Process, at: Millis) => void
  /** Its nanny is to end it, because what was cancelled does not stop. */
  readonly endProcess: (process: Process) => void
  /** A machine has taken a batch. */
  readonly schedulerStepped: (before: SchedulerState, events: ReadonlyArray<SchedulerEvent>, step: SchedulerStep) => void
  readonly workerStepped: (process: Process, before: Worker.State, events: ReadonlyArray<WorkerEvent>, step: WorkerStep) => void
}

/** What tasks are computed, and how many of what computes them. */
export interface Setup {
  readonly tasks: ReadonlyArray<CaseTask>
  readonly workers: number
  readonly clients: number
  /** Of each isolation, for each worker. */
  readonly slots: number
  readonly schedulerConfig: Partial<Scheduler.Config>
  readonly workerConfig: Worker.Config
}

/** The tables that a world keeps beside its machines. */
export interface Tables {
  readonly keys: () => KeyTable
  readonly refs: () => Refs
  readonly store: () => DataStore
}

/** What never changes: the tasks by place, key and value. */
export class Tasks {
  readonly list: ReadonlyArray<CaseTask>
  readonly keys: ReadonlyArray<Key>
  /** Dependencies by place. */
  readonly dependencies: ReadonlyArray<ReadonlyArray<number>>
  /** The arguments, which name the task and no other. */
  readonly args: ReadonlyArray<Uint8Array>
  /** The right value of each: results are compared by identity. */
  readonly values: ReadonlyArray<Uint8Array>
  /** The error with which each would fail. */
  readonly failures: ReadonlyArray<Uint8Array>
  private readonly places = new Map<Key, number>()
  private readonly byId = new Map<number, number>()

  constructor(list: ReadonlyArray<CaseTask>) {
    this.list = list
    this.keys = list.map(({ id }) => keyOf(id))
    this.keys.forEach((key, place) => this.places.set(key, place))
    list.forEach(({ id }, place) => this.byId.set(id, place))
    this.dependencies = list.map(({ dependencies }) =>
      dependencies.map((id) => this.byId.get(id)).filter((place) => place !== undefined))
    this.args = list.map((_, place) => named(allArgs, place))
    // Views of one buffer: nobody looks into them, and to fill new ones would be a large part of a small run.
    this.values = list.map(({ bytes }) => new Uint8Array(content, 0, Math.min(bytes, largestValue)))
    this.failures = list.map((_, place) => named(allFailures, place))
  }

  /** The place of a task in the case, by the number that it has there. */
  placeOf(id: number): number | undefined {
    return this.byId.get(id)
  }

  placeOfKey(key: Key): number {
    return this.places.get(key) ?? breaks("commands name what was submitted", `nobody submitted ${key}`)
  }

  get(place: number): CaseTask {
    return this.list[place] ?? breaks("commands name what was submitted", `there is no task at ${place}`)
  }
}

/** Bytes of a result at most: only its size matters, and bandwidth is drawn accordingly. */
const largestValue = 4_096

const content = new ArrayBuffer(largestValue)

/** Bytes that name a task by its place, the same in all runs: never written to. */
const named = (all: Array<Uint8Array>, place: number): Uint8Array => all[place] ??= new Uint8Array([place & 255, place >> 8])
const allArgs: Array<Uint8Array> = []
const allFailures: Array<Uint8Array> = []

// The cast makes names that runs alone give keys.
const keyOf = (id: number): Key => allKeys[id] ??= `t${id}` as Key
const allKeys: Array<Key> = []

export class World {
  now: Millis = 0
  readonly setup: Setup
  readonly tables: Tables
  readonly tasks: Tasks
  observer: Observer
  scheduler: SchedulerState
  mailbox: Array<SchedulerEvent> = []
  keys: KeyTable
  processes: Array<Process>
  clients: Array<Client>
  /** Sessions that are not over on both sides. */
  sessions: Array<Session> = []
  /** The live session of each registered worker. */
  workers = new Map<WorkerId, Session>()
  /** Lives of processes whose end a nanny has reported, as `process × 2^16 + life`. */
  exited = new Set<number>()
  /** Process and life behind every worker that ever registered. */
  lives: Array<{ readonly process: number; readonly life: number }> = []
  /** Cancellations that are not answered, with the run that each of its tasks had. */
  asks = new Map<number, { readonly runs: ReadonlyArray<RunId | undefined>; readonly client: ClientId }>()
  /** Which task each run that succeeded computed: results are told by run. */
  produced = new Map<RunId, number>()
  /** How often bodies of each task were begun. */
  begun: Array<number>
  nextLine = 0
  nextSession = 0
  nextAsk = 0
  wakeAt: Millis | undefined

  /** `from`: another in whose state it begins; what can change of that is shared, until whoever copies it replaces it. */
  constructor(setup: Setup, tables: Tables, observer: Observer, from?: World) {
    this.setup = setup
    this.tables = tables
    this.observer = observer
    this.tasks = from?.tasks ?? new Tasks(setup.tasks)
    this.scheduler = from?.scheduler ?? Scheduler.empty(setup.schedulerConfig)
    this.keys = from?.keys ?? tables.keys()
    this.begun = from?.begun ?? setup.tasks.map(() => 0)
    this.processes = from?.processes ?? Array.from({ length: setup.workers }, (_, number) => this.makeProcess(number))
    this.clients = from?.clients ?? Array.from({ length: setup.clients }, (_, number) => this.makeClient(number))
    if (from === undefined) return
    this.now = from.now
    this.nextLine = from.nextLine
    this.nextSession = from.nextSession
    this.nextAsk = from.nextAsk
    this.wakeAt = from.wakeAt
  }

  makeLine<Message>() {
    return makeLine<Message>(this.nextLine++)
  }

  private makeProcess(number: number): Process {
    return {
      number,
      name: `worker-${number}`,
      life: 0,
      alive: false,
      machine: Worker.empty(this.setup.workerConfig),
      store: this.tables.store(),
      mailbox: [],
      bodies: new Map(),
      gathers: new Map(),
      noted: new Set(),
      session: undefined,
      contact: undefined,
      offers: [],
      reports: [],
      wakeAt: undefined,
      ending: false
    }
  }

  private makeClient(number: number): Client {
    return {
      number,
      name: `client-${number}`,
      // The cast makes a number that this run alone hands out an id.
      id: number as ClientId,
      futures: new Map(),
      byTask: new Map(),
      nextRef: 0,
      renewed: new Set(),
      up: this.makeLine(),
      down: this.makeLine(),
      refs: this.tables.refs(),
      gone: false,
      left: false
    }
  }
}
