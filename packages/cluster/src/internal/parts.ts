/**
 * What stands behind a client of a local cluster, whichever way it was started.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { Manager } from "@skein/client/Cluster"

export interface Parts extends Manager {
  /** Where the scheduler listens. */
  readonly address: string
  readonly token: Redacted.Redacted<string>
  /** Completes when the scheduler has gone, for whatever reason. */
  readonly gone: Effect.Effect<void>
}
