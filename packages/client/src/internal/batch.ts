/**
 * Batches: what is submitted while one is open is collected, and leaves as one
 * graph when its effect is over.
 *
 * Which batch it is stands in the context of the fiber, so whatever the effect
 * submits belongs to it, through whichever face of the client; the face that the
 * effect is handed belongs to it wherever it is used. A batch inside a batch is a
 * part of it: what the inner one submits becomes the outer one's when it succeeds,
 * and is dropped when it fails.
 *
 * Until it is sent a batch holds one reference on each key that it is about: on
 * what it will submit, and on what that depends on. So nothing of it is released
 * before the scheduler has heard of it, and what nobody else holds by then need
 * not be sent at all.
 *
 * Nothing may wait, inside a batch, for what the batch submits: it would wait for
 * itself. That is a mistake of the program, and a defect that says so. Fibers
 * outside wait until the batch has been sent, as for any other task; and what one
 * of them submits that needs a task of an open batch takes that task along, ahead
 * of the batch.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { AwaitedInBatch } from "@skein/protocol/Errors"
import type { Code } from "./code.ts"
import type { Core } from "./core.ts"
import type { FutureOf } from "./future.ts"
import { type Held, OTHERS, pending, type State } from "./held.ts"
import type { Options } from "./terms.ts"

/** A task that is built and not told yet. */
export interface Unsent {
  readonly code: Code
  /** The encoded arguments. */
  readonly bytes: Uint8Array
  readonly dependencies: ReadonlyArray<FutureOf>
  readonly options: Options
}

/** How the scheduler is told. */
export interface Telling {
  /** `last`: of its graph. */
  readonly task: (held: Held, unsent: Unsent, last: boolean) => void
  /** Compute it again. */
  readonly retry: (held: Held) => void
  /** Keep it until it is done, whoever holds it. */
  readonly detach: (held: Held) => void
}

/** Bytes that the tasks of one batch may take together: all of it is kept until the batch is sent. Beyond that, `TooLarge`. */
export const BATCH_LIMIT_BYTES = 256 << 20
/** What a task takes beside its arguments and its key, roughly. */
const TASK_BYTES = 256

const CurrentBatch: Context.Reference<Batch | undefined> = Context.Reference<Batch | undefined>("@skein/client/CurrentBatch", { defaultValue: () => undefined })

export class Batch {
  readonly core: Core
  /** Of the same client: what this one is a part of. */
  readonly parent: Batch | undefined
  /** The one, of whichever client, in whose effect this one was opened. */
  readonly around: Batch | undefined
  /** What keys are until they are sent. */
  readonly state: State
  /** Opens when some of it has been told, dropped, or taken up by another; then there is a new one. */
  private changed = Latch.makeUnsafe(false)
  isOpen = true
  /** Tasks that the scheduler knows nothing of; dependencies stand before dependents. */
  readonly unsent = new Map<Held, Unsent>()
  private readonly telling: Telling
  /** Keys on which it has a reference. */
  private readonly kept = new Set<Held>()
  /** Futures that were made in it. */
  private readonly made: Array<FutureOf> = []
  private readonly retried = new Set<Held>()
  private readonly detached = new Set<Held>()
  private bytes = 0

  constructor(core: Core, parent: Batch | undefined, around: Batch | undefined, telling: Telling) {
    this.core = core
    this.parent = parent
    this.around = around
    this.telling = telling
    this.state = { _tag: "Pending", unsent: this }
  }

  /** The outermost one that this is a part of. */
  get root(): Batch {
    return this.parent === undefined ? this : this.parent.root
  }

  /** Bytes that it takes, with those that it is a part of. */
  get takenBytes(): number {
    return this.bytes + (this.parent === undefined ? 0 : this.parent.takenBytes)
  }

  /** Whether this one, or what it is a part of, is to send the key. */
  isToSend(held: Held): boolean {
    const other = batchOf(held)
    return other !== undefined && (other === this || this.parent?.isToSend(held) === true)
  }

  /**
   * Takes up a task. What it depends on, and another batch was to send, comes along. `isKnown`: the scheduler has been asked for its
   * key before, so it has a state of its own.
   */
  add(held: Held, unsent: Unsent, isKnown = false): void {
    if (!isKnown) held.state = this.state
    this.keep(held)
    for (const { handle } of unsent.dependencies) {
      for (const batch of takeAlong(handle.held, this, this.telling)) batch.tellChanged()
      this.keep(handle.held)
    }
    this.unsent.set(held, unsent)
    this.bytes += bytesOf(held, unsent)
  }

