/**
 * Answers to those who look: from the state as of the last batch, and from the
 * registry for what the reducer need not know. Nothing here changes anything.
 */
import * as Effect from "effect/Effect"
import * as Vector from "@skein/core/persistent/Vector"
import * as Explain from "@skein/core/scheduler/Explain"
import * as Story from "@skein/core/scheduler/Story"
import type { Counts, State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import type { ClientSummary, Location, SchedulerSummary, TaskPlace, TaskSummary, WorkerSummary } from "@skein/protocol/ClientRpcs"
import type { ClientId, CodeId, Key, Millis, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Tables } from "./Handlers.ts"
import type { Registry } from "./Registry.ts"
import { words } from "./wording.ts"

/** Rows in one answer, or one part of it, at most. */
const ROWS_SHOWN = 100_000
/** Characters of keys and names in one part of an answer, about, for a frame has a limit. */
const CHARACTERS_SHOWN = 4 << 20
/** Names in one list of a row at most. */
const LISTED = 10_000
/** Workers asked for their part of a story at most. */
const WORKERS_ASKED = 16
/** How long a worker may take to tell its part. */
const STORY_MS = 1_000

export interface Inspecting {
  readonly workers: () => ReadonlyArray<WorkerSummary>
  readonly counts: () => Counts
  /** Of these keys, or of all, a part that begins at `from`; what nobody knows is left out. */
  readonly tasks: (keys: ReadonlyArray<Key> | null, from: number) => Part<TaskSummary>
  readonly places: (keys: ReadonlyArray<Key> | null, from: number) => Part<TaskPlace>
  readonly clients: () => ReadonlyArray<ClientSummary>
  readonly about: () => SchedulerSummary
  readonly durations: () => ReadonlyArray<{ readonly name: string; readonly ms: number }>
  /** One sentence. */
  readonly explain: (key: Key) => string
  /** Where a task's value is now; null if nobody has it. */
  readonly locate: (id: TaskId) => Location | null
  /** What happened to a key, oldest first, here and on the workers that have to do with it now. */
  readonly story: (key: Key) => Effect.Effect<ReadonlyArray<string>>
}

/** A part of an answer, and where the next one begins; null: nowhere. */
interface Part<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly next: number | null
}

export interface Options {
  /** As of the last batch. */
  readonly state: () => State
  readonly tables: Tables
  readonly registry: Registry
  readonly now: () => Millis
  /** The scheduler's own. */
  readonly id: string
  readonly startedAt: Millis
  readonly versions: Readonly<Record<string, string>>
}

