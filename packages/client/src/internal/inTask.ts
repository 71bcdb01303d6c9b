/**
 * What is different for a client that is used in the body of a task.
 *
 * The body is found in the context of the fiber, so it does not matter whose
 * client it is: the worker's, one that a layer built, or one of the body's own.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TaskContext, TaskHoldings, waitingForTasks } from "@skein/protocol/TaskContext"
import { both } from "./scoped.ts"

/** Whatever waits for tasks: in a body, the slot is another's meanwhile, for those tasks may need it. */
export const waiting = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const task = Context.getOrUndefined(fiber.context, TaskContext)
    return task === undefined ? effect : task[waitingForTasks](effect)
  })

/** The same of each element of a stream. */
export const waitingStream = <A, E, R>(stream: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.transformPull(stream, (pull) => Effect.succeed(waiting(pull)))

/** Who gives up what is submitted: the body that this fiber runs, the scope of a `scoped` client, or both. */
export const holdingsOf = (fiber: Fiber.Fiber<unknown, unknown>, scope: TaskHoldings["Service"] | undefined): TaskHoldings["Service"] | undefined => {
  const body = Context.getOrUndefined(fiber.context, TaskHoldings)
  return body === undefined || scope === undefined ? body ?? scope : both(body, scope)
}
