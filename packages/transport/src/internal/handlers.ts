/**
 * What happens around every handler: its defects are logged here, since the
 * caller is not told them; and tells are counted, and begin in order.
 */
import { Tell } from "@skein/protocol/Tell"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"

/** Whether the Rpc is a tell. */
export const isTell = (rpc: Rpc.Any): boolean => Context.getOrUndefined(rpc.annotations, Tell) === true

export interface TellCount {
  /** One more; what is to be done if that is too many. */
  readonly begin: () => Effect.Effect<void> | undefined
  readonly end: () => void
}

/** The same context, each handler of the group replaced by itself under watch. */
export const watchHandlers = <R, S extends Rpc.Any>(context: Context.Context<R>, group: RpcGroup.RpcGroup<S>, tells: TellCount): Context.Context<R> => {
  let watched: Context.Context<R> = context
  for (const rpc of group.requests.values() as Iterable<Rpc.Any>) {
    const key = Context.Service<Rpc.Handler<string>>(rpc.key)
    const entry = Context.getOrUndefined(context, key)
    if (entry === undefined) continue
    // The same service under the same key, so the type stays.
    watched = Context.add(watched, key, isTell(rpc) ? watchTell(rpc, entry, tells) : watch(rpc, entry)) as Context.Context<R>
  }
  return watched
}

const logDefect = (rpc: Rpc.Any) => (cause: Cause.Cause<unknown>) =>
  Cause.hasDies(cause) ? Effect.logError(`the handler of "${rpc._tag}" failed by a defect`, cause) : Effect.void

const watch = (rpc: Rpc.Any, entry: Rpc.Handler<string>): Rpc.Handler<string> => ({
  ...entry,
  handler: (payload, options) => {
    const result = call(entry, payload, options)
    if (Rpc.isWrapper(result)) return Rpc.wrap({ fork: result.fork, uninterruptible: result.uninterruptible })(logged(rpc, result.value) as object) as never // a wrapper of the same
    return logged(rpc, result) as never // the same kind of result: an effect or a stream
  }
})

const logged = (rpc: Rpc.Any, result: unknown): unknown => {
  if (Effect.isEffect(result)) return Effect.tapCause(result, logDefect(rpc))
  return Stream.isStream(result) ? Stream.tapCause(result, logDefect(rpc)) : result
}

/** A handler that throws instead of failing has a defect like any other. */
const call = (entry: Rpc.Handler<string>, ...[payload, options]: Parameters<Rpc.Handler<string>["handler"]>): object => {
  try {
    return entry.handler(payload, options)
  } catch (defect) {
    return Effect.die(defect)
  }
}

/**
 * `RpcServer` starts each handler in its own fiber, synchronously, as its request arrives. So their synchronous beginnings run in
 * order, provided that nothing preempts them on the way: not the scheduler, and not the limit on concurrent handlers (`fork`).
 */
const watchTell = (rpc: Rpc.Any, entry: Rpc.Handler<string>, tells: TellCount): Rpc.Handler<string> => ({
  ...entry,
  context: Context.add(entry.context, Scheduler.PreventSchedulerYield, true),
  handler: (payload, options) => {
    const result = call(entry, payload, options)
    const handler: unknown = Rpc.isWrapper(result) ? result.value : result
    if (!Effect.isEffect(handler)) return Effect.die(new Error(`"${rpc._tag}" is a tell: its handler is an effect`)) as never
    const tooMany = tells.begin()
    if (tooMany !== undefined) {
      tells.end()
      return Rpc.fork(tooMany) as never
    }
    return Rpc.fork(handler.pipe(Effect.tapCause(logDefect(rpc)), Effect.ensuring(Effect.sync(tells.end)), Effect.asVoid)) as never
  }
})
