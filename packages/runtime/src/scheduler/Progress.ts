/**
 * How far tasks say they are, for the clients that watch them.
 *
 * Nothing is decided by it, so it never reaches the reducer: a word goes straight
 * to whoever watches, and the latest of each task is kept for who begins to watch
 * later. What it says counts only while the run that said it is the task's own.
 */
import type { State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import type { TaskId } from "@skein/protocol/Ids"
import type { WorkerReport } from "@skein/protocol/WorkerRpcs"
import type { ClientPeer, WorkerPeer } from "./Registry.ts"

type Word = Extract<WorkerReport, { readonly _tag: "Progress" }>["rows"][number]
type Told = Extract<ClientReport, { readonly _tag: "Progress" }>["rows"][number]

export interface Progress {
  /** A worker passes on what its bodies say. */
  readonly said: (worker: WorkerPeer, words: ReadonlyArray<Word>) => void
  /** From now on the client hears of it, and of the latest word at once. */
  readonly watch: (client: ClientPeer, id: TaskId) => void
  readonly unwatch: (client: ClientPeer, id: TaskId) => void
  /** The id is free: nothing is known of it, and nobody watches it. */
  readonly forget: (id: TaskId) => void
  readonly clientLeft: (client: ClientPeer) => void
  /** Tasks of which something is kept, for a leak to show in. */
  readonly size: () => number
}

/** A client so far behind hears nothing of progress: the next word says more than this one. */
const BACKLOG = 1_000

export const make = (state: () => State): Progress => {
  const latest = new Map<TaskId, Word>()
  const watchers = new Map<TaskId, Set<ClientPeer>>()
  const tell = (client: ClientPeer, { done, id, note, total }: Word): void => {
    const ref = client.refs.refOf(id)
    // It has let go of the task since.
    if (ref === undefined) return unwatch(client, id)
    if (client.backlog() > BACKLOG) return
    const row: Told = { ref, done, total, note }
    client.send({ _tag: "Progress", row })
  }
  const unwatch = (client: ClientPeer, id: TaskId): void => {
    const watching = watchers.get(id)
    if (watching?.delete(client) === true && watching.size === 0) watchers.delete(id)
  }
  return {
    said: (worker, words) => {
      for (const word of words) {
        if (!View.isRunning(state(), word.id, word.run, worker.worker)) continue
        latest.set(word.id, word)
        watchers.get(word.id)?.forEach((client) => tell(client, word))
      }
    },
    watch: (client, id) => {
      const watching = watchers.get(id)
      if (watching === undefined) watchers.set(id, new Set([client]))
      else watching.add(client)
      const word = latest.get(id)
      if (word !== undefined) tell(client, word)
    },
    unwatch,
    forget: (id) => {
      latest.delete(id)
      watchers.delete(id)
    },
    clientLeft: (client) => {
      for (const id of [...watchers.keys()]) unwatch(client, id)
    },
    size: () => latest.size + watchers.size
  }
}
