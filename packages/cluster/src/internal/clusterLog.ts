/**
 * What the cluster itself has to tell: who came, who went and why. At most 1,000 lines.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { Ring } from "@skein/runtime/nanny/Lines"

export interface ClusterLog {
  readonly add: (text: string) => Effect.Effect<void>
  /** Oldest first. */
  readonly all: Effect.Effect<ReadonlyArray<string>>
}

export const make: Effect.Effect<ClusterLog> = Effect.sync(() => {
  const lines = new Ring<string>(1_000)
  return {
    add: (text) => Effect.map(Clock.currentTimeMillis, (at) => lines.push(`${DateTime.formatIso(DateTime.makeUnsafe(at))} ${text}`)),
    all: Effect.sync(() => lines.all())
  }
})
