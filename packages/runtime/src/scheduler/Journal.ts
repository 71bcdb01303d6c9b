/**
 * The scheduler's memory: everything that happened, in order, before anyone
 * acts on it.
 *
 * Events carry numbers; what the numbers stand for is given by the shell before
 * it makes the events. So an entry has both: the codes and keys that were named
 * for this batch, and the batch. Replaying the entries rebuilds the state, the
 * key table and the codes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Event } from "@skein/core/scheduler/Event"
import * as Vector from "@skein/core/persistent/Vector"
import { reduce, type Step } from "@skein/core/scheduler/Reducer"
import type { State } from "@skein/core/scheduler/State"
import * as CodeTable from "./CodeTable.ts"
import * as KeyTable from "./KeyTable.ts"

/** One turn of the scheduler. */
export interface Entry {
  readonly codes: ReadonlyArray<CodeTable.Code>
  readonly named: ReadonlyArray<KeyTable.Named>
  readonly events: ReadonlyArray<Event>
}

/** The journal could not be written. Nothing that was not written is acted on, so the scheduler ends. */
export class JournalFailed extends Schema.TaggedError<JournalFailed>()("JournalFailed", {
  detail: Schema.String
}) {
  override get message() {
    return `The journal could not be written: ${this.detail}. See whether its disk is full, and start the scheduler again.`
  }
}

export class Journal extends Context.Service<Journal, {
  /** Returns once the entry would survive a crash. */
  readonly append: (entry: Entry) => Effect.Effect<void, JournalFailed>
  /** What it remembers, oldest first. */
  readonly entries: Effect.Effect<ReadonlyArray<Entry>>
}>()("@skein/runtime/scheduler/Journal") {
  /** Remembers nothing. A restart loses the cluster's tasks. */
  static readonly layerNoop = Layer.succeed(Journal, { append: () => Effect.void, entries: Effect.succeed([]) })
  /** Remembers everything while the process lives, without a bound: for tests. */
  static readonly layerMemory = Layer.sync(Journal, () => {
    const entries: Array<Entry> = []
    return Journal.of({
      append: (entry) =>
        Effect.sync(() => {
          entries.push(entry)
        }),
      entries: Effect.sync(() => entries.slice())
    })
  })
}

/** What a scheduler knew after these entries, which began with `empty`. */
export const replay = (
  entries: ReadonlyArray<Entry>,
  empty: State,
  sha256: (bytes: Uint8Array) => Uint8Array
): { readonly state: State; readonly keys: KeyTable.KeyTable; readonly codes: CodeTable.CodeTable } => {
  const codes = CodeTable.make(sha256)
  const keys = KeyTable.make()
  let state = empty
  for (const entry of entries) {
    for (const code of entry.codes) codes.restore(code)
    for (const named of entry.named) keys.restore(named)
    const step = reduce(state, entry.events)
    state = step.state
    for (const event of entry.events) if (event._tag === "CodesForgotten") codes.forget(event.codes)
    forgetAll(keys, step)
  }
  return { state, keys, codes }
}

/**
 * Gives back the ids that a step has forgotten; to be called in the step that reduced the batch, once its commands are addressed.
 *
 * Later in the same batch the key may have been submitted again, under the same id, because the table still had it. Then the
 * state has the task, and the id stays.
 */
export const forgetAll = (keys: KeyTable.KeyTable, step: Step): void => {
  for (const command of step.commands) {
    if (command._tag === "Forgotten" && Vector.get(step.state.tasks, command.id) === undefined) keys.forget(command.id)
  }
}
