/**
 * From a command to what is done about it.
 *
 * Commands are carried out in order, and none of them waits: gathers are started,
 * reports go to the outbox, and bodies begin when all that a turn asks for has
 * been seen to. Most commands are plain calls, several for each task; what is an
 * Effect is run in its place.
 */
import * as Effect from "effect/Effect"
import type { Command } from "@skein/core/worker/Command"
import type { TaskId, RunId } from "@skein/protocol/Ids"
import type { Notices } from "../nanny/Notices.ts"
import type { DataStore } from "./DataStore.ts"
import type { Executor } from "./Executor.ts"
import type { Gather } from "./Gather.ts"
import type { Row } from "./Reports.ts"

export interface Carrying {
  /** Carries them out, or as far as the first that is an Effect, and gives that and the rest. */
  readonly carryOut: (commands: ReadonlyArray<Command>) => Effect.Effect<void> | undefined
  /** Begins the bodies that were asked for. */
  readonly beginBodies: () => void
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
  carryOut: (commands) => carryOutFrom(options, commands, 0),
  beginBodies: () => options.executor().begin()
})

const carryOutFrom = (options: Options, commands: ReadonlyArray<Command>, first: number): Effect.Effect<void> | undefined => {
  for (let at = first; at < commands.length; at++) {
    const effect = carryOut(options, commands[at]!)
    if (effect !== undefined) return Effect.andThen(effect, Effect.suspend(() => carryOutFrom(options, commands, at + 1) ?? Effect.void))
  }
  return undefined
}

/** Carries it out, or gives what does. */
const carryOut = (options: Options, command: Command): Effect.Effect<void> | undefined => {
  const { endProcess, executor, gather, notices, report, store, wake } = options
  switch (command._tag) {
    case "Execute":
      return void executor().execute(command)
    // Written synchronously: the body that follows may end the process in its first step.
    case "NoteStarted":
      return notices.write({ started: command.run })
    case "NoteEnded":
      return notices.write({ ended: command.run })
    case "Retract":
      return void executor().retract(command.id, command.run)
    case "Interrupt":
      return void executor().interrupt(command.run)
    case "Resume":
      return void executor().resume(command.run)
    case "GoOn":
      return void executor().goOn(command.run)
    case "Terminate":
      return void executor().terminate(command.run)
    case "EndProcess":
      return endProcess(command.reason)

    case "Gather":
      return gather().fetch(command.peer, command.rows)
    case "Drop":
      return void store.drop(command.id, command.run)

    case "ReportFinished": {
      const { id, inline, ms, nbytes, run } = command
      return void report({ _tag: "Finished", row: { id, run, nbytes, ms, value: inline ? valueOf(store, id, run) : nothing } })
    }
    case "ReportFailed": {
      const { failure, id, ms, retryable, run } = command
      return void report({ _tag: "Failed", row: { id, run, ms, failure, retryable } })
    }
    case "ReportTimedOut":
      return void report({ _tag: "TimedOut", row: { id: command.id, run: command.run, ms: command.ms } })
    case "ReportKilled":
      return void report({ _tag: "Killed", row: { id: command.id, run: command.run, attempt: command.attempt } })
    case "ReportStopped":
      return void report({ _tag: "Stopped", row: { id: command.id, run: command.run } })
    case "ReportTakeBack":
      return void report({ _tag: "TakeBack", row: { id: command.id, run: command.run, returned: command.returned } })
    case "ReportSeceded":
      return void report({ _tag: "Seceded", row: { id: command.id, run: command.run } })
    case "ReportRescheduled":
      return void report({ _tag: "Rescheduled", row: { id: command.id, run: command.run } })
    case "ReportReplica":
      return void report({ _tag: "ReplicasAdded", row: command.held })
    case "ReportGone":
      return void report({ _tag: "ReplicasGone", row: command.row })
    case "ReportMissing":
      return void report({ _tag: "Missing", row: { id: command.id, run: command.run, peer: command.peer } })
    case "AskHolders":
      return void report({ _tag: "HoldersAsked", row: { id: command.id, run: command.run } })

    case "Wake":
      return void wake(command.at)
  }
}

/** A small result rides on the report that it is there; one that is gone already is fetched in vain, or computed again. */
const valueOf = (store: DataStore, id: TaskId, run: RunId): Uint8Array => store.find(id, run) ?? nothing
const nothing = new Uint8Array(0)
