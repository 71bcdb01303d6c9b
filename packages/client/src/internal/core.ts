/**
 * One client's session with the scheduler, and all that stands on it.
 *
 * A client seen through `client.with(…)` is another face of the same core: one
 * set of references, one outbox, one order in which things are told.
 */
import * as Effect from "effect/Effect"
import type { ClientRpcs } from "@skein/protocol/ClientRpcs"
import type { BadOption, NotShippable } from "@skein/protocol/Errors"
import { SchedulerLost } from "@skein/protocol/Failure"
import type * as BulkClient from "@skein/transport/BulkClient"
import type * as Duplex from "@skein/transport/Duplex"
import type { SessionEnded, Status } from "@skein/transport/Session"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type { Collecting } from "../Collecting.ts"
import type { Terminal } from "../Platform.ts"
import { untilSent } from "./batch.ts"
import type { Code } from "./code.ts"
import type { Outbox } from "./outbox.ts"
import type { Held } from "./held.ts"
import type { References } from "./references.ts"

export type SchedulerClient = Duplex.ClientOf<typeof ClientRpcs>

export interface Core {
  /** Unlike any other client's. */
  readonly id: string
  readonly name: string
  /** The scheduler's. */
  readonly address: string
  readonly references: References
  readonly outbox: Outbox
  /** To be asked; connects first, if that has been put off until something is asked or told. */
  readonly scheduler: Effect.Effect<SchedulerClient, SessionEnded>
  /** The state of its session, and every later one; ends after "lost". */
  readonly connection: Stream.Stream<Status>
  readonly bulk: BulkClient.BulkClient["Service"]
  readonly codeOf: (task: object) => Result.Result<Code, NotShippable | BadOption>
  /** Completes when the classes that this module exports are known, as far as that can be had. A module is looked at once. */
  readonly learn: (module: string) => Effect.Effect<void>
  /** In hexadecimal, 128 bits. */
  readonly digest: (bytes: Uint8Array) => string
  /** A text that no other client and no other call has. */
  readonly fresh: () => string
  readonly collecting: Collecting
  readonly terminal: Terminal
  /** Whether the client's scope has ended. */
  readonly isClosed: () => boolean
}

/** Asks the scheduler. Its session's end is all that can go wrong. */
export const ask = <A>(core: Core, question: (scheduler: SchedulerClient) => Effect.Effect<A, SessionEnded>): Effect.Effect<A, SchedulerLost> =>
  Effect.suspend(() => {
    const { lost } = core.references
    if (lost !== undefined) return Effect.fail(lost)
    return Effect.mapError(Effect.flatMap(core.scheduler, question), () => core.references.lost ?? SchedulerLost.at(core.address))
  })

/**
 * Asks the scheduler about keys: once they have been submitted, and without
 * giving any of them up before the answer. Undefined, and nobody is asked, if
 * one of them has been given up already: the scheduler ends a session that names
 * what it does not hold.
 */
export const askAbout = <A>(
  core: Core,
  keys: ReadonlyArray<Held>,
  question: (scheduler: SchedulerClient) => Effect.Effect<A, SessionEnded>
): Effect.Effect<A | undefined, SchedulerLost> =>
  Effect.acquireUseRelease(
    // Looked at and kept in one step, or others may release in between.
    Effect.sync(() => {
      const areHeld = keys.every(({ count }) => count > 0)
      if (areHeld) for (const held of keys) core.references.retain(held)
      return areHeld
    }),
    (areHeld) =>
      !areHeld ? Effect.undefined : Effect.andThen(
        untilSent(keys),
        // The batch that was to send one of them may have failed.
        Effect.suspend(() => keys.every(({ count }) => count > 0) ? Effect.andThen(core.outbox.flushed, ask(core, question)) : Effect.undefined)
      ),
    (areHeld) => Effect.sync(() => areHeld ? keys.forEach((held) => core.references.release(held)) : undefined)
  )
