/**
 * From a command to what is done about it.
 *
 * Commands are carried out in order, and none of them waits: bodies and gathers
 * are started, reports go to the outbox. So a turn of the worker's loop takes as
 * long as reducing its events.
 */
import * as Effect from "effect/Effect"
import { Command } from "@skein/core/worker/Command"
import type { TaskId, RunId } from "@skein/protocol/Ids"
import type { Notices } from "../nanny/Notices.ts"
import type { DataStore } from "./DataStore.ts"
import type { Executor } from "./Executor.ts"
import type { Gather } from "./Gather.ts"
import type { Row } from "./Reports.ts"

export interface Carrying {
  readonly carryOut: (commands: ReadonlyArray<Command>) => Effect.Effect<void>
}

export interface Options {
  readonly store: DataStore
  readonly executor: () => Executor
  readonly gather: () => Gather
  readonly notices: Notices["Service"]
  /** Sends a row to the scheduler, some time soon and in order. */
  readonly report: (row: Row) => void
  /** Has a `Ticked` come at this time or soon after, in place of the one asked for before. */
  readonly wake: (at: number) => void
  /** Has this process ended, because nothing less stops what runs in it. */
  readonly endProcess: (reason: string) => Effect.Effect<void>
}

export const make = (options: Options): Carrying => ({
  carryOut: (commands) => Effect.forEach(commands, (command) => carryOut(options, command), { discard: true })
})

const carryOut = ({ endProcess, executor, gather, notices, report, store, wake }: Options, command: Command): Effect.Effect<void> =>
  Command.match(command, {
    Execute: (command) => executor().execute(command),
    // Written synchronously: the body that follows may end the process in its first step.
    NoteStarted: ({ run }) => notices.write({ started: run }),
    NoteEnded: ({ run }) => notices.write({ ended: run }),
    Interrupt: ({ run }) => executor().interrupt(run),
    Terminate: ({ run }) => executor().terminate(run),
    EndProcess: ({ reason }) => endProcess(reason),

    Gather: ({ peer, rows }) => gather().fetch(peer, rows),
    Drop: ({ id, run }) => done(store.drop(id, run)),

    ReportFinished: ({ id, inline, ms, nbytes, run }) =>
      done(report({ _tag: "Finished", row: { id, run, nbytes, ms, value: inline ? valueOf(store, id, run) : nothing } })),
    ReportFailed: ({ failure, id, ms, retryable, run }) => done(report({ _tag: "Failed", row: { id, run, ms, failure, retryable } })),
    ReportKilled: ({ attempt, id, run }) => done(report({ _tag: "Killed", row: { id, run, attempt } })),
    ReportStopped: ({ id, run }) => done(report({ _tag: "Stopped", row: { id, run } })),
    ReportTakeBack: ({ id, returned, run }) => done(report({ _tag: "TakeBack", row: { id, run, returned } })),
    ReportSeceded: ({ id, run }) => done(report({ _tag: "Seceded", row: { id, run } })),
    ReportRescheduled: ({ id, run }) => done(report({ _tag: "Rescheduled", row: { id, run } })),
    ReportReplica: ({ held }) => done(report({ _tag: "ReplicasAdded", row: held })),
    ReportGone: ({ row }) => done(report({ _tag: "ReplicasGone", row })),
    ReportMissing: ({ id, peer, run }) => done(report({ _tag: "Missing", row: { id, run, peer } })),
    AskHolders: ({ id, run }) => done(report({ _tag: "HoldersAsked", row: { id, run } })),

    Wake: ({ at }) => done(wake(at))
  })

/** What has been done already. */
const done = (_: void): Effect.Effect<void> => Effect.void

/** A small result rides on the report that it is there; one that is gone already is fetched in vain, or computed again. */
const valueOf = (store: DataStore, id: TaskId, run: RunId): Uint8Array => store.find(id, run) ?? nothing
const nothing = new Uint8Array(0)