export const make = ({ id: ownId, now, registry, startedAt, state, tables, versions }: Options): Inspecting => {
  const nameOf = (worker: WorkerId): string => Vector.get(state().workers, worker)?.name ?? `worker ${worker}`
  const keysOf = (ids: Iterable<TaskId>): Array<Key> => {
    const keys: Array<Key> = []
    for (const id of ids) {
      const key = tables.keys.keyOf(id)
      if (key !== undefined) keys.push(key)
      if (keys.length === LISTED) break
    }
    return keys
  }
  const clientName = (client: ClientId): string => Vector.get(state().clients, client)?.name ?? `client ${client}`
  /** Ids, or keys, from a place on, as rows; as many as one answer has room for, and one at least. */
  const part = <Row>(keys: ReadonlyArray<Key> | null, from: number, rowOf: (id: TaskId, key: Key) => Row | undefined, sizeOf: (row: Row) => number): Part<Row> => {
    const rows: Array<Row> = []
    let characters = 0
    const ids: ReadonlyArray<TaskId | undefined> = keys === null ? View.tasks(state()) : keys.map(tables.keys.idOf)
    // All tasks are named by their ids, of which some may be gone by the next part; keys by their places.
    for (let at = keys === null ? firstFrom(ids, from) : from; at < ids.length; at++) {
      const id = ids[at]
      if (rows.length >= ROWS_SHOWN || characters >= CHARACTERS_SHOWN) return { rows, next: keys === null ? id ?? null : at }
      const key = id === undefined ? undefined : tables.keys.keyOf(id)
      const row = id === undefined || key === undefined ? undefined : rowOf(id, key)
      if (row === undefined) continue
      rows.push(row)
      characters += sizeOf(row)
    }
    return { rows, next: null }
  }
  const summary = (view: View.TaskView, key: Key): TaskSummary => ({
    key,
    name: tables.codes.defOf(view.code)?.name ?? "",
    status: view.status,
    priority: view.priority,
    workers: view.workers.slice(0, LISTED).map(nameOf),
    waitingOn: keysOf(view.waitingOn),
    dependents: keysOf(view.dependents),
    nbytes: view.nbytes,
    clients: view.clients.slice(0, LISTED).map(clientName),
    ...(view.terms === undefined || view.terms.span === "" ? {} : { span: view.terms.span }),
    ...(view.terms === undefined || view.terms.annotations.length === 0 ? {} : { annotations: view.terms.annotations })
  })
  const keyName = (id: TaskId): string => tables.keys.keyOf(id) ?? `task ${id}`
  const names: Story.Names = { ...Story.numbers, worker: nameOf }
  const story = Effect.fnUntraced(function*(key: Key) {
    const id = tables.keys.idOf(key)
    if (id === undefined) return []
    const lines = Story.history(state(), id, names).map(({ at, line }): Line => ({ at, who: "scheduler", line }))
    const asked = View.task(state(), id)?.workers.slice(0, WORKERS_ASKED) ?? []
    const answers = yield* Effect.forEach(asked, (worker) => {
      const peer = registry.workers.get(worker)
      if (peer === undefined) return Effect.succeed([])
      return peer.story(id).pipe(
        Effect.timeoutOrElse({ duration: STORY_MS, orElse: () => Effect.succeed([]) }),
        Effect.map((own) => own.map(({ at, line }): Line => ({ at, who: nameOf(worker), line })))
      )
    }, { concurrency: WORKERS_ASKED })
    return [...lines, ...answers.flat()].sort((a, b) => a.at - b.at).map(({ at, line, who }) => `${at} ${who}: ${line}`)
  })
  return {
    workers: () =>
      Array.from(registry.workers.values(), ({ closing, memoryBytes, registration, worker }) => {
        const known = View.worker(state(), worker)
        return {
          worker,
          address: registration.dataAddress,
          name: registration.name,
          host: registration.host,
          pid: registration.pid,
          status: closing ? "closing" : known?.status ?? "running",
          nthreads: registration.nthreads,
          nfibers: registration.nfibers,
          memoryLimitBytes: registration.memoryLimitBytes,
          memoryBytes,
          managedBytes: known?.managedBytes ?? 0,
          processing: known?.processing ?? 0,
          idle: known?.idle ?? false,
          saturated: known?.saturated ?? false,
          resources: registration.resources,
          nanny: registration.nanny,
          localDirectory: registration.localDirectory
        }
      }),
    counts: () => View.counts(state()),
    tasks: (keys, from) =>
      part(keys, from, (id, key) => {
        const view = View.task(state(), id)
        return view === undefined ? undefined : summary(view, key)
      }, charactersOf),
    places: (keys, from) =>
      part(keys, from, (id, key): TaskPlace | undefined => {
        const view = View.place(state(), id)
        return view === undefined ? undefined : { key, status: view.status, workers: view.workers.slice(0, LISTED).map(nameOf), nbytes: view.nbytes }
      }, ({ key, workers }) => workers.reduce((sum, worker) => sum + worker.length + 2, 32 + key.length)),
    clients: () =>
      View.clients(state()).slice(0, ROWS_SHOWN).map(({ id, name, wants }) => {
        const peer = registry.clients.get(id)
        // The one that is nobody's has a name and no session.
        return { id: peer === undefined ? name : peer.id ?? `client-${id}`, name, wants }
      }),
    about: () => {
      let nthreads = 0
      let memoryLimitBytes = 0
      for (const { registration } of registry.workers.values()) {
        nthreads += registration.nthreads
        memoryLimitBytes += registration.memoryLimitBytes ?? 0
      }
      return { id: ownId, startedAtMs: startedAt, nthreads, memoryLimitBytes, versions }
    },
    durations: () => {
      const byName = new Map<string, number>()
      // Of several codes of one name the latest one's.
      for (const [code, ms] of View.durations(state())) {
        const name = tables.codes.defOf(code)?.name
        if (name !== undefined && byName.size < ROWS_SHOWN) byName.set(name, ms)
      }
      return Array.from(byName, ([name, ms]) => ({ name, ms }))
    },
    explain: (key) => {
      const id = tables.keys.idOf(key)
      if (id === undefined) return Explain.unknown(key)
      return Explain.explain(state(), id, {
        at: now(),
        names: { task: keyName, worker: nameOf, client: clientName },
        words: (failure, origin) => words(failure, { key: keyName(origin), task: tables.codes.defOf(tables.keys.codeOf(origin) ?? noCode)?.name ?? "" })
      })
    },
    locate: (id) => {
      const found = View.locate(state(), id)
      if (found === undefined) return null
      const addresses: Array<string> = []
      for (const worker of found.whoHas) {
        const address = registry.workers.get(worker)?.registration.dataAddress
        if (address !== undefined) addresses.push(address)
      }
      return addresses.length === 0 ? null : { id, run: found.run, nbytes: found.nbytes, addresses }
    },
    story
  }
}

/** No code has it. */
const noCode = -1 as CodeId

/** The place of the first id that is not below `from`, among ascending ones. */
const firstFrom = (ids: ReadonlyArray<TaskId | undefined>, from: number): number => {
  if (from === 0) return 0
  const at = ids.findIndex((id) => id !== undefined && id >= from)
  return at < 0 ? ids.length : at
}

interface Line {
  readonly at: number
  readonly who: string
  readonly line: string
}

const charactersOf = (row: TaskSummary): number => {
  let sum = 100 + row.key.length + row.name.length + (row.span?.length ?? 0) + (row.annotations?.length ?? 0)
  for (const list of [row.waitingOn, row.dependents, row.workers, row.clients]) for (const text of list) sum += text.length + 2
  return sum
}
