/**
 * Futures, as clients make them.
 *
 * Members are getters that make what they return, so that each works unbound and
 * a future that nobody asks costs one small object.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Pipeable from "effect/Pipeable"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { CancelOutcome } from "@skein/protocol/ClientRpcs"
import type { SchedulerLost, TaskError } from "@skein/protocol/Failure"
import type { TaskHoldings } from "@skein/protocol/TaskContext"
import type { Codec } from "@skein/protocol/TaskRegistry"
import type { Collected } from "../Collecting.ts"
import { type CancelOptions, type Future, type FutureStatus, FutureTypeId, type TaskProgress } from "../Future.ts"
import { notForItself } from "./batch.ts"
import { askAbout, type Core } from "./core.ts"
import { waitingStream } from "./inTask.ts"
import { progressOf } from "./progress.ts"
import type { Held, Watcher } from "./held.ts"
import { lostCause, statusOf, unwatch, watch } from "./references.ts"
import { valueOf } from "./values.ts"

/** One reference. Apart from the future, so that it can be given up when that has been collected. */
class Handle implements Collected {
  readonly core: Core
  readonly held: Held
  released = false
  /** Given up already, it need not be by the body that holds it. */
  private onReleased: (() => void) | undefined = undefined

  constructor(core: Core, held: Held) {
    this.core = core
    this.held = held
  }

  holdBy(holdings: TaskHoldings["Service"]): void {
    const giveUp = () => this.giveUp()
    this.onReleased = () => holdings.delete(giveUp)
    holdings.add(giveUp)
  }

  giveUp(): void {
    if (this.released) return
    this.released = true
    this.onReleased?.()
    this.core.references.release(this.held)
  }

  onCollected(): void {
    this.giveUp()
  }
}

/** A new future on a key, for a reference that has been counted. In a body it is one of its holdings. */
export const makeFuture = (core: Core, held: Held, holdings: TaskHoldings["Service"] | undefined, schema?: Codec): FutureOf => {
  const handle = new Handle(core, held)
  const future = schema === undefined ? new FutureOf(handle) : new RevivingFuture(handle, schema)
  core.collecting.watch(future, handle)
  if (holdings !== undefined) handle.holdBy(holdings)
  return future
}

const statusesKept = 16

export class FutureOf implements Future<unknown, unknown> {
  readonly handle: Handle

  constructor(handle: Handle) {
    this.handle = handle
  }

  get core(): Core {
    return this.handle.core
  }

  get [FutureTypeId](): { readonly _A: () => unknown; readonly _E: () => unknown } {
    return variance
  }

  get key(): string {
    return this.handle.held.key
  }

  /** Through which its value is revived, if somebody has said so. */
  get schema(): Codec | undefined {
    return undefined
  }

  get isReleased(): boolean {
    return this.handle.released
  }

  get result(): Effect.Effect<unknown, unknown> {
    return Effect.suspend(() =>
      this.handle.released ? Effect.failCause(this.releasedCause) : valueOf(this.core, this)
    )
  }

  get await(): Effect.Effect<Exit.Exit<void, unknown>> {
    return Effect.suspend(() => {
      const { core, handle: { held, released } } = this
      if (released) return Effect.succeed(Exit.failCause(this.releasedCause))
      return core.references.settled(held, this).pipe(
        Effect.map((state) => state._tag === "Failed" ? Exit.failCause(state.cause()) : Exit.void),
        Effect.catchTag("SchedulerLost", (lost) => Effect.succeed(Exit.failCause(lostCause(lost, held))))
      )
    })
  }

  get status(): Effect.Effect<FutureStatus, SchedulerLost> {
    return Effect.suspend(() => {
      const { references } = this.core
      return references.lost !== undefined && this.handle.held.state._tag === "Pending"
        ? Effect.fail(references.lost)
        : Effect.succeed(statusOf(this.handle.held))
    })
  }

