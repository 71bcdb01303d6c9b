/**
 * Results in the shape of what was asked for.
 *
 * All futures of a shape are waited for together; the first failure is the
 * answer, and the others are left alone. Values that are not here yet are
 * fetched in as few questions as there are workers that hold them.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { submitCodes } from "@skein/protocol/ErrorCodes"
import { ForeignFuture } from "@skein/protocol/Errors"
import { type SchedulerLost, TaskDefect, TaskError } from "@skein/protocol/Failure"
import { Future } from "./Future.ts"
import type { Core } from "./internal/core.ts"
import { FutureOf } from "./internal/future.ts"
import { lostCause } from "./internal/references.ts"
import { hasFailed, settledUntil } from "./internal/settling.ts"
import { valuesOf } from "./internal/values.ts"

/** Futures are looked for this deep, as deep as the types look. */
const DEEP = 8

/** The shape, with values in place of futures. */
export const gather = (core: Core, shape: unknown): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const futures = new Set<Future.Any>()
    collect(shape, futures, DEEP)
    if (futures.size === 0) return Effect.succeed(shape)
    const own: Array<FutureOf> = []
    for (const future of futures) {
      if (!(future instanceof FutureOf) || future.core !== core) return Effect.fail(foreign(future))
      own.push(future)
    }
    return settledUntil(core, own, (unsettled, changed) => unsettled === 0 || (changed === undefined ? own.some(hasFailed) : hasFailed(changed))).pipe(
      Effect.catchTag("SchedulerLost", (lost: SchedulerLost) => Effect.failCause(lostCause(lost, own[0]!.handle.held))),
      Effect.andThen(Effect.suspend(() => {
        const failed = own.find(hasFailed)
        return failed === undefined ? values(core, own) : failed.result as Effect.Effect<never, unknown>
      })),
      Effect.map((found) => rebuild(shape, found, DEEP))
    )
  })

/** What each gave, in order. */
export const gatherExits = (core: Core, futures: Iterable<Future.Any>): Effect.Effect<ReadonlyArray<Exit.Exit<unknown, unknown>>> =>
  Effect.suspend(() => {
    const all = [...futures]
    const own = all.filter((future): future is FutureOf => future instanceof FutureOf && future.core === core)
    return settledUntil(core, own, (unsettled) => unsettled === 0).pipe(
      // Whose session ended says so each for itself.
      Effect.ignore,
      Effect.andThen(Effect.suspend(() => exits(core, own))),
      Effect.map((found) => all.map((future) => found.get(future) ?? Exit.fail(foreign(future))))
    )
  })

const values = Effect.fnUntraced(function*(core: Core, futures: ReadonlyArray<FutureOf>) {
  const found = new Map<Future.Any, unknown>()
  for (const [future, exit] of yield* exits(core, futures)) found.set(future, Exit.isSuccess(exit) ? exit.value : yield* exit)
  return found
})

const exits = (core: Core, futures: ReadonlyArray<FutureOf>): Effect.Effect<Map<Future.Any, Exit.Exit<unknown, unknown>>> => {
  const live = futures.filter((future) => !future.isReleased)
  return Effect.map(valuesOf(core, live), (all) => {
    const found = new Map<Future.Any, Exit.Exit<unknown, unknown>>(live.map((future, i) => [future, all[i]!]))
    for (const future of futures) if (future.isReleased) found.set(future, Exit.failCause(future.releasedCause))
    return found
  })
}

/** Of futures no reason is a mistake of who asks, so it is a defect; its code is that of the same mistake in a submission. */
const foreign = (future: Future.Any): TaskError =>
  new TaskError({
    code: submitCodes.ForeignFuture,
    key: future.key,
    task: "",
    reason: new TaskDefect({ cause: new ForeignFuture({ key: future.key, cluster: clusterOf(future) }), remoteStack: "", worker: "", attempts: [] })
  })

/** The address of the scheduler whose future it is, if that can be known. */
export const clusterOf = (future: unknown): string => future instanceof FutureOf ? future.core.address : "another client"

const collect = (part: unknown, futures: Set<Future.Any>, deep: number): void => {
  if (Future.isFuture(part)) futures.add(part)
  else if (deep > 0) for (const inner of parts(part)) collect(inner, futures, deep - 1)
}

/** What stands inside a container that is gone through; nothing for anything else. */
const parts = (whole: unknown): Iterable<unknown> =>
  Array.isArray(whole) || whole instanceof Set ? whole : whole instanceof Map ? whole.values() : isPlain(whole) ? Object.values(whole) : []

/** The same with values for futures; what holds none stays the very same thing. */
const rebuild = (part: unknown, found: ReadonlyMap<Future.Any, unknown>, deep: number): unknown => {
  if (Future.isFuture(part)) return found.get(part)
  if (deep === 0) return part
  const inner = (value: unknown) => rebuild(value, found, deep - 1)
  if (Array.isArray(part)) return keep(part, part.map(inner), part)
  if (part instanceof Map) return keep(part, new Map(Array.from(part, ([key, value]) => [key, inner(value)] as const)), part.values())
  if (part instanceof Set) return keep(part, new Set(Array.from(part, inner)), part)
  if (!isPlain(part)) return part
  const copy: Record<string, unknown> = Object.create(Object.getPrototypeOf(part))
  for (const [name, value] of Object.entries(part)) {
    Object.defineProperty(copy, name, { value: inner(value), enumerable: true, writable: true, configurable: true })
  }
  return keep(part, copy, Object.values(part))
}

/** The copy if anything in it is new, else the original. */
const keep = <A extends object>(original: A, copy: A, before: Iterable<unknown>): A => {
  const after = parts(copy)[Symbol.iterator]()
  for (const value of before) if (!Object.is(value, after.next().value)) return copy
  return original
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
