/**
 * The client that bodies find around them.
 *
 * Which one that is, this package does not know, for a client stands beside it
 * and not under it: the program that starts a worker puts the two together. A
 * worker that nobody gave one runs bodies without.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ClientKey } from "@skein/protocol/Task"
import type { InTaskClient } from "@skein/protocol/TaskContext"
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

/** None, for a body in a thread: one that asks for it hears where there is one, as soon as it uses it. */
export const inThread = (task: string): TaskClient =>
  Effect.sync(() => {
    const refuse = (): never => {
      throw new InThread({ key: task, why: "there is no client in a thread" })
    }
    // The cast says what `TaskClient` says in words: whatever is looked up in this client throws.
    return Context.make(ClientService, new Proxy({} as InTaskClient, { get: refuse, has: refuse })) as Context.Context<never>
  })

/** A body in a thread asked for what only bodies in the worker's own process have. */
export class InThread extends Schema.TaggedError<InThread>()("InThread", { key: Schema.String, why: Schema.String }) {
  override get message() {
    return `the task ${this.key} runs in a thread, and ${this.why}\n  fix  \`isolation: "fiber"\`, which is what Effects have if nothing is said`
  }
}

/** The service `Client` of this client. */
export const service = (client: TaskClient): Effect.Effect<InTaskClient> =>
  Effect.flatMap(client, (around) => Option.match(Context.getOption(around as Context.Context<ClientKey>, ClientService), {
    onNone: () => Effect.die(new Error("this worker was started without a client for its tasks")),
    onSome: Effect.succeed
  }))

/** By its key, which is all that is known of it here. */
const ClientService = Context.Service<ClientKey, InTaskClient>("skein/Client")

/** Gives an effect the client that is around. The cast says of the context what `TaskClient` says in words. */
export const provideTo = <A, E, R>(effect: Effect.Effect<A, E, R>, client: TaskClient): Effect.Effect<A, E, Exclude<R, ClientKey>> =>
  Effect.flatMap(client, (around) => Effect.provideContext(effect, around as Context.Context<ClientKey>))

export const TaskClients = Context.Reference<TaskClients>("@skein/runtime/worker/TaskClients", {
  defaultValue: () => ({ make: () => Effect.succeed(none) })
})