  get changes(): Stream.Stream<FutureStatus, SchedulerLost> {
    return waitingStream(Stream.callback<FutureStatus, SchedulerLost>((queue) =>
      notForItself([this.handle.held], Effect.acquireRelease(
        Effect.sync(() => {
          const { core: { references }, handle } = this
          let last: FutureStatus | undefined
          const watcher: Watcher = {
            keeps: this,
            notify: () => {
              const status = statusOf(handle.held)
              if (status !== last) Queue.offerUnsafe(queue, status)
              last = status
              if (handle.held.count <= 0) Queue.endUnsafe(queue)
              else if (references.lost !== undefined) Queue.failCauseUnsafe(queue, Cause.fail(references.lost))
            }
          }
          watch(handle.held, watcher)
          watcher.notify()
          return watcher
        }),
        (watcher) =>
          Effect.sync(() => unwatch(this.handle.held, watcher))
      )), { bufferSize: statusesKept, strategy: "sliding" }))
  }

  get progress(): Stream.Stream<TaskProgress, SchedulerLost> {
    return waitingStream(progressOf(this.core, this.handle.held, this))
  }

  get cancel(): (options?: CancelOptions) => Effect.Effect<"cancelled" | "already-done" | "shared", SchedulerLost> {
    return (options = {}) => Effect.map(cancelAll(this.core, [this], options), ([outcome]) => outcome ?? "already-done")
  }

  get retry(): Effect.Effect<void, SchedulerLost> {
    return retryAll(this.core, [this])
  }

  get release(): Effect.Effect<void> {
    return Effect.sync(() => this.giveUp())
  }

  /** The same, at once. */
  giveUp(): void {
    this.handle.giveUp()
  }

  get releasedCause(): Cause.Cause<TaskError> {
    return this.core.references.releasedCause(this.handle.held)
  }

  pipe(): unknown {
    return Pipeable.pipeArguments(this, arguments)
  }

  toJSON(): unknown {
    const { key, task } = this.handle.held
    return { _id: "Future", key, task, status: this.handle.released ? "released" : statusOf(this.handle.held) }
  }

  toString(): string {
    return Inspectable.toStringUnknown(this.toJSON())
  }

  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/** A future whose value is revived through a schema: of a key that somebody else has submitted. */
class RevivingFuture extends FutureOf {
  private readonly codec: Codec

  constructor(handle: Handle, codec: Codec) {
    super(handle)
    this.codec = codec
  }

  override get schema(): Codec {
    return this.codec
  }
}

/** Cancels keys; completes once nothing of them runs any more. Outcomes in the order of the futures. Those released are done. */
export const cancelAll = (core: Core, futures: ReadonlyArray<FutureOf>, options: CancelOptions): Effect.Effect<ReadonlyArray<CancelOutcome>, SchedulerLost> =>
  Effect.suspend(() => {
    const { force = false, note } = options
    const live = futures.filter((future) => !future.isReleased)
    if (live.length === 0) return Effect.succeed(futures.map(() => "already-done" as const))
    const keys = live.map(({ handle }) => handle.held)
    return askAbout(core, keys, (scheduler) => scheduler.Cancel({ refs: keys.map(({ ref }) => ref), note: note ?? null, force })).pipe(
      Effect.flatMap((outcomes) => {
        // Some were released just now.
        if (outcomes === undefined) return cancelAll(core, futures, options)
        const byFuture = new Map(live.map((future, i) => [future, outcomes[i]]))
        return Effect.succeed(futures.map((future) => byFuture.get(future) ?? "already-done" as const))
      })
    )
  })

/** Has keys that failed computed again. From then on they are pending here, until the scheduler says otherwise. */
export const retryAll = (core: Core, futures: ReadonlyArray<FutureOf>): Effect.Effect<void, SchedulerLost> =>
  Effect.suspend(() => {
    const { lost } = core.references
    if (lost !== undefined) return Effect.fail(lost)
    for (const { handle: { held, released } } of futures) {
      if (released || held.state._tag !== "Failed") continue
      core.references.pendingAgain(held)
      core.outbox.offer({ _tag: "Retry", ref: held.ref })
    }
    return core.outbox.flushed
  })

const variance = {
  _A: (): never => phantom(),
  _E: (): never => phantom()
}
const phantom = (): never => {
  throw new Error("this member is there for the compiler only")
}

/** Those that are this client's own; a future of another client, or of another kind, is nobody's here. */
export const ownFutures = (core: Core, futures: Iterable<unknown>): ReadonlyArray<FutureOf> => {
  const own: Array<FutureOf> = []
  for (const future of futures) if (future instanceof FutureOf && future.core === core) own.push(future)
  return own
}