  /** A future that was made in it: given up if the batch fails. */
  note(future: FutureOf): void {
    this.made.push(future)
  }

  /** It was cancelled, and is to be computed again. */
  retry(held: Held): void {
    this.keep(held)
    this.retried.add(held)
  }

  /** It is to be computed even if nobody holds it when the batch is sent. */
  detach(held: Held): void {
    this.keep(held)
    this.detached.add(held)
  }

  /** Its effect has succeeded: the outer batch takes it up, or the scheduler is told, in one step. */
  succeed(): void {
    this.isOpen = false
    if (this.parent === undefined) this.send()
    else this.join(this.parent)
    this.letGo()
  }

  /** Its effect has failed: nothing of it has been told, and nothing will be. */
  fail(): void {
    this.isOpen = false
    for (const future of this.made) future.giveUp()
    for (const held of [...this.unsent.keys()]) this.drop(held)
    this.letGo()
  }

  /** Completes when some of it is its own to send no longer. */
  get untilChanged(): Effect.Effect<void> {
    return Effect.suspend(() => this.changed.await)
  }

  /** Tells those who wait that some of it is its own no longer. */
  tellChanged(): void {
    const { changed } = this
    this.changed = Latch.makeUnsafe(false)
    changed.openUnsafe()
  }

  private keep(held: Held): void {
    if (this.kept.has(held)) return
    this.kept.add(held)
    this.core.references.retain(held)
  }

  private drop(held: Held): void {
    if (batchOf(held) === undefined) {
      // Its key is known by its name alone, as it was before, and what there is under it is asked for again; the reference goes with the others.
      held.spec = OTHERS
      if (held.state._tag === "Pending") this.core.outbox.offer({ _tag: "Want", ref: held.ref, key: held.key })
      return
    }
    this.kept.delete(held)
    this.core.references.discard(held)
  }

  private letGo(): void {
    this.unsent.clear()
    this.made.length = 0
    for (const held of this.kept) this.core.references.release(held)
    this.kept.clear()
    this.tellChanged()
  }

  private join(parent: Batch): void {
    for (const [held, unsent] of this.unsent) {
      if (batchOf(held) !== undefined) held.state = parent.state
      parent.unsent.set(held, unsent)
    }
    for (const held of this.kept) parent.keep(held)
    for (const held of this.retried) parent.retried.add(held)
    for (const held of this.detached) parent.detached.add(held)
    for (const future of this.made) parent.made.push(future)
    parent.bytes += this.bytes
  }

  private send(): void {
    // First, for what depends on a cancelled task would fail at once.
    for (const held of this.retried) this.telling.retry(held)
    const needed = this.needed()
    let left = needed.size
    for (const [held, unsent] of this.unsent) {
      if (!needed.has(held)) continue
      if (batchOf(held) !== undefined) held.state = pending
      this.telling.task(held, unsent, --left === 0)
    }
    for (const held of this.detached) this.telling.detach(held)
    // Last, for fibers that hear of it go on at once, and what they submit must not come in between.
    for (const held of this.unsent.keys()) if (!needed.has(held)) this.drop(held)
  }

  /** Tasks that somebody beside the batch holds, and what these depend on. */
  private needed(): ReadonlySet<Held> {
    const needed = new Set<Held>()
    for (const [held, { dependencies }] of [...this.unsent].reverse()) {
      if (held.count <= 1 && !needed.has(held) && !this.detached.has(held)) continue
      needed.add(held)
      for (const { handle } of dependencies) if (this.unsent.has(handle.held)) needed.add(handle.held)
    }
    return needed
  }
}

/** The open batch of this client that a submission belongs to. `own`: that of the face which is used. */
export const openBatch = (core: Core, fiber: Fiber.Fiber<unknown, unknown>, own: Batch | undefined): Batch | undefined =>
  firstOpen(own, ({ parent }) => parent) ?? firstOpen(fiber.getRef(CurrentBatch), ({ around }) => around, core)

