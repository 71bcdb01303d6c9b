/**
 * News of a key's former life, which its new holder must not hear.
 *
 * References change when a message arrives, and what a batch has to say is
 * addressed after it. A client that lets go of a key and submits it again within
 * one batch holds it under a new reference by then; what the batch says of the key
 * before that would reach the new future, such as the failure of the run that
 * nobody waited for any more. Of such a key only the last word counts,
 * if it is still true after the batch.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { State } from "@skein/core/scheduler/State"
import * as Vector from "@skein/core/persistent/Vector"
import type { ClientId, TaskId } from "@skein/protocol/Ids"

/** What a client is told of a key. */
type News = Extract<Command, { readonly _tag: "ReportInMemory" | "ReportErred" | "ReportPending" }>

export interface FormerLives {
  /** Whether this is news of a key that is held anew; it is kept for later then, in the place of what the same client was to be told of the key before. */
  readonly keeps: (command: Command) => boolean
  /** Of what was kept, that which is so after the batch. */
  readonly stillTrue: () => ReadonlyArray<News>
}

/** For one batch, after which the state is this one. */
export const make = (state: State, isHeldAnew: (client: ClientId, id: TaskId) => boolean): FormerLives => {
  let latest: Map<string, News> | undefined
  return {
    keeps: (command) => {
      if (command._tag !== "ReportInMemory" && command._tag !== "ReportErred" && command._tag !== "ReportPending") return false
      if (!isHeldAnew(command.client, command.id)) return false
      latest ??= new Map()
      latest.set(`${command.client} ${command.id}`, command)
      return true
    },
    stillTrue: () => latest === undefined ? [] : [...latest.values()].filter((news) => isStillTrue(state, news))
  }
}

const isStillTrue = (state: State, news: News): boolean => {
  const status = Vector.get(state.tasks, news.id)?.status
  switch (news._tag) {
    case "ReportInMemory":
      return status?._tag === "Memory" && status.run === news.run
    case "ReportErred":
      return status?._tag === "Erred" && status.failure === news.failure
    case "ReportPending":
      return status !== undefined && status._tag !== "Memory" && status._tag !== "Erred"
  }
}
