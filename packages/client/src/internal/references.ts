/**
 * Every key that this client holds, and what is known of it.
 *
 * A key is held under a number of the client's own (`Ref`), counted up and never
 * used again, so that news about a key that was released meanwhile meets nobody.
 * Each future is one reference; the last one's release is told to the scheduler.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ClientReport } from "@skein/protocol/ClientRpcs"
import { type SchedulerLost, TaskCancelled, TaskError } from "@skein/protocol/Failure"
import type { Ref, WorkerId } from "@skein/protocol/Ids"
import { decodeFailure } from "@skein/protocol/Raised"
import { named } from "@skein/protocol/TaskValues"
import type { FutureStatus } from "../Future.ts"
import { notForItself } from "./batch.ts"
import { ByRef } from "./byRef.ts"
import { type Held, OTHERS, pending, type State, type Watcher } from "./held.ts"
import { waiting } from "./inTask.ts"

/** How far a task says it is; `total`: null, if it does not know. */
export type Word = Omit<Extract<ClientReport, { readonly _tag: "Progress" }>["rows"][number], "ref">

export class References {
  private readonly byRef = new ByRef<Held>()
  private readonly byKey = new Map<string, Held>()
  private readonly addresses = new Map<WorkerId, string>()
  /** Who hears how far these tasks say they are; see progress.ts. */
  readonly saying = new Map<Ref, Set<(word: Word) => void>>()
  private next = 0
  private over: SchedulerLost | undefined
  private readonly client: string
  private readonly onReleased: (ref: Ref) => void

  /** `client`: its name. `onReleased`: a key's last reference is gone. */
  constructor(client: string, onReleased: (ref: Ref) => void) {
    this.client = client
    this.onReleased = onReleased
  }

  /** Keys that are held. */
  get size(): number {
    return this.byRef.size
  }

  /** Why the session is over, if it is. */
  get lost(): SchedulerLost | undefined {
    return this.over
  }

  /** Where this worker can be asked for values, as far as the scheduler has said. */
  addressOf(worker: WorkerId): string | undefined {
    return this.addresses.get(worker)
  }

  /** The key, if it is held. */
  find(key: string): Held | undefined {
    return this.byKey.get(key)
  }

  /** A new key, with one reference. */
  add(of: Pick<Held, "key" | "task" | "spec" | "codecs">): Held {
    // The cast makes a number that this counter alone hands out a reference.
    const ref = this.next++ as Ref
    const { codecs, key, spec, task } = of
    const held: Held = { ref, key, task, spec, codecs, count: 1, state: pending, watchers: undefined }
    this.byRef.add(ref, held)
    this.byKey.set(held.key, held)
    return held
  }

  /** One reference more. */
  retain(held: Held): void {
    held.count++
  }

  /** One reference less. */
  release(held: Held): void {
    if (--held.count > 0) return
    // Discarded before.
    if (!this.byRef.remove(held.ref)) return
    if (this.byKey.get(held.key) === held) this.byKey.delete(held.key)
    // Nobody will report on it any more, and whoever still waits shall not wait for ever.
    if (held.state._tag === "Pending") held.state = { _tag: "Failed", status: "cancelled", cause: () => this.releasedCause(held) }
    notify(held)
    if (this.over === undefined) this.onReleased(held.ref)
  }

  /**
   * A key that was only known by its name is now submitted by this client. What was known of its value may be that of another
   * computation: the scheduler says which it is.
   */
  submitted(held: Held, { codecs, spec, task }: Pick<Held, "task" | "spec" | "codecs">): void {
    held.task = task
    held.spec = spec
    held.codecs = codecs
    if (held.state._tag !== "Pending") this.pendingAgain(held)
  }

  /** Gives up a key of which the scheduler has never been told, whoever holds it. */
  discard(held: Held): void {
    held.count = 0
    this.byRef.remove(held.ref)
    if (this.byKey.get(held.key) === held) this.byKey.delete(held.key)
    this.set(held, { _tag: "Failed", status: "cancelled", cause: () => this.releasedCause(held) })
  }

  /** Why a future that has been released has no result. */
  releasedCause(held: Held): Cause.Cause<TaskError> {
    return Cause.fail(TaskError.because(new TaskCancelled({ by: this.client, note: Option.some("the future was released") }), held))
  }

