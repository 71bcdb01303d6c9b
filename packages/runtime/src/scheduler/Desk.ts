/** What all sessions of a scheduler share. */
import type * as Effect from "effect/Effect"
import type { SubmittedTask } from "@skein/protocol/Graph"
import type { Millis } from "@skein/protocol/Ids"
import type { Logs } from "@skein/protocol/NannyRpcs"
import type { Asking } from "./Asking.ts"
import type { Tables } from "./Handlers.ts"
import type { Inspecting } from "./Inspecting.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { Progress } from "./Progress.ts"
import type { Registry } from "./Registry.ts"
import type { Relaying } from "./Relaying.ts"
import type { SchedulerConfig } from "./SchedulerConfig.ts"

export interface Desk {
  readonly config: SchedulerConfig
  readonly tables: Tables
  readonly registry: Registry
  readonly mailbox: Mailbox
  readonly asking: Asking
  readonly inspecting: Inspecting
  readonly progress: Progress
  readonly relaying: Relaying
  readonly logs: Effect.Effect<Logs>
  /** Ends the cluster; completes when its workers have gone, a moment before the scheduler goes. */
  readonly shutDown: Effect.Effect<void>
  /** Called with the tasks of each submission, before its event. */
  readonly submitted: (tasks: ReadonlyArray<SubmittedTask>) => void
  readonly now: () => Millis
}
