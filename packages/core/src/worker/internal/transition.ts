/**
 * The table of all changes of status, and the one function that makes them.
 *
 * A pair that is not in the table goes through `Released`, as in Dask. An edge
 * keeps the books of the two statuses; a change that it entails elsewhere it
 * asks for by touching the record (see routing.ts).
 *
 * Source: dask.distributed `worker_state_machine.py` (`_transition`, `_TRANSITIONS_TABLE`).
 */
import type { Status, StatusOf, StatusTag, Task } from "../State.ts"
import { type Draft, type Owned, released } from "./draft.ts"
import { error } from "./transitions/error.ts"
import { executing } from "./transitions/executing.ts"
import { fetch } from "./transitions/fetch.ts"
import { flight } from "./transitions/flight.ts"
import { longRunning } from "./transitions/longRunning.ts"
import { memory } from "./transitions/memory.ts"
import { missing } from "./transitions/missing.ts"
import { ready } from "./transitions/ready.ts"
import { released as releasedEdges } from "./transitions/released.ts"
import { stopping } from "./transitions/stopping.ts"
import { waiting } from "./transitions/waiting.ts"

/** The ways out of a status. Each is given the record, owned, while it still has the status it leaves. */
export type Edges<From extends StatusTag> = {
  readonly [To in StatusTag]?: (draft: Draft, task: In<From>, to: StatusOf<To>) => void
}

/** A record in this status. */
export type In<From extends StatusTag> = Owned<Task> & { readonly status: StatusOf<From> }

/** Every way out of every status. */
export const table: { readonly [From in StatusTag]: Edges<From> } = {
  Released: releasedEdges,
  Waiting: waiting,
  Fetch: fetch,
  Flight: flight,
  Missing: missing,
  Ready: ready,
  Executing: executing,
  LongRunning: longRunning,
  Stopping: stopping,
  Memory: memory,
  Error: error
}

/** Changes the status of a task, and the books with it. */
export const transition = (draft: Draft, task: Owned<Task>, to: Status): void => {
  const edge = edgeOf(task.status._tag, to._tag)
  if (edge !== undefined) return edge(draft, task, to)
  edgeOf(task.status._tag, "Released")?.(draft, task, released)
  edgeOf("Released", to._tag)?.(draft, task, to)
}

// A cast, for no type says that a record and an edge were found under the same tag.
const edgeOf = (from: StatusTag, to: StatusTag): Edge | undefined => table[from][to] as Edge | undefined

type Edge = (draft: Draft, task: Owned<Task>, to: Status) => void
