/**
 * What every child of a cluster's nannies has in common.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ClusterError } from "@skein/protocol/Errors"
import type * as Nanny from "@skein/runtime/nanny/Nanny"
import * as Supervisor from "@skein/runtime/supervision/Supervisor"
import { notStarted } from "./notStarted.ts"

/** A child's life under a supervisor of its own, which has logged what went wrong when this ends. Of a nanny's child the nanny's status tells more. */
export const supervised = <R>(child: Supervisor.Child<R>, intensity: number) =>
  Effect.ignore(Supervisor.supervise({ name: `supervisor of ${child.id}`, strategy: "one-for-one", intensity, children: [child] }))

/** Restarts of a nanny itself within OTP's five seconds: a defect of it may pass. */
export const NANNY_INTENSITY = 1

/** What the child said when it was up. */
export const whenReady = (nanny: Nanny.Nanny): Effect.Effect<string, ClusterError> =>
  nanny.ready.pipe(
    Effect.mapError(({ message }) => notStarted(message)),
    Effect.flatMap((said) => Effect.orDie(Schema.decodeUnknownEffect(Schema.String)(said)))
  )

/** What it has written, oldest first. */
export const linesOf = (nanny: Nanny.Nanny): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(nanny.logs, (lines) => lines.map(({ text }) => text))
