/**
 * The results that a worker holds.
 *
 * Kept as the bytes they travel in, and decoded anew for every use: two tasks
 * that need one result must not see each other's changes to it, a peer that
 * fetches it costs no encoding, and the size that is reported is the size that
 * is kept. A result that many tasks use is decoded as often; caching what comes
 * out would need a promise that no body changes its arguments.
 *
 * An id is used again once its task is forgotten, so a result is named by id and
 * run, and the later run wins: what a slow peer delivers for a task that is long
 * forgotten cannot replace the result of the one that has its id now. A new
 * incarnation has new ids for what it keeps (`adopt`), so what was begun under
 * the old ones, of an earlier *generation*, can put nothing here any more. And
 * from when it offers its results until it adopts their ids, whoever knows the
 * ids sooner than it does is not told that a result is missing (`isOffering`).
 *
 * How much it holds is bounded by what the scheduler assigns; a memory limit
 * comes with spilling.
 *
 * Source: dask.distributed `worker.py`, `Worker.data`.
 */
import type { Key, RunId, TaskId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"

/** One result. */
export interface Entry {
  readonly id: TaskId
  readonly run: RunId
  /** Null if it came from a peer, which does not tell the key. */
  readonly key: Key | null
  readonly bytes: Uint8Array
}

export interface DataStore {
  /** Raised by `adopt`; to be read when a result begins to be made, and given to `put`. */
  readonly generation: () => number
  /** Keeps a result, in place of an earlier run's; does nothing if a later run's is there, or if it was begun before `adopt`. */
  readonly put: (entry: Entry, generation: number) => void
  readonly find: (id: TaskId, run: RunId) => Uint8Array | undefined
  /** Whatever run of it is there. */
  readonly latest: (id: TaskId) => Uint8Array | undefined
  /** Removes the result of this run; does nothing if another's is there. */
  readonly drop: (id: TaskId, run: RunId) => void
  /** Offers what there is to a scheduler that does not know this worker: results with their keys. It is being offered until `adopt`. */
  readonly offer: () => ReadonlyArray<Entry & { readonly key: Key }>
  /** What it has has been offered, and may have other ids already for all but itself. */
  readonly isOffering: () => boolean
  /** Keeps only these, under the ids that they have from now on. */
  readonly adopt: (kept: ReadonlyArray<{ readonly entry: Entry; readonly id: TaskId }>) => ReadonlyArray<Held>
  /** Bytes of all results. */
  readonly managedBytes: () => number
  readonly size: () => number
}

/** An empty one. */
export const make = (): DataStore => {
  const entries = new Map<TaskId, Entry>()
  let managedBytes = 0
  let generation = 0
  let isOffering = false

  const remove = (entry: Entry) => {
    entries.delete(entry.id)
    managedBytes -= entry.bytes.length
  }
  const keep = (entry: Entry) => {
    const old = entries.get(entry.id)
    if (old !== undefined) {
      if (old.run > entry.run) return
      remove(old)
    }
    entries.set(entry.id, entry)
    managedBytes += entry.bytes.length
  }

  return {
    generation: () => generation,
    put: (entry, begun) => {
      if (begun === generation) keep(entry)
    },
    find: (id, run) => {
      const entry = entries.get(id)
      return entry?.run === run ? entry.bytes : undefined
    },
    latest: (id) => entries.get(id)?.bytes,
    drop: (id, run) => {
      const entry = entries.get(id)
      if (entry?.run === run) remove(entry)
    },
    offer: () => {
      isOffering = true
      return [...entries.values()].filter((entry): entry is Entry & { readonly key: Key } => entry.key !== null)
    },
    isOffering: () => isOffering,
    adopt: (kept) => {
      entries.clear()
      managedBytes = 0
      generation++
      isOffering = false
      for (const { entry, id } of kept) keep({ ...entry, id })
      return [...entries.values()].map(({ bytes, id, run }) => ({ id, run, nbytes: bytes.length }))
    },
    managedBytes: () => managedBytes,
    size: () => entries.size
  }
}
