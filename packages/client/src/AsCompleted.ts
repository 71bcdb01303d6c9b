/**
 * Futures in the order in which they complete.
 *
 * `Completions` is a set that may grow while it is taken from; the streams stand
 * on it. Source: dask.distributed `client.py`, `as_completed`; as there, what is
 * added twice comes twice, and a failed future is complete too.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { SchedulerLost, TaskError } from "@skein/protocol/Failure"
import type { Future } from "./Future.ts"
import { notForItself } from "./internal/batch.ts"
import type { Core } from "./internal/core.ts"
import { FutureOf } from "./internal/future.ts"
import { waiting } from "./internal/inTask.ts"
import type { Watcher } from "./internal/held.ts"
import { unwatch, watch } from "./internal/references.ts"
import { isSettled } from "./internal/settling.ts"

export interface Completed<F extends Future.Any> {
  readonly future: F
  readonly exit: Exit.Exit<Future.Success<F>, Future.Error<F> | TaskError>
}

export interface Completions<F extends Future.Any> {
  add(...futures: ReadonlyArray<F>): Effect.Effect<void>
  /** Not yet taken. */
  readonly count: Effect.Effect<number>
  /** The next to complete; suspends, and is interrupted with the scope. */
  readonly take: Effect.Effect<F, SchedulerLost>
  /** Ends when nothing is left to take. What is added before an element has been handled still counts. */
  readonly stream: Stream.Stream<F, SchedulerLost>
}

/** A set of futures to be taken as they complete. Its watching ends with the scope. */
export const completions = <F extends Future.Any>(core: Core, futures: Iterable<F>): Effect.Effect<Completions<F>, never, Scope.Scope> =>
  Effect.map(makeSet<F>(core, futures), (set) => ({
    add: (...more) => Effect.sync(() => set.add(more)),
    count: Effect.sync(set.count),
    take: Effect.flatMap(set.next(false), (future) => future === undefined ? Effect.interrupt : Effect.succeed(future)),
    stream: Stream.unfold(undefined, () => Effect.map(set.next(true), pair))
  }))

/** The futures themselves, in completion order. */
export const asCompleted = <F extends Future.Any, E2, R2>(
  core: Core,
  futures: Iterable<F> | Stream.Stream<F, E2, R2>
): Stream.Stream<F, E2 | SchedulerLost, R2> =>
  Stream.unwrap(Effect.gen(function*() {
    if (!Stream.isStream(futures)) {
      const set = yield* makeSet<F>(core, futures)
      return Stream.unfold(undefined, () => Effect.map(set.next(true), pair))
    }
    const set = yield* makeSet<F, E2>(core, [])
    set.expectMore()
    // Its end is the set's end, so it cannot die unseen.
    yield* Stream.runForEach(futures, (future) => Effect.sync(() => set.add([future]))).pipe(
      Effect.onExit((exit) => Effect.sync(() => set.noMore(exit))),
      Effect.exit,
      Effect.forkScoped
    )
    return Stream.unfold(undefined, () => Effect.map(set.next(true), pair))
  }))

/** Places of futures that were taken already, before they are given up. */
const TAKEN_KEPT = 4_096

const pair = <F>(future: F | undefined) => future === undefined ? undefined : [future, undefined] as const

interface CompletionSet<F, E> {
  readonly add: (futures: Iterable<F>) => void
  readonly count: () => number
  /** The next one. `orEnd`: undefined when nothing is left and nothing will be added. Undefined, too, once the scope has closed. */
  readonly next: (orEnd: boolean) => Effect.Effect<F | undefined, E | SchedulerLost>
  /** An empty set is not the end yet. */
  readonly expectMore: () => void
  readonly noMore: (exit: Exit.Exit<unknown, E>) => void
}

const makeSet = <F extends Future.Any, E = never>(core: Core, initial: Iterable<F>): Effect.Effect<CompletionSet<F, E>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { references } = core
    /** From `taken` on: taking from the front of a long array would move all of it. */
    let ready: Array<F> = []
    let taken = 0
    const watching = new Set<{ readonly future: FutureOf; readonly watcher: Watcher }>()
    const takers = new Set<() => void>()
    let more = false
    let closed = false
    let failure: Exit.Exit<never, E> | undefined
    const wake = () => {
      for (const taker of [...takers]) taker()
    }
    const add = (futures: Iterable<F>) => {
      if (closed) return
      for (const future of futures) {
        // One of another client's is complete: its result says whose it is.
        if (!(future instanceof FutureOf) || future.core !== core || isSettled(future)) ready.push(future)
        else follow(future, future)
      }
      wake()
    }
    const follow = (future: FutureOf, added: F) => {
      const watcher: Watcher = {
        keeps: future,
        notify: () => {
          if (isSettled(future)) {
            stop(entry)
            ready.push(added)
          }
          wake()
        }
      }
      const entry = { future, watcher }
      watching.add(entry)
      watch(future.handle.held, watcher)
    }
    const stop = (entry: { readonly future: FutureOf; readonly watcher: Watcher }) => {
      watching.delete(entry)
      unwatch(entry.future.handle.held, entry.watcher)
    }
    const takeReady = (): F | undefined => {
      const future = ready[taken++]
      if (taken === ready.length || taken === TAKEN_KEPT) {
        ready = ready.slice(taken)
        taken = 0
      }
      return future
    }
    const look = (orEnd: boolean): Exit.Exit<F | undefined, E | SchedulerLost> | undefined => {
      if (taken < ready.length) return Exit.succeed(takeReady())
      if (failure !== undefined) return failure
      if (closed) return Exit.succeed(undefined)
      if (watching.size > 0 && references.lost !== undefined) return Exit.fail(references.lost)
      return orEnd && !more && watching.size === 0 ? Exit.succeed(undefined) : undefined
    }
    function* watched() {
      for (const { future } of watching) yield future.handle.held
    }
    const next = (orEnd: boolean): Effect.Effect<F | undefined, E | SchedulerLost> =>
      Effect.suspend(() => look(orEnd) ?? notForItself(watched(), waiting(waited(orEnd))))
    const waited = (orEnd: boolean): Effect.Effect<F | undefined, E | SchedulerLost> =>
      Effect.callback((resume) => {
        const taker = () => {
          const found = look(orEnd)
          if (found === undefined) return
          takers.delete(taker)
          resume(found)
        }
        takers.add(taker)
        taker()
        return Effect.sync(() => {
          takers.delete(taker)
        })
      })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
        for (const entry of [...watching]) stop(entry)
        ready = []
        taken = 0
        wake()
      })
    )
    add(initial)
    return {
      add,
      count: () => ready.length - taken + watching.size,
      next,
      expectMore: () => {
        more = true
      },
      noMore: (exit) => {
        more = false
        if (Exit.isFailure(exit)) failure = Exit.failCause(exit.cause)
        wake()
      }
    }
  })
