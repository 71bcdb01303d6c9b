/**
 * What a program does its work with: submits tasks, and asks for their results.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ClusterError, type ConnectError, type SubmitError } from "@skein/protocol/Errors"
import type { SchedulerLost, TaskError } from "@skein/protocol/Failure"
import * as TaskImport from "@skein/protocol/TaskImport"
import type { Body, TaskServices } from "@skein/protocol/Task"
import { checkSubmit, type SubmitOptions } from "@skein/protocol/TaskOptions"
import type { Hashing } from "@skein/transport/Hashing"
import { asCompleted, type Completed, type Completions, completions } from "./AsCompleted.ts"
import { type ClientOptions, clientSettings } from "./ClientOptions.ts"
import { Cluster, type ClusterService, clusterOf, type Manager, MoreClients, unsupported } from "./Cluster.ts"
import { connect } from "./Connection.ts"
import { explain } from "./Explain.ts"
import type { CancelOptions, Future } from "./Future.ts"
import { gather, gatherExits } from "./Gather.ts"
import { inlineCore } from "./Inline.ts"
import type { ErrorsOf, Gathered, Inputs } from "./Input.ts"
import { type Inspect, makeInspect } from "./Inspect.ts"
import { ask, type Core } from "./internal/core.ts"
import { cancelAll, ownFutures, retryAll } from "./internal/future.ts"
import { waiting } from "./internal/inTask.ts"
import { located } from "./internal/locating.ts"
import { both, scopeHoldings } from "./internal/scoped.ts"
import { makeSubmission, saying, type Submitter } from "./internal/submission.ts"
import { mapStream } from "./MapStream.ts"
import * as NodePlatform from "./node/Platform.ts"
import type { Platform } from "./Platform.ts"
import { type ProgressOptions, withProgress } from "./Progress.ts"
import { scatter, scatterAll, type ScatterOptions } from "./Scatter.ts"
import type { MapItems, MapOptions, MapStream, MapStreamOptions, Submit } from "./Submit.ts"
import { wait, type Waited, type WaitOptions } from "./Wait.ts"

export interface ClientService {
  /** Unlike any other client's. */
  readonly id: string
  /** The scheduler's. */
  readonly address: string
  /** The same client, with these options for what it submits. */
  with(options: SubmitOptions): ClientService
  /** Completes when the task is on its way; waits while too much is. What only the scheduler can know arrives at the future. */
  readonly submit: Submit
  /** One future per item, in order; many items are sent in batches. */
  readonly map: MapItems
  /** As `map`, each item a list of arguments: Dask's `map(f, xs, ys)`. */
  mapArgs<Args extends ReadonlyArray<any>, A, E = never, R extends TaskServices = never, const I extends Inputs<Args> = Inputs<Args>>(
    task: (...args: Args) => Body<A, E, R>,
    items: Iterable<I> & Iterable<Inputs<Args>>,
    options?: MapOptions<I>
  ): Effect.Effect<ReadonlyArray<Future<A, E | ErrorsOf<I>>>, SubmitError>
  /**
   * Everything submitted by `effect` goes as one graph, in one message, ordered as a whole; very large graphs go as a row of messages,
   * which the scheduler takes as one. If `effect` fails nothing is sent. Nothing may wait, inside it, for what it submits.
   */
  batch<A, E, R>(effect: (client: ClientService) => Effect.Effect<A, E, R>): Effect.Effect<A, E | SubmitError, R>
  /** Results in the shape of the input. The first failure is the answer, and the others are left alone. */
  gather<const I>(futures: I): Effect.Effect<Gathered<I>, ErrorsOf<I> | TaskError>
  gatherExits<F extends Future.Any>(futures: Iterable<F>): Effect.Effect<ReadonlyArray<Exit.Exit<Future.Success<F>, Future.Error<F> | TaskError>>>
  /** The futures themselves in completion order, failed ones too; fetches nothing. */
  asCompleted<F extends Future.Any, E2 = never, R2 = never>(
    futures: Iterable<F> | Stream.Stream<F, E2, R2>
  ): Stream.Stream<F, E2 | SchedulerLost, R2>
  /** The same with what each gave: Dask's `as_completed(…, with_results=True)`. */
  results<F extends Future.Any, E2 = never, R2 = never>(
    futures: Iterable<F> | Stream.Stream<F, E2, R2>
  ): Stream.Stream<Completed<F>, E2 | SchedulerLost, R2>
  /** In completion order, of a set that may grow meanwhile: Dask's `as_completed(…).add`. */
  completions<F extends Future.Any>(futures?: Iterable<F>): Effect.Effect<Completions<F>, never, Scope.Scope>
  /** Fetches nothing; a failed future is done. */
  wait<F extends Future.Any>(futures: Iterable<F>, options?: WaitOptions): Effect.Effect<Waited<F>, SchedulerLost>
  /** One task for each element of a stream, at most `window` in flight. The first failure fails the stream, and cancels what is in flight. */
  readonly mapStream: MapStream
  /**
   * A value of this program's own, sent to a worker, for tasks that use it: Dask's `scatter`. Completes when it is there, and waits
   * for a worker if there is none. When all workers that have it are gone it is "lost", and whatever needs it fails with `DataLost`.
   */
  scatter<A>(value: A, options?: ScatterOptions): Effect.Effect<Future<A>, SubmitError>
  /** One future per value, in the shape of the input: Dask's `scatter([…])` and `scatter({…})`. */
  scatterAll<const T extends Iterable<unknown> | Readonly<Record<string, unknown>>>(
    values: T,
    options?: ScatterOptions
  ): Effect.Effect<
    T extends ReadonlyArray<any> ? { readonly [K in keyof T]: Future<T[K]> }
      : T extends Iterable<infer A> ? ReadonlyArray<Future<A>>
      : { readonly [K in keyof T]: Future<T[K]> },
    SubmitError
  >
  /** More copies of results on other workers. Fails with "Unsupported" in this version. */
  replicate(futures: Iterable<Future.Any>, options?: { readonly n?: number; readonly workers?: ReadonlyArray<string> }): Effect.Effect<void, TaskError | ClusterError>
  /** Moves results from full workers to others. Fails with "Unsupported" in this version. */
  rebalance(futures?: Iterable<Future.Any>): Effect.Effect<void, TaskError | ClusterError>
  /** Completes once nothing of them runs any more; those that other clients want go on, without `force`. */
  cancel(futures: Iterable<Future.Any>, options?: CancelOptions): Effect.Effect<void, SchedulerLost>
  /**
   * The task is computed whoever holds a future of it then: Dask's `fire_and_forget`. If it fails, the scheduler's log says so. Dies
   * with `SubmitError` for a future of another client, or one that has been released.
   */
  fireAndForget(future: Future.Any): Effect.Effect<void, SchedulerLost>
  /**
   * A handle on a key that somebody submitted, whose result is revived through the schema; never fails here, its result may: of a key
   * that nobody knows it is "lost". Asked again, the scheduler is asked again.
   */
  future<A, E = never>(key: string, schema?: Schema.Codec<A>): Effect.Effect<Future<A, E>>
  /** Computes those that failed or were cancelled again. */
  retry(futures: Iterable<Future.Any>): Effect.Effect<void, SchedulerLost>
  /** The cluster behind this client, to be looked at and operated. */
  readonly cluster: ClusterService
  /** The same client, whose futures are released when the scope ends. */
  readonly scoped: Effect.Effect<ClientService, never, Scope.Scope>
  /** The present state of the connection and every later one; ends after "lost". A slow reader misses some in between, never the last. */
  readonly connection: Stream.Stream<"connected" | "reconnecting" | "lost">
  /** A bar in the terminal until all are done; lines where there is no terminal. */
  withProgress(futures: Iterable<Future.Any>, options?: ProgressOptions): Effect.Effect<void, SchedulerLost>
  /** Fails with "Timeout". @default timeout: none */
  waitForWorkers(n: number, options?: { readonly timeout?: Duration.Input }): Effect.Effect<void, ClusterError | SchedulerLost>
  /** Why a key is not running, or where it is, or why it failed: one sentence. */
  explain(key: string | Future.Any): Effect.Effect<string, SchedulerLost>
  readonly inspect: Inspect
}