  /** News from the scheduler. */
  report(segments: ReadonlyArray<ClientReport>): void {
    for (const segment of segments) {
      switch (segment._tag) {
        case "Peers":
          for (const { address, worker } of segment.peers) this.addresses.set(worker, address)
          break
        case "InMemory":
          for (const row of segment.rows) {
            const { id, nbytes, run, worker } = row
            this.change(row.ref, { _tag: "InMemory", id, run, nbytes, worker, value: row.value.length === 0 ? undefined : row.value })
          }
          break
        case "Erred":
          for (const row of segment.rows) this.failed(row)
          break
        case "Progress":
          for (const { ref, ...word } of segment.rows) this.saying.get(ref)?.forEach((hear) => hear(word))
          break
        case "Pending":
          for (const ref of segment.refs) this.change(ref, pending)
      }
    }
  }

  /** It is to be computed again, as far as this side knows. */
  pendingAgain(held: Held): void {
    this.set(held, pending)
  }

  /** The session is over: nobody will hear anything more. */
  end(lost: SchedulerLost): void {
    if (this.over !== undefined) return
    this.over = lost
    for (const held of this.byRef.values()) notify(held)
  }

  /** Completes when the key is pending no longer. `keeps`: the future on whose behalf this waits. */
  settled(held: Held, keeps: unknown): Effect.Effect<Exclude<State, { readonly _tag: "Pending" }>, SchedulerLost> {
    const look = () =>
      held.state._tag !== "Pending" ? Exit.succeed(held.state) : this.over !== undefined ? Exit.fail(this.over) : undefined
    return Effect.suspend(() =>
      look() ?? notForItself([held], waiting(Effect.callback<Exclude<State, { readonly _tag: "Pending" }>, SchedulerLost>((resume) => {
        const watcher: Watcher = {
          keeps,
          notify: () => {
            const found = look()
            if (found === undefined) return
            unwatch(held, watcher)
            resume(found)
          }
        }
        watch(held, watcher)
        // The fiber may have been preempted since it looked.
        watcher.notify()
        return Effect.sync(() => unwatch(held, watcher))
      })))
    )
  }

  private failed(row: Extract<ClientReport, { readonly _tag: "Erred" }>["rows"][number]): void {
    const held = this.byRef.get(row.ref)
    // That nobody knew the key is no news any more once this client has submitted it.
    if (held === undefined || (row.failure._tag === "Unknown" && held.spec !== OTHERS)) return
    let cause: Cause.Cause<unknown> | undefined
    this.set(held, {
      _tag: "Failed",
      status: row.failure._tag === "Cancelled" ? "cancelled" : row.failure._tag === "Lost" || row.failure._tag === "Unknown" ? "lost" : "error",
      // Every dependent of a failed task is told of it; few are ever looked at. Of what it refused a while ago the scheduler knows no
      // key any more: then it is this one.
      cause: () => cause ??= decodeFailure(row.failure, { ...(row.origin === "" ? { key: held.key, task: held.task } : { key: row.origin, task: row.originTask }), named: named(held.codecs) })
    })
  }

  private change(ref: Ref, state: State): void {
    const held = this.byRef.get(ref)
    if (held !== undefined) this.set(held, state)
  }

  private set(held: Held, state: State): void {
    held.state = state
    notify(held)
  }
}

/** What a future of this key says of itself. */
export const statusOf = ({ state }: Held): FutureStatus =>
  state._tag === "Pending" ? "pending" : state._tag === "InMemory" ? "finished" : state.status

/** The session's end, as it meets whoever waits for a key. */
export const lostCause = (lost: SchedulerLost, held: Held): Cause.Cause<TaskError> => Cause.fail(TaskError.because(lost, held))

/** From now on this watcher hears of every change of the key. */
export const watch = (held: Held, watcher: Watcher): void => {
  const { watchers } = held
  if (watchers === undefined || watchers === watcher) held.watchers = watcher
  else if (watchers instanceof Set) watchers.add(watcher)
  else held.watchers = new Set([watchers, watcher])
}

/** It hears no more. */
export const unwatch = (held: Held, watcher: Watcher): void => {
  if (held.watchers === watcher) held.watchers = undefined
  else if (held.watchers instanceof Set) held.watchers.delete(watcher)
}

/** Of many a copy is notified, as a watcher that is often removes itself. */
const notify = ({ watchers }: Held): void => {
  if (watchers === undefined) return
  if (!(watchers instanceof Set)) return watchers.notify()
  for (const watcher of [...watchers]) watcher.notify()
}
