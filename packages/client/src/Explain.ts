/**
 * Why a key is not running, or where it is, or why it failed: one sentence, which
 * the scheduler says of what it knows, and this side of what it alone knows.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { type SchedulerLost, TaskError } from "@skein/protocol/Failure"
import type { Key } from "@skein/protocol/Ids"
import type { Future } from "./Future.ts"
import { batchOf } from "./internal/batch.ts"
import { ask, type Core } from "./internal/core.ts"
import { FutureOf } from "./internal/future.ts"
import type { Held } from "./internal/held.ts"

export const explain = (core: Core, of: string | Future.Any): Effect.Effect<string, SchedulerLost> =>
  Effect.suspend(() => {
    const key = typeof of === "string" ? of : of.key
    const held = typeof of === "string" ? core.references.find(of) : of instanceof FutureOf && of.core === core && !of.isReleased ? of.handle.held : undefined
    const own = held === undefined ? undefined : ownKnowledge(held)
    if (own !== undefined) return Effect.succeed(own)
    // The cast names a text as what the user says it is: a key, known or not.
    return Effect.andThen(core.outbox.flushed, ask(core, (scheduler) => scheduler.Explain({ key: key as Key })))
  })

/** What the scheduler does not know, or knows of another task of this key. */
const ownKnowledge = (held: Held): string | undefined => {
  if (batchOf(held) !== undefined) return `"${held.key}" is in a batch that has not been sent yet.`
  if (held.state._tag !== "Failed") return undefined
  const error = Cause.squash(held.state.cause())
  if (!(error instanceof TaskError) || error.key !== held.key || !schedulersRefusals.has(error.reason._tag)) return undefined
  const [first = ""] = error.reason.message.split("\n")
  return error.reason._tag === "DataLost" ? `"${held.key}" ${first}.` : `"${held.key}" was refused: ${first}.`
}

/** Of these it keeps nothing. */
const schedulersRefusals: ReadonlySet<string> = new Set(["KeyConflict", "Overloaded", "DataLost"])
