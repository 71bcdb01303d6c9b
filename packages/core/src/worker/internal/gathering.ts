/**
 * Which results to ask which peers for.
 *
 * The peer that has the most urgent result is asked first, among equals the one
 * that has more of what is wanted. It is asked for that result and for the next
 * ones it has, as many as one message may carry. Then the next peer, while the
 * bounds allow: one request to a peer, so many requests and bytes in all. When
 * the most urgent result does not fit within the bytes, everything waits for
 * some to arrive: smaller ones that overtake it could do so for ever.
 *
 * Ties fall to the peer that comes next after this worker in the circle of ids,
 * so that many workers that want one result do not all turn to the same holder.
 *
 * Source: dask.distributed `worker_state_machine.py` (`_ensure_communicating`,
 * `_select_workers_for_gather`, `_select_keys_for_gather`).
 */
import type { TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Ranked from "../../persistent/Ranked.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Peer, State, Task } from "../State.ts"
import type { Draft } from "./draft.ts"
import { transition } from "./transition.ts"

/** Sends as many requests as the bounds allow. */
export const gather = (draft: Draft): void => {
  const { next } = draft
  while (next.gathers < next.config.gatherRequests && IntSet.size(next.callable) > 0) {
    const peer = nextPeer(next)
    const tasks = peer === undefined ? [] : tasksFor(next, peer)
    if (peer === undefined || tasks.length === 0) return
    const rows: Array<Held> = tasks.map(({ id, run, nbytes }) => ({ id, run, nbytes }))
    for (const task of tasks) {
      transition(draft, draft.own(task), { _tag: "Flight", peer: peer.id, run: task.run, nbytes: task.nbytes })
    }
    draft.send({ _tag: "Gather", peer: peer.id, rows })
  }
}

/** The one to ask next among those that can be asked. */
const nextPeer = (state: State): Peer | undefined => {
  let best: Peer | undefined
  IntSet.forEach(state.callable, (id) => {
    const peer = Vector.get(state.peers, id)
    if (peer !== undefined && (best === undefined || comesBefore(state, peer, best))) best = peer
  })
  return best
}

const comesBefore = (state: State, a: Peer, b: Peer): boolean => {
  const one = topPosition(state, a)
  const other = topPosition(state, b)
  if (one.priority !== other.priority) return one.priority > other.priority
  if (one.rank !== other.rank) return one.rank < other.rank
  if (a.wanted.size !== b.wanted.size) return a.wanted.size > b.wanted.size
  return stepsTo(state, a.id) < stepsTo(state, b.id)
}

const topPosition = (state: State, peer: Peer): Ranked.Position => {
  const top = Ranked.first(peer.wanted)
  const status = top === undefined ? undefined : Vector.get(state.tasks, top)?.status
  return status?._tag === "Fetch" ? status.position : { priority: -Infinity, rank: Infinity }
}

/** How far `peer` is from this worker, going up the ids and round at their end. */
const stepsTo = (state: State, peer: WorkerId): number => {
  const steps = peer - (state.worker ?? 0)
  return steps > 0 ? steps : steps + Vector.maxIndex
}

/** What to ask `peer` for in one request: at least one result, or none because of what is under way. */
const tasksFor = (state: State, peer: Peer): ReadonlyArray<Task> => {
  const { gatherBytes, gatherMessageBytes, gatherMessageRows } = state.config
  const tasks: Array<Task> = []
  let bytes = 0
  for (const id of Ranked.values<TaskId>(peer.wanted)) {
    const task = Vector.get(state.tasks, id)
    if (task === undefined || tasks.length === gatherMessageRows) break
    bytes += task.nbytes
    if (tasks.length > 0 && bytes > gatherMessageBytes) break
    if ((tasks.length > 0 || state.gathers > 0) && state.gatherBytes + bytes > gatherBytes) break
    tasks.push(task)
  }
  return tasks
}