const firstOpen = (from: Batch | undefined, outer: (batch: Batch) => Batch | undefined, core?: Core): Batch | undefined => {
  for (let batch = from; batch !== undefined; batch = outer(batch)) if (batch.isOpen && (core === undefined || batch.core === core)) return batch
  return undefined
}

/** Runs an effect whose submissions are collected; once it has succeeded, `send` sends them: all in one step, so there must be room before that. */
export const inBatch = <A, E, R, E2>(batch: Batch, effect: Effect.Effect<A, E, R>, send: Effect.Effect<void, E2>): Effect.Effect<A, E | E2, R> =>
  Effect.uninterruptibleMask((restore) => {
    const { outbox } = batch.core
    const sendInTurn: Effect.Effect<void, E2> = Effect.andThen(restore(outbox.room), Effect.suspend(() => outbox.isInGraph() ? sendInTurn : send))
    return restore(Effect.provideService(effect, CurrentBatch, batch)).pipe(
      Effect.tap(sendInTurn),
      Effect.onError(() => Effect.sync(() => batch.fail()))
    )
  })

/** The batch around this fiber. */
export const currentBatch = (fiber: Fiber.Fiber<unknown, unknown>): Batch | undefined => fiber.getRef(CurrentBatch)

/** The batch that is still to send this key. */
export const batchOf = ({ state }: Held): Batch | undefined => state._tag === "Pending" ? state.unsent : undefined

/**
 * Makes sure that what is submitted now may depend on this key: what a batch was to send that `into` is no part of is sent ahead of it,
 * with all that it depends on: with the batch `into`, or at once, as the beginning of a graph that the
 * caller goes on with. Returns the batches that it is taken from: the caller is to tell that they have changed, once its step is over, for
 * who waits for that goes on at once.
 */
export const takeAlong = (held: Held, into: Batch | undefined, telling: Telling): ReadonlySet<Batch> => {
  const isElsewhere = (one: Held) => batchOf(one) !== undefined && into?.isToSend(one) !== true
  if (!isElsewhere(held)) return noBatches
  const taken = new Set([held])
  const batches = new Set<Batch>()
  // Grows while it is gone through.
  for (const one of taken) {
    const batch = batchOf(one)
    if (batch === undefined) continue
    batches.add(batch)
    for (const { handle } of batch.unsent.get(one)?.dependencies ?? []) if (isElsewhere(handle.held)) taken.add(handle.held)
  }
  // An outer batch never depends on an inner one, and in each of them dependencies come first.
  for (const batch of [...batches].sort((a, b) => depth(a) - depth(b))) {
    for (const [one, unsent] of [...batch.unsent]) {
      if (!taken.has(one)) continue
      batch.unsent.delete(one)
      if (into !== undefined) into.add(one, unsent)
      else {
        one.state = pending
        telling.task(one, unsent, false)
      }
    }
  }
  return batches
}

const noBatches: ReadonlySet<Batch> = new Set()

const depth = ({ parent }: Batch): number => parent === undefined ? 0 : 1 + depth(parent)

/** Waits, but not for what the batch around this fiber is to send: that would be for ever. */
export const notForItself = <A, E, R>(keys: Iterable<Held>, wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const around = fiber.getRef(CurrentBatch)
    if (around === undefined) return wait
    for (const held of keys) if (isFilledBy(around, held)) return Effect.die(AwaitedInBatch.of(held.key))
    return wait
  })

/** Completes when no batch is to send one of these keys any more. */
export const untilSent = (keys: ReadonlyArray<Held>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const unsent = keys.find((held) => batchOf(held) !== undefined)
    const batch = unsent === undefined ? undefined : batchOf(unsent)
    return batch === undefined ? Effect.void : notForItself(keys, Effect.andThen(batch.untilChanged, untilSent(keys)))
  })

const isFilledBy = (around: Batch, held: Held): boolean => {
  const batch = batchOf(held)
  for (let one: Batch | undefined = around; one !== undefined; one = one.around) {
    if (one.root === batch?.root || (held.state._tag === "Pending" && one.unsent.has(held))) return true
  }
  return false
}

const bytesOf = ({ key }: Held, { bytes, dependencies }: Unsent): number => TASK_BYTES + key.length + bytes.length + 8 * dependencies.length

/** Whether one more task with arguments of this size would be too much. */
export const isTooMuch = (batch: Batch, bytes: number): boolean => batch.takenBytes + bytes > BATCH_LIMIT_BYTES
