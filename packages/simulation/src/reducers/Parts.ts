/**
 * The parts of a cluster as the reducers see it: machines, the little that their
 * shells remember between two batches, and the lines on which messages wait.
 *
 * There is no codec, no fiber and no session protocol here. A message is a list
 * of the events that it will be at its receiver; a session is a pair of lines
 * that lose nothing while it lives. What is lost with a session, or with a
 * process, is what its lines held.
 */
import type { Event as SchedulerEvent } from "@skein/core/scheduler/Event"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import type { State as WorkerState } from "@skein/core/worker/State"
import type { Failure } from "@skein/protocol/Failure"
import type { ClientId, Isolation, Key, Ref, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import type { Refs } from "@skein/runtime/scheduler/KeyTable"
import type { DataStore } from "@skein/runtime/worker/DataStore"

/** Messages under way in one direction, the oldest first. */
export interface Line<Message> {
  /** Names it among all lines of a run. */
  readonly number: number
  queue: Array<Message>
  /** When the last message of it arrives: none overtakes another. Of no meaning where time is not modelled. */
  arrivesAt: number
}

export const makeLine = <Message>(number: number): Line<Message> => ({ number, queue: [], arrivesAt: 0 })

/** A result that a worker offers when it registers. */
export interface Offer {
  readonly id: TaskId
  readonly run: RunId
  readonly key: Key
  readonly bytes: Uint8Array
}

/** From a worker. */
export type Up =
  | { readonly _tag: "Register"; readonly offers: ReadonlyArray<Offer> }
  | { readonly _tag: "Report"; readonly events: ReadonlyArray<SchedulerEvent> }

/** To a worker. */
export type Down =
  | { readonly _tag: "Registered"; readonly worker: WorkerId; readonly ids: ReadonlyArray<TaskId> }
  | { readonly _tag: "Command"; readonly events: ReadonlyArray<WorkerEvent> }

/** A worker's session with the scheduler. */
export interface Session {
  readonly number: number
  /** Number of the process, and which of its lives. */
  readonly process: number
  readonly life: number
  /** Undefined until it has registered. */
  worker: WorkerId | undefined
  readonly up: Line<Up>
  readonly down: Line<Down>
  /** Over for the scheduler; nothing more is taken from it. */
  overThere: boolean
  /** Over for the worker. */
  overHere: boolean
}

/** A new incarnation, with what its registration was answered. */
export interface Beginning {
  readonly _tag: "Beginning"
  readonly session: number
  readonly worker: WorkerId
  readonly ids: ReadonlyArray<TaskId>
  readonly offers: ReadonlyArray<Offer>
}

/** A body that runs. */
export interface Body {
  readonly id: TaskId
  readonly run: RunId
  readonly key: Key
  /** Place of the task in the case. */
  readonly task: number
  readonly attempt: number
  readonly isolation: Isolation
  readonly generation: number
  interrupted: boolean
  seceded: boolean
  /** What it waits for, if it does: tasks of its own, a slot, or to be heard that it runs on without one. It does nothing meanwhile. */
  waitsFor: "tasks" | "slot" | "word" | undefined
  /** What it does as soon as it goes on. */
  next: (() => void) | undefined
}

/** A request for results. */
export interface Gathering {
  readonly peer: WorkerId
  readonly rows: ReadonlyArray<Held>
  readonly generation: number
  /** What the peer read from its store, once it has. */
  answer: Answer | undefined
}

export type Answer =
  | { readonly _tag: "Served"; readonly found: ReadonlyArray<{ readonly held: Held; readonly bytes: Uint8Array }>; readonly missing: ReadonlyArray<Held>; readonly isBusy: boolean }
  | { readonly _tag: "Busy" }
  | { readonly _tag: "Failed" }

/** A worker's process. */
export interface Process {
  readonly number: number
  readonly name: string
  /** How many times it has been started; names this life. */
  life: number
  alive: boolean
  machine: WorkerState
  store: DataStore
  mailbox: Array<WorkerEvent | Beginning>
  bodies: Map<RunId, Body>
  gathers: Map<WorkerId, Gathering>
  /** Runs that its nanny was told have started and not ended. */
  noted: Set<RunId>
  /** The session that it has, as far as it knows. */
  session: Session | undefined
  /** Where reports go: the session of the incarnation whose turn it is. */
  contact: Session | undefined
  /** What it offered in the registration that is under way. */
  offers: ReadonlyArray<Offer>
  /** Reports of this turn. */
  reports: Array<SchedulerEvent>
  /** When it asked to be woken, if it did and was not. */
  wakeAt: number | undefined
  /** Its end has been asked for, by itself or by the scheduler. */
  ending: boolean
}

/** What a client has to say. Tasks are named by their place in the case, keys by the client's own numbers. */
export type Saying =
  | { readonly _tag: "Submit"; readonly rows: ReadonlyArray<{ readonly task: number; readonly ref: Ref; readonly dependencies: ReadonlyArray<Ref> }>; readonly last: boolean }
  | { readonly _tag: "Release"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Cancel"; readonly refs: ReadonlyArray<Ref>; readonly force: boolean }
  | { readonly _tag: "Retry"; readonly refs: ReadonlyArray<Ref> }
  | { readonly _tag: "Leave" }

/** News for a client. */
export type News =
  | { readonly _tag: "InMemory"; readonly ref: Ref; readonly run: RunId }
  | { readonly _tag: "Erred"; readonly ref: Ref; readonly failure: Failure; readonly origin: Key }
  | { readonly _tag: "Pending"; readonly ref: Ref }

/** What a client knows of a key that it holds. */
export interface Future {
  readonly ref: Ref
  readonly task: number
  readonly dependencies: ReadonlyArray<Ref>
  status:
    | { readonly _tag: "Pending" }
    | { readonly _tag: "InMemory"; readonly run: RunId }
    | { readonly _tag: "Erred"; readonly failure: Failure; readonly origin: Key }
}

export interface Client {
  readonly number: number
  readonly name: string
  readonly id: ClientId
  futures: Map<Ref, Future>
  /** The future of a task, if it is held. */
  byTask: Map<number, Future>
  nextRef: number
  /** Tasks that it asked for again, or let go: of these it may hear of one result twice, once for the wish before. */
  readonly renewed: Set<number>
  readonly up: Line<Saying>
  readonly down: Line<ReadonlyArray<News>>
  /** The scheduler's table of its numbers. */
  refs: Refs
  /** Its session is over for the scheduler. */
  gone: boolean
  /** It says and hears nothing more. */
  left: boolean
}
