/**
 * What the nanny is told of the bodies that may end this process.
 *
 * While something runs of a suspect, the nanny knows of all that runs: so a death
 * that names one run has one culprit, and one that names several has none. A body
 * that waits for tasks of its own, or for a slot, is taken for innocent: it is
 * mostly for a suspect that it waits, and would be accused with it each time.
 * Where no suspect runs nobody is told anything.
 */
import type { RunId } from "@skein/protocol/Ids"
import * as Vector from "../../persistent/Vector.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"

/** From here on this run may end the process. */
export const act = (draft: Draft, run: RunId, isSuspect: boolean): void => {
  const { next } = draft
  if (isSuspect) {
    if (next.suspects === 0) tellOthers(draft, "NoteStarted", run)
    next.suspects++
  }
  if (next.suspects > 0) draft.send({ _tag: "NoteStarted", run })
}

/** It has ended, or waits. */
export const rest = (draft: Draft, run: RunId, isSuspect: boolean): void => {
  const { next } = draft
  if (next.suspects === 0) return
  draft.send({ _tag: "NoteEnded", run })
  if (isSuspect && --next.suspects === 0) tellOthers(draft, "NoteEnded", run)
}

/** Looks at all tasks, for who runs is in no list: suspects are rare. */
const tellOthers = (draft: Draft, _tag: "NoteStarted" | "NoteEnded", but: RunId): void =>
  Vector.forEach(draft.next.tasks, (task) => {
    const run = acting(task)
    if (run !== undefined && run !== but) draft.send({ _tag, run })
  })

/** The run of this task that may end the process, if there is one. */
export const acting = ({ run, status }: Task): RunId | undefined =>
  status._tag === "Stopping" ? status.run : status._tag === "Executing" || (status._tag === "LongRunning" && !status.waits) ? run : undefined
