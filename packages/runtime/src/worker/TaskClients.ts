/**
 * The client that bodies find around them.
 *
 * Which one that is, this package does not know, for a client stands beside it
 * and not under it: the program that starts a worker puts the two together. A
 * worker that nobody gave one runs bodies without.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ClientKey } from "@skein/protocol/Task"
import type { WorkerConfig } from "./WorkerConfig.ts"

export interface TaskClients {
  /**
   * Begins one worker's; it ends with the scope. What it gives is asked for each body anew, and has the service `Client` of the
   * worker's scheduler: one that still has its session, or has not needed any.
   */
  readonly make: (config: WorkerConfig) => Effect.Effect<TaskClient, never, Scope.Scope>
}

/** Has the service `Client`, under a key that no type here can name. */
export type TaskClient = Effect.Effect<Context.Context<never>>

/** None: bodies that ask for it die of that, and say so. */
export const none: TaskClient = Effect.succeed(Context.empty())

/** Gives an effect the client that is around. The cast says of the context what `TaskClient` says in words. */
export const provideTo = <A, E, R>(effect: Effect.Effect<A, E, R>, client: TaskClient): Effect.Effect<A, E, Exclude<R, ClientKey>> =>
  Effect.flatMap(client, (around) => Effect.provideContext(effect, around as Context.Context<ClientKey>))

export const TaskClients = Context.Reference<TaskClients>("@skein/runtime/worker/TaskClients", {
  defaultValue: () => ({ make: () => Effect.succeed(none) })
})
