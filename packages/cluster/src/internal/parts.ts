/**
 * What stands behind a client of a local cluster, whichever way it was started.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ClusterService } from "../Cluster.ts"

export interface Parts extends Omit<ClusterService, "schedulerAddress"> {
  /** Where the scheduler listens. */
  readonly address: string
  readonly token: Redacted.Redacted<string>
  /** Completes when the scheduler has gone, for whatever reason. */
  readonly gone: Effect.Effect<void>
}