declare module "@skein/protocol/TaskContext" {
  /** What the package of the protocol cannot say. */
  interface InTaskClient extends ClientService {}
}

export class Client extends Context.Service<Client, ClientService>()("skein/Client") {
  /** With neither address nor file: fails with BadAddress, and says to use `layerAuto` or `LocalCluster.layer`. */
  static layer(options: ClientOptions): Layer.Layer<Client, ConnectError> {
    return Layer.provide(layerOn(options), NodePlatform.layer)
  }

  /**
   * No cluster: bodies run where they are submitted, each in a fiber of this program; for unit tests. They need not travel, so closures
   * will do, but values are copied as ever. Contracts find their layer around the fiber that submits them. There is one worker, called
   * "inline", without slots: `workers`, `resources` and `isolation` choose nothing there.
   */
  static readonly layerInline: Layer.Layer<Client> = Layer.fresh(Layer.suspend(() => {
    const client = Effect.map(inlineCore((core) => {
      const client = makeService(core)
      return { context: Context.make(Client, client), client }
    }), (core) => makeService(core))
    return Layer.provide(Layer.effect(Client, TaskImport.notForTasks(client)), NodePlatform.layer)
  }))

  /** A region: what is submitted through `Client` inside `Effect.provide(Client.layerScoped)` is released at its end. Fresh at every use. */
  static readonly layerScoped: Layer.Layer<Client, never, Client> = Layer.fresh(
    Layer.effect(Client, Effect.flatMap(Client, ({ scoped }) => scoped))
  )

