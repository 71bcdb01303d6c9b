/**
 * Connections that are kept for whoever needs one to the same address next.
 *
 * One user at a time. A connection that idles too long, or that the other side
 * closes meanwhile, is closed. When there are as many as may be, the one that has
 * idled longest makes room, or else the next user waits.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"

export interface PoolOptions<A, E> {
  readonly open: (address: string) => Effect.Effect<A, E, Scope.Scope>
  /** Completes or fails when an idle connection is of no more use. */
  readonly spoiled: (connection: A) => Effect.Effect<unknown, unknown>
  readonly limit: number
  readonly idleMs: number
}

export interface Pooled<A> {
  readonly connection: A
  /** It has served others before. */
  readonly reused: boolean
}

interface Entry<A> {
  readonly address: string
  readonly connection: A
  readonly scope: Scope.Closeable
}

/** A pool whose connections close with the scope. */
export const makePool = Effect.fnUntraced(function*<A, E>(options: PoolOptions<A, E>) {
  const poolScope = yield* Effect.scope
  const slots = Semaphore.makeUnsafe(options.limit)
  /** With who watches them; oldest first. An idle connection keeps its slot. */
  const idle = new Map<Entry<A>, Fiber.Fiber<unknown, unknown>>()
  let waiting = 0

  const discard = (entry: Entry<A>) => Effect.ensuring(Scope.close(entry.scope, Exit.void), slots.release(1))
  /** Takes the entry from among the idle, if it is still there. */
  const claim = (entry: Entry<A>): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const watcher = idle.get(entry)
      return idle.delete(entry) && watcher !== undefined ? Effect.as(Fiber.interrupt(watcher), true) : Effect.succeed(false)
    })
  const park = (entry: Entry<A>) =>
    Effect.gen(function*() {
      const parked = Latch.makeUnsafe(false)
      const watching = Effect.raceFirst(Effect.exit(options.spoiled(entry.connection)), Effect.sleep(options.idleMs))
      const watcher = yield* parked.await.pipe(
        Effect.andThen(watching),
        Effect.andThen(Effect.uninterruptible(Effect.suspend(() => idle.delete(entry) ? discard(entry) : Effect.void))),
        Effect.forkIn(poolScope)
      )
      idle.set(entry, watcher)
      parked.openUnsafe()
    })

  const takeSlot = Effect.gen(function*() {
    if (yield* slots.takeIfAvailable(1)) return
    for (const oldest of idle.keys()) {
      if (!(yield* claim(oldest))) continue
      yield* discard(oldest)
      break
    }
    waiting++
    yield* Effect.ensuring(
      slots.take(1),
      Effect.sync(() => {
        waiting--
      })
    )
  })
  const open = (address: string) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(poolScope)
      const connection = yield* Effect.onError(Scope.provide(options.open(address), scope), (cause) =>
        Effect.ensuring(Scope.close(scope, Exit.failCause(cause)), slots.release(1)))
      const entry: Entry<A> = { address, connection, scope }
      return entry
    })
  const findIdle = Effect.fnUntraced(function*(address: string) {
    for (const entry of [...idle.keys()].reverse()) {
      if (entry.address === address && (yield* claim(entry))) return entry
    }
    return undefined
  })
  const release = (entry: Entry<A>, exit: Exit.Exit<unknown, unknown>) =>
    Exit.isFailure(exit) || waiting > 0 || poolScope.state._tag === "Closed" ? discard(entry) : park(entry)

  return {
    /** Uses a connection to this address; whatever stops `use` closes it. `fresh`: one that nobody has used. */
    use: <B, E2, R>(
      address: string,
      use: (pooled: Pooled<A>) => Effect.Effect<B, E2, R>,
      { fresh = false }: { readonly fresh?: boolean } = {}
    ): Effect.Effect<B, E | E2, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          const known = fresh ? undefined : yield* findIdle(address)
          if (known === undefined) yield* restore(takeSlot)
          const entry = known ?? (yield* restore(open(address)))
          const exit = yield* Effect.exit(restore(use({ connection: entry.connection, reused: known !== undefined })))
          yield* release(entry, exit)
          return yield* exit
        })
      ),
    /** Connections that nobody uses just now. */
    idle: () => idle.size
  }
})
