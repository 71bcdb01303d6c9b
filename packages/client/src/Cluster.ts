/**
 * The cluster behind a client: what can be asked of all of it at once.
 *
 * It stands here and not beside those who start clusters, for every client shows
 * the cluster that it belongs to, whoever started that.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ClusterError, type ConnectError } from "@skein/protocol/Errors"
import type { SchedulerLost } from "@skein/protocol/Failure"
import type { ClientService } from "./Client.ts"
import { ask, type Core } from "./internal/core.ts"
import { waiting } from "./internal/inTask.ts"

export interface AdaptOptions {
  /** @default 0 */
  readonly minimum?: number
  readonly maximum: number
  /** Between two looks. @default "1 second" */
  readonly interval?: Duration.Input
  /** Work should be done in about this time. @default "5 seconds" */
  readonly targetDuration?: Duration.Input
  /** Looks in a row that must find a worker superfluous before it goes. @default 3 */
  readonly waitCount?: number
}

/** `scale`, `adapt` and `restart` fail with "Unsupported" where nobody manages the workers. */
export interface ClusterService {
  /** As clients and workers dial it. */
  readonly schedulerAddress: string
  /** Where the dashboard is; clusters of this version have none. */
  readonly dashboardLink: Option.Option<string>
  /**
   * Starts or ends workers until there are so many. Returns when the new ones
   * have registered, or the superfluous ones have gone: the youngest go first,
   * and what they alone held is computed again where it is wanted.
   */
  scale(workers: number): Effect.Effect<void, ClusterError | SchedulerLost>
  /** As many workers as the work needs, until the scope ends. Fails with "Unsupported" in this version. */
  adapt(options: AdaptOptions): Effect.Effect<void, ClusterError | SchedulerLost, Scope.Scope>
  /**
   * "scheduler", each worker's name, "cluster" → the last 1,000 lines, oldest first. Of a cluster that was started elsewhere as many as
   * fit into one message, and none of workers without a nanny.
   */
  readonly logs: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, SchedulerLost>
  /** Workers by name or address; their data would move to others first. Fails with "Unsupported" in this version. */
  retire(workers: ReadonlyArray<string>): Effect.Effect<void, ClusterError | SchedulerLost>
  /**
   * Begins anew: all tasks of all clients are cancelled, their futures fail with `TaskCancelled`, all results are dropped, and every
   * worker is started again. Returns when as many workers as before have registered. Dask's `client.restart()`.
   */
  readonly restart: Effect.Effect<void, ClusterError | SchedulerLost>
  /** Ends workers and scheduler. Best effort, hence without an error; once is enough. */
  readonly shutdown: Effect.Effect<void>
}

export class Cluster extends Context.Service<Cluster, ClusterService>()("skein/Cluster") {}

/** What whoever manages the workers of a cluster can do. */
export interface Manager extends Pick<ClusterService, "scale" | "logs" | "shutdown"> {
  /** Starts again those that no nanny starts, after the scheduler has ended them all. */
  readonly revive: Effect.Effect<void, ClusterError>
}

/** How long workers may take to come back. */
const RESTART_MS = 120_000

/** The cluster of this client's scheduler. `manager`: who manages its workers, if that is this program. */
export const clusterOf = (core: Core, manager?: Manager): ClusterService => ({
  schedulerAddress: core.address,
  dashboardLink: Option.none(),
  scale: manager?.scale ?? (() => unsupported("scale", "Its workers were started elsewhere: start more there, or end some")),
  adapt: () => unsupported("adapt", "Call `scale` for now: clusters that grow and shrink by themselves come with the next stage"),
  logs: manager?.logs ?? Effect.map(ask(core, (scheduler) => scheduler.Logs()), (parts) =>
    new Map([["cluster", []], ...parts.map(({ lines, name }) => [name, lines] as const)])),
  retire: () => unsupported("retire", "Call `scale` for now: results that move to other workers come with the next stage"),
  restart: restart(core, manager),
  shutdown: manager?.shutdown ?? Effect.ignore(ask(core, (scheduler) => scheduler.ShutDown()))
})

/** Something that clusters of this version cannot do, and what to do instead. */
export const unsupported = (option: string, detail: string): Effect.Effect<never, ClusterError> => Effect.fail(ClusterError.because("Unsupported", { option, detail }))

const restart = (core: Core, manager: Manager | undefined): Effect.Effect<void, ClusterError | SchedulerLost> =>
  // What was submitted before is cancelled too.
  Effect.andThen(core.outbox.flushed, waiting(ask(core, (scheduler) => scheduler.Restart({ workers: null })))).pipe(
    Effect.flatMap((isDone) => isDone ? Effect.void : manager === undefined ? unsupported("restart", NOBODY_STARTS) : anew(core, manager)),
    Effect.timeoutOrElse({
      duration: RESTART_MS,
      orElse: () => Effect.fail(ClusterError.because("Timeout", { detail: "not all workers came back within 2 minutes; see `cluster.logs` for why" }))
    })
  )

const NOBODY_STARTS = "Its workers have no nanny, so nobody would start them again: start them with `skein worker`, which has one"

/** No worker has a nanny: all that are there end, and their manager starts as many. */
const anew = (core: Core, { revive }: Manager): Effect.Effect<void, ClusterError | SchedulerLost> =>
  Effect.andThen(ask(core, (scheduler) => scheduler.Restart({ workers: 0 })), revive)

/**
 * One more client of a cluster, with the token and the network that the first one has; ends with the scope. Whoever starts a cluster
 * puts it beside `Cluster`: a user's program need not know what it takes to get in.
 */
export class MoreClients extends Context.Service<MoreClients, Effect.Effect<ClientService, ConnectError, Scope.Scope>>()("@skein/client/MoreClients") {}