  /** Dask's `Client(cluster)`: one more client of a cluster in scope, with its token. */
  static readonly layerCluster: Layer.Layer<Client, ConnectError, Cluster> = Layer.fresh(Layer.effect(
    Client,
    Effect.gen(function*() {
      const { schedulerAddress } = yield* Cluster
      const more = yield* Effect.serviceOption(MoreClients)
      return yield* Option.isSome(more) ? more.value : Effect.provide(make({ address: schedulerAddress }), NodePlatform.layer)
    })
  ))
}

/** A client on any platform. */
export const layerOn = (options: ClientOptions): Layer.Layer<Client, ConnectError, Platform | Hashing> =>
  // Where a worker imports the program for its tasks, the program is not begun.
  Layer.effect(Client, TaskImport.notForTasks(make(options)))

/**
 * A client on any platform, whose session ends with the scope, or as soon as `gone` completes: whoever started the scheduler knows
 * of its end before the session does. `manager`: whoever manages the workers. @default gone: never; manager: not this program
 */
export const make = Effect.fnUntraced(function*(
  options: ClientOptions,
  gone: Effect.Effect<unknown> = Effect.never,
  manager?: Manager
): Effect.fn.Return<ClientService, ConnectError, Platform | Hashing | Scope.Scope> {
  const settings = yield* Effect.flatMap(Effect.fromResult(clientSettings(options)), located)
  return makeService(yield* connect(settings, gone), manager)
})

