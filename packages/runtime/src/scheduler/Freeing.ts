/**
 * What workers may drop, and when they hear of it.
 *
 * A result that nobody needs any more is no hurry. That it may be dropped goes to
 * its worker with whatever else is said to it, and by itself only if nothing is
 * for `PATIENCE_MS`: a message of its own costs two processes a turn each, just
 * when, as a rule, the next task is on its way to another worker.
 *
 * And it goes in portions, behind everything else that is said in a turn: a
 * hundred thousand results that are dropped at once keep a worker busy for longer
 * than the next task shall wait. So a worker may hear of what came later before it
 * hears that something may be dropped. That is one to it, for what is dropped is
 * a run, and the numbers of runs are never used again.
 */
import type { Run } from "@skein/protocol/WorkerRpcs"
import type { WorkerPeer } from "./Registry.ts"

/** How long a worker may keep what nobody needs any more, unless there is very much of it. */
export const PATIENCE_MS = 10
/** Results that are dropped in one go: a worker takes about a millisecond for them. */
export const PORTION = 1_000
/** How much later the next may be, when nothing else is said: until then there is room for other things. */
export const PORTIONS_APART_MS = 2

type Peer = Pick<WorkerPeer, "push">

export interface Freeing<P extends Peer> {
  /** Nobody needs this run's result any more. */
  readonly add: (peer: P, run: Run) => void
  /** A portion for this worker, if there is one, joins the rows of the present turn. */
  readonly goAlong: (peer: P) => void
  /** Those whose turn it is: it comes to a portion in all, or somewhat more. */
  readonly next: () => ReadonlyArray<P>
  readonly isEmpty: () => boolean
}

export const make = <P extends Peer>(): Freeing<P> => {
  /** The portions of each. Who has had one goes last. */
  const waiting = new Map<P, Array<Array<Run>>>()
  return {
    add: (peer, run) => {
      const portions = waiting.get(peer)
      const last = portions?.at(-1)
      if (portions === undefined) waiting.set(peer, [[run]])
      else if (last === undefined || last.length >= PORTION) portions.push([run])
      else last.push(run)
    },
    goAlong: (peer) => {
      const portions = waiting.get(peer)
      if (portions === undefined) return
      waiting.delete(peer)
      for (const row of portions.shift() ?? []) peer.push({ _tag: "Free", row })
      if (portions.length > 0) waiting.set(peer, portions)
    },
    next: () => {
      const peers: Array<P> = []
      let runs = 0
      for (const [peer, portions] of waiting) {
        if (runs >= PORTION) break
        runs += portions[0]?.length ?? 0
        peers.push(peer)
      }
      return peers
    },
    isEmpty: () => waiting.size === 0
  }
}
