/**
 * Types of `client.submit`, `client.map` and `client.mapStream`.
 *
 * Overloads stand in the order in which they explain themselves best: contracts,
 * functions, functions inside generic code, and last what fits nowhere else,
 * whose messages are those a user reads.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { SubmitError } from "@skein/protocol/Errors"
import type { TaskError } from "@skein/protocol/Failure"
import type { Body, Returned, ReturnedE, ReturnedR, Task, TaskServices } from "@skein/protocol/Task"
import type { Future } from "./Future.ts"
import type { ErrorsOf, Holds, Input, Inputs, Received, ReceivedAll } from "./Input.ts"

export type PayloadArgs<P extends Schema.Top> = void extends P["Type"] ? [payload?: Input<P["~type.make.in"]>] : [payload: Input<P["~type.make.in"]>]
/** Refuses what is still generic, so that the overload for generic code sees it. */
type Closed<I> = Holds<I> extends infer _ ? unknown : never
/** Refuses a body that needs what no worker provides. */
type Runs<T> = [Exclude<ReturnedR<T>, TaskServices>] extends [never] ? unknown : { readonly "no worker provides": Exclude<ReturnedR<T>, TaskServices> }
type AnyTask = Task.Any | ((...args: any) => any)
type ArgsOf<T> = T extends Task<any, infer P, any, any> ? PayloadArgs<P> : T extends (...args: infer Args) => any ? Inputs<Args> : never
type ResultOf<T> = T extends Task<any, any, infer S, infer F> ? Effect.Effect<S["Type"], F["Type"]> : T extends (...args: any) => infer B ? B : never
type Submitted<A, E> = Effect.Effect<Future<A, E>, SubmitError>

export interface Submit {
  <N extends string, P extends Schema.Top, S extends Schema.Top, F extends Schema.Top, const I extends PayloadArgs<P>>(
    task: Task<N, P, S, F>,
    ...payload: I & NoInfer<PayloadArgs<P>>
  ): Submitted<S["Type"], F["Type"] | ErrorsOf<I>>
  /** Parameters are known from the body, or else from the arguments. */
  <const I extends ReadonlyArray<unknown>, Args extends ReadonlyArray<any> = ReceivedAll<I>, A = never, E = never, R extends TaskServices = never>(
    task: (...args: Args) => Body<A, E, R>,
    ...args: I & NoInfer<Inputs<Args>> & Closed<I>
  ): Submitted<A, E | ErrorsOf<I>>
  /** Inside generic functions. */
  <Args extends ReadonlyArray<any>, A, E = never, R extends TaskServices = never>(
    task: (...args: Args) => Body<A, E, R>,
    ...args: Args
  ): Submitted<A, E>
  /** Everything else: bodies that return one of several Effects; and the messages of what fits nowhere. */
  <T extends AnyTask, const I extends ArgsOf<T>>(
    task: T & Runs<ResultOf<T>>,
    ...args: I
  ): Submitted<Returned<ResultOf<T>>, ReturnedE<ResultOf<T>> | ErrorsOf<I>>
}

/** Per item; wins over `client.with`. */
export interface MapOptions<I> {
  /**
   * Items in one graph at most; each graph starts when it is complete. @default each item is one by itself: the first ones run while
   * later ones are still being sent. If one of these cannot be sent the others are given up, but some may have begun.
   */
  readonly batchSize?: number
  readonly keys?: (item: I, index: number) => string
  readonly priority?: (item: I, index: number) => number
}

type Item<T> = T | Future<T, any> | NoInfer<Input<T>>
type Mapped<A, E> = Effect.Effect<ReadonlyArray<Future<A, E>>, SubmitError>

export interface MapItems {
  <N extends string, P extends Schema.Top, S extends Schema.Top, F extends Schema.Top, const I extends Input<P["~type.make.in"]>>(
    task: Task<N, P, S, F>,
    payloads: Iterable<I>,
    options?: MapOptions<I>
  ): Mapped<S["Type"], F["Type"] | ErrorsOf<I>>
  <const I, A0 = Received<I>, A = never, E = never, R extends TaskServices = never>(
    task: (item: A0) => Body<A, E, R>,
    items: Iterable<I> & NoInfer<Iterable<Input<A0>>> & Closed<I>,
    options?: MapOptions<I>
  ): Mapped<A, E | ErrorsOf<I>>
  <A0, A, E = never, R extends TaskServices = never>(
    task: (item: A0) => Body<A, E, R>,
    items: Iterable<A0>,
    options?: MapOptions<A0>
  ): Mapped<A, E>
  <A0, T, const I extends Item<A0> = Item<A0>>(
    task: (item: A0) => T & Runs<T>,
    items: Iterable<I> & Iterable<Item<A0>>,
    options?: MapOptions<I>
  ): Mapped<Returned<T>, ReturnedE<T> | ErrorsOf<I>>
}

export interface MapStreamOptions {
  /** Tasks in flight at most. @default 64 */
  readonly window?: number
  /** Results in the order of the input, not in that in which they come. @default true */
  readonly ordered?: boolean
}

export interface MapStream {
  <I, E2, R2, A, E = never, R extends TaskServices = never>(
    task: (item: Received<I>) => Body<A, E, R>,
    input: Stream.Stream<I, E2, R2>,
    options?: MapStreamOptions
  ): Stream.Stream<A, E | E2 | ErrorsOf<I> | TaskError | SubmitError, R2>
  <N extends string, P extends Schema.Top, S extends Schema.Top, F extends Schema.Top, E2, R2, I extends Input<P["~type.make.in"]>>(
    task: Task<N, P, S, F>,
    input: Stream.Stream<I, E2, R2>,
    options?: MapStreamOptions
  ): Stream.Stream<S["Type"], F["Type"] | E2 | ErrorsOf<I> | TaskError | SubmitError, R2>
}