/** One face of a core: the client as it is before any `with`. */
export const makeService = (core: Core, manager?: Manager): ClientService => {
  const submission = makeSubmission(core)
  const inspect = makeInspect(core)
  const cluster = clusterOf(core, manager)
  const face = (by: Submitter): ClientService => ({
    id: core.id,
    address: core.address,
    with: (options) => face({ ...by, said: saying(by.said, checkSubmit(options)) }),
    // The types of submit and map are what the implementation cannot see: it carries any task and any arguments.
    submit: ((task: object, ...args: ReadonlyArray<unknown>) => submission.submit(task, args, by)) as unknown as Submit,
    map: ((task: object, items: Iterable<unknown>, options?: MapOptions<unknown>) => submission.map(task, items, by, options)) as unknown as MapItems,
    mapArgs: ((task: object, items: Iterable<unknown>, options?: MapOptions<unknown>) =>
      submission.mapArgs(task, items, by, options)) as unknown as ClientService["mapArgs"],
    batch: (effect) => submission.batch((batch) => effect(face({ ...by, batch })), by),
    // What futures hold is known to their types only.
    gather: <I>(shape: I) => gather(core, shape) as Effect.Effect<Gathered<I>, ErrorsOf<I> | TaskError>,
    gatherExits: <F extends Future.Any>(futures: Iterable<F>) =>
      gatherExits(core, futures) as Effect.Effect<ReadonlyArray<Exit.Exit<Future.Success<F>, Future.Error<F> | TaskError>>>,
    asCompleted: (futures) => asCompleted(core, futures),
    results: (futures) =>
      Stream.mapEffect(asCompleted(core, futures), (future) => Effect.map(Effect.exit(future.result), (exit) => ({ future, exit }) as Completed<typeof future>)),
    completions: (futures = []) => completions(core, futures),
    wait: (futures, options) => wait(core, futures, options),
    mapStream: ((task: object, input: Stream.Stream<unknown, unknown>, options?: MapStreamOptions) =>
      mapStream(input, (item) => submission.submit(task, [item], by), options)) as unknown as MapStream,
    // The value's type is the future's, which is all that it is for.
    scatter: <A>(value: A, options?: ScatterOptions) =>
      Effect.map(scatter(core, [[[], value]], options, by), ([future]) => future as unknown as Future<A>),
    scatterAll: ((values: Iterable<unknown> | Readonly<Record<string, unknown>>, options?: ScatterOptions) =>
      scatterAll(core, values, options, by)) as unknown as ClientService["scatterAll"],
    cancel: (futures, options = {}) => Effect.suspend(() => Effect.asVoid(cancelAll(core, ownFutures(core, futures), options))),
    fireAndForget: submission.fireAndForget,
    // What a key's value is only its user knows, or the schema.
    future: <A, E = never>(key: string, schema?: Schema.Codec<A>) => submission.future(key, schema, by) as Effect.Effect<Future<A, E>>,
    retry: (futures) => Effect.suspend(() => retryAll(core, ownFutures(core, futures))),
    replicate: () => unsupported("replicate", "Workers that use a result keep a copy already; copies on request come with the next stage"),
    rebalance: () => unsupported("rebalance", "New tasks go to the workers that have room; results that move to other workers come with the next stage"),
    cluster,
    scoped: Effect.map(scopeHoldings, (scope) => face({ ...by, scope: by.scope === undefined ? scope : both(by.scope, scope) })),
    connection: core.connection,
    withProgress: (futures, options) => withProgress(core, futures, options),
    explain: (key) => explain(core, key),
    waitForWorkers: (n, options) => waitForWorkers(core, n, options?.timeout),
    inspect
  })
  return face({ said: Result.succeed({}), batch: undefined, scope: undefined })
}

const waitForWorkers = (core: Core, count: number, timeout: Duration.Input | undefined): Effect.Effect<void, ClusterError | SchedulerLost> => {
  const bad = (option: string, detail: string) => Effect.fail(ClusterError.because("BadOption", { option, detail }))
  if (!(Number.isSafeInteger(count) && count >= 1)) return bad("n", "the number of workers to wait for is a whole number from 1")
  const come = waiting(ask(core, (scheduler) => scheduler.AwaitWorkers({ count })))
  if (timeout === undefined) return come
  const limit = Duration.fromInput(timeout)
  if (Option.isNone(limit)) return bad("timeout", "a length of time, such as \"30 seconds\"")
  return Effect.timeoutOrElse(come, {
    duration: limit.value,
    orElse: () =>
      Effect.fail(ClusterError.because("Timeout", {
        detail: `fewer than ${count} workers came within ${Duration.format(limit.value)}; see whether they start, or wait longer`
      }))
  })
}
