/**
 * Who is there: the sessions that have introduced themselves, by number.
 *
 * Numbers of workers and clients are given once and never again: what is said of
 * an earlier incarnation can then never be taken for a later one's. What the
 * reducer does not need to know about a worker (its address, its process, its
 * nanny) is kept here.
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type { Leaving } from "@skein/core/scheduler/Event"
import type { CodeDef } from "@skein/protocol/Code"
import type { ClientId, CodeId, CodeRef, Millis, ProcessId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Logs } from "@skein/protocol/NannyRpcs"
import type { Registration } from "@skein/protocol/WorkerRpcs"
import type { Code } from "./CodeTable.ts"
import type { Refs } from "./KeyTable.ts"
import type { ClientRow, WorkerRow } from "./Rows.ts"

/** What every kind of peer has. */
interface Peer {
  /** Ends its session. */
  readonly end: (cause: Cause.Cause<unknown>) => Effect.Effect<void>
}

/** Where rows for a peer go. */
export interface Reached<Row> extends Peer {
  /** Adds a row to the present turn. Rows of one turn leave together, once the journal has its events. */
  readonly push: (row: Row) => void
  /** Lets the rows of this turn leave; never waits. */
  readonly flush: () => void
  /** Hands over a row of no turn, at once. */
  readonly send: (row: Row) => void
  /** Rows that wait to be sent. */
  readonly backlog: () => number
  /** Workers whose address it has been told. */
  readonly toldPeers: Set<WorkerId>
}

/** One incarnation of a worker. */
export interface WorkerPeer extends Reached<WorkerRow> {
  readonly worker: WorkerId
  readonly registration: Registration
  readonly joinedAt: Millis
  /** What it knows of codes. A definition that has changed since is told again. */
  readonly toldCodes: Map<CodeId, CodeDef>
  /** As it last said. Bytes. */
  memoryBytes: number
  /** It has been asked to go. */
  closing: boolean
  /** It has left, for the reducer and for everybody; nothing it says is taken any more. What is said of it first counts. */
  readonly leave: (leaving: Leaving) => void
  /** Asks it to go, and ends the session in good order. */
  readonly close: (reason: string) => void
  /** What it knows of a task. */
  readonly story: (id: TaskId) => Effect.Effect<ReadonlyArray<{ readonly at: number; readonly line: string }>>
}

/** One session of a client. */
export interface ClientPeer extends Reached<ClientRow> {
  readonly client: ClientId
  readonly name: string
  /** By what it knows itself, once it has said so. */
  id?: string
  readonly refs: Refs
  /** The codes it has told last, by its own numbers, in the order in which it told them. */
  readonly codes: Map<CodeRef, Code>
}

/** One session of the nannies of a process. */
export interface NannyPeer extends Peer {
  /** Lines of its processes, by worker. */
  readonly logs: Effect.Effect<Logs>
  /** The processes that it watches. */
  readonly processes: Set<ProcessId>
  /** Has a process ended. Never waits. */
  readonly endProcess: (process: ProcessId, reason: string) => void
}

export interface Registry {
  readonly nextWorker: () => WorkerId
  readonly nextClient: () => ClientId
  readonly workers: ReadonlyMap<WorkerId, WorkerPeer>
  readonly clients: ReadonlyMap<ClientId, ClientPeer>
  readonly addWorker: (peer: WorkerPeer) => void
  readonly addClient: (peer: ClientPeer) => void
  /** Whether it was there. Nobody is told its address any more. */
  readonly removeWorker: (worker: WorkerId) => boolean
  readonly removeClient: (client: ClientId) => boolean
  /** The worker that lives in a process. */
  readonly workerOf: (process: ProcessId) => WorkerPeer | undefined
  /** Who watches a process. */
  readonly nannyOf: (process: ProcessId) => NannyPeer | undefined
  /** Those that watch a process. */
  readonly nannies: () => Iterable<NannyPeer>
  /** How many workers would be started again if they ended. */
  readonly watchedWorkers: () => number
  readonly watch: (process: ProcessId, nanny: NannyPeer) => void
  readonly unwatch: (process: ProcessId) => void
  /** A process ended, and will not register any more. The last 4,096 are remembered. */
  readonly noteExit: (process: ProcessId) => void
  readonly hasExited: (process: ProcessId) => boolean
}

/** Ended processes that are remembered: a registration that was under way when they died comes within moments. */
const EXITED_KEPT = 4_096

export const make = (): Registry => {
  const workers = new Map<WorkerId, WorkerPeer>()
  const clients = new Map<ClientId, ClientPeer>()
  const byProcess = new Map<ProcessId, WorkerPeer>()
  const watchers = new Map<ProcessId, NannyPeer>()
  const exited = new Set<ProcessId>()
  let nextWorker = 0
  let nextClient = 0
  return {
    // The casts make numbers that are given here alone ids.
    nextWorker: () => nextWorker++ as WorkerId,
    nextClient: () => nextClient++ as ClientId,
    workers,
    clients,
    addWorker: (peer) => {
      workers.set(peer.worker, peer)
      byProcess.set(peer.registration.process, peer)
    },
    addClient: (peer) => {
      clients.set(peer.client, peer)
    },
    removeWorker: (worker) => {
      const peer = workers.get(worker)
      if (peer === undefined) return false
      workers.delete(worker)
      if (byProcess.get(peer.registration.process) === peer) byProcess.delete(peer.registration.process)
      for (const other of workers.values()) other.toldPeers.delete(worker)
      for (const client of clients.values()) client.toldPeers.delete(worker)
      return true
    },
    removeClient: (client) => clients.delete(client),
    workerOf: (process) => byProcess.get(process),
    nannyOf: (process) => watchers.get(process),
    nannies: () => new Set(watchers.values()),
    watchedWorkers: () => {
      let count = 0
      for (const { registration } of workers.values()) if (watchers.has(registration.process)) count++
      return count
    },
    watch: (process, nanny) => {
      watchers.set(process, nanny)
      nanny.processes.add(process)
    },
    unwatch: (process) => {
      watchers.get(process)?.processes.delete(process)
      watchers.delete(process)
    },
    noteExit: (process) => {
      exited.add(process)
      if (exited.size <= EXITED_KEPT) return
      const [oldest] = exited
      if (oldest !== undefined) exited.delete(oldest)
    },
    hasExited: (process) => exited.has(process)
  }
}
