/**
 * Tasks that were forgotten under suspicion.
 *
 * What a body has submitted is given up a while after its worker has ended, and the
 * body's next attempt submits it anew. A task that always ends its worker would be
 * a new one each time, and never be found out. So the deaths of a task that is
 * forgotten before it has finished or failed are kept for a while, and a task that
 * makes the same call of the same inputs goes on from there. The call says which it
 * is, not the key: what was submitted as impure has another each time. A task that
 * was found out, and of which nobody could hear because all who wanted it had gone
 * with the worker, is found out at once when it is submitted again.
 */
import type { Failure } from "@skein/protocol/Failure"
import type { TaskId } from "@skein/protocol/Ids"
import type { Call, Remembered, Task } from "../State.ts"
import { isData } from "./data.ts"
import type { Draft } from "./draft.ts"

/** Longer than a body's next attempt takes to submit again what it had submitted. In milliseconds. */
const KEPT_MS = 10 * 60_000
/** Of these the last are kept, and the very last however large it is. */
const KEPT = 64
const KEPT_BYTES = 16 << 20
/** Calls that one is described by, with those of its inputs: what is larger is not remembered. */
const CALLS = 64

/** To be called of a task that is about to be forgotten. `verdict`: of which nobody has heard. */
export const remember = (draft: Draft, task: Task, verdict?: Failure): void => {
  const { attempt, deaths } = task.trials
  if (deaths.length === 0) return
  const size = { calls: 0, bytes: 0 }
  const call = describe(draft, task, size)
  if (call === undefined) return
  const kept = [...still(draft), { call, bytes: size.bytes, attempt, deaths, verdict, at: draft.at }].slice(-KEPT)
  let bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
  while (bytes > KEPT_BYTES && kept.length > 1) bytes -= kept.shift()?.bytes ?? 0
  draft.state.remembered = kept
}

/** To be called of a task that has just become known: it is a suspect if one like it was. Returns the failure that it is to end with at once, if any. */
export const recall = (draft: Draft, task: Task): Failure | undefined => {
  if (draft.state.remembered.length === 0) return undefined
  const kept = still(draft)
  const found = kept.find(({ call }) => makes(draft, task, call))
  if (found === undefined) return undefined
  draft.editTrials(task, { suspect: true, deaths: found.deaths, attempt: found.attempt })
  draft.state.remembered = kept.filter((one) => one !== found)
  return found.verdict
}

const still = (draft: Draft): ReadonlyArray<Remembered> => draft.state.remembered.filter(({ at }) => at > draft.at - KEPT_MS)

/** Undefined if it takes too much. */
const describe = (draft: Draft, { args, code, dependencies }: Task, size: { calls: number; bytes: number }): Call | undefined => {
  if (++size.calls > CALLS) return undefined
  size.bytes += args.length
  const inputs: Array<Call | TaskId> = []
  for (const id of dependencies) {
    const dependency = draft.task(id)
    if (dependency === undefined) return undefined
    const input = isData(draft, id) ? id : describe(draft, dependency, size)
    if (input === undefined) return undefined
    inputs.push(input)
  }
  return { code, args, inputs }
}

const makes = (draft: Draft, { args, code, dependencies }: Task, call: Call): boolean => {
  if (code !== call.code || dependencies.length !== call.inputs.length || args.length !== call.args.length) return false
  for (let at = 0; at < args.length; at++) if (args[at] !== call.args[at]) return false
  return call.inputs.every((input, at) => {
    const id = dependencies[at]
    if (typeof input === "number") return id === input
    const dependency = id === undefined ? undefined : draft.task(id)
    return dependency !== undefined && makes(draft, dependency, input)
  })
}
