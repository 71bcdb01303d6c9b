/**
 * The cluster behind a client: what can be asked of all of it at once.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { ClusterError, SchedulerLost } from "@skein/protocol/Errors"

export interface ClusterService {
  /** As clients and workers dial it. */
  readonly schedulerAddress: string
  /**
   * Starts or ends workers until there are so many. Returns when the new ones
   * have registered, or the superfluous ones have gone: the youngest go first,
   * and what they alone held is computed again where it is wanted.
   */
  scale(workers: number): Effect.Effect<void, ClusterError | SchedulerLost>
  /** "scheduler", each worker's name, "cluster" → the last 1,000 lines, oldest first. */
  readonly logs: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, SchedulerLost>
  /** Ends workers and scheduler. Best effort, hence without an error; once is enough. */
  readonly shutdown: Effect.Effect<void>
}

export class Cluster extends Context.Service<Cluster, ClusterService>()("skein/Cluster") {}
