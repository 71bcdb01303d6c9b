/**
 * Answers to those who look: from the state as of the last batch, and from the
 * registry for what the reducer need not know. Nothing here changes anything.
 */
import * as Effect from "effect/Effect"
import * as Vector from "@skein/core/persistent/Vector"
import * as Story from "@skein/core/scheduler/Story"
import type { Counts, State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import type { Location, TaskSummary, WorkerSummary } from "@skein/protocol/ClientRpcs"
import type { Key, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Tables } from "./Handlers.ts"
import type { Registry } from "./Registry.ts"

/** Tasks in one answer at most. */
const TASKS_SHOWN = 100_000
/** Characters of keys and names in one answer at most, for a frame has a limit. */
const CHARACTERS_SHOWN = 4 << 20
/** Workers asked for their part of a story at most. */
const WORKERS_ASKED = 16
/** How long a worker may take to tell its part. */
const STORY_MS = 1_000

export interface Inspecting {
  readonly workers: () => ReadonlyArray<WorkerSummary>
  readonly counts: () => Counts
  /** Of these keys, or of all; what nobody knows is left out. */
  readonly tasks: (keys: ReadonlyArray<Key> | null) => ReadonlyArray<TaskSummary>
  /** Where a task's value is now; null if nobody has it. */
  readonly locate: (id: TaskId) => Location | null
  /** What happened to a key, oldest first, here and on the workers that have to do with it now. */
  readonly story: (key: Key) => Effect.Effect<ReadonlyArray<string>>
}

export const make = (state: () => State, tables: Tables, registry: Registry): Inspecting => {
  const nameOf = (worker: WorkerId): string => Vector.get(state().workers, worker)?.name ?? `worker ${worker}`
  const keysOf = (ids: Iterable<TaskId>): Array<Key> => {
    const keys: Array<Key> = []
    for (const id of ids) {
      const key = tables.keys.keyOf(id)
      if (key !== undefined) keys.push(key)
    }
    return keys
  }
  const summary = (view: View.TaskView, key: Key): TaskSummary => ({
    key,
    name: tables.codes.defOf(view.code)?.name ?? "",
    status: view.status,
    priority: view.priority,
    workers: view.workers.map(nameOf),
    waitingOn: keysOf(view.waitingOn),
    dependents: keysOf(view.dependents),
    nbytes: view.nbytes,
    clients: view.clients.map((client) => Vector.get(state().clients, client)?.name ?? `client ${client}`),
    ...(view.terms === undefined || view.terms.span === "" ? {} : { span: view.terms.span }),
    ...(view.terms === undefined || view.terms.annotations.length === 0 ? {} : { annotations: view.terms.annotations })
  })
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
          resources: registration.resources,
          nanny: registration.nanny,
          localDirectory: registration.localDirectory
        }
      }),
    counts: () => View.counts(state()),
    tasks: (keys) => {
      const rows: Array<TaskSummary> = []
      let characters = 0
      for (const id of keys === null ? View.tasks(state()) : keys.map(tables.keys.idOf)) {
        const view = id === undefined ? undefined : View.task(state(), id)
        const key = id === undefined ? undefined : tables.keys.keyOf(id)
        if (view === undefined || key === undefined) continue
        const row = summary(view, key)
        characters += charactersOf(row)
        if (rows.length >= TASKS_SHOWN || characters > CHARACTERS_SHOWN) break
        rows.push(row)
      }
      return rows
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
