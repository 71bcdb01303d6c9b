/**
 * Questions that are answered when something has come to pass. Waiting for it is
 * part of the state: nothing polls, and nothing is forgotten.
 *
 * Asking twice under one number is asking once. How many questions a client may
 * have open is the shell's to bound.
 */
import type { CancelOutcome } from "@skein/protocol/ClientRpcs"
import type { AskId, ClientId } from "@skein/protocol/Ids"
import * as Vector from "../../persistent/Vector.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"
import { awaitStopped } from "./stopping.ts"

/** Whether this question is open already. */
export const isOpen = (draft: Draft, client: ClientId, ask: AskId): boolean => placeOf(draft, client, ask) !== undefined

/** Answers with `outcomes` as soon as none of these tasks runs any more. */
export const answerWhenStopped = (
  draft: Draft,
  client: ClientId,
  ask: AskId,
  outcomes: ReadonlyArray<CancelOutcome>,
  tasks: ReadonlyArray<Task>
): void => {
  const place = draft.addAsk({ _tag: "Cancel", client, ask, outcomes, running: 0 })
  let running = 0
  for (const task of tasks) running += awaitStopped(draft, task, place)
  if (running > 0) return draft.setAsk(place, { _tag: "Cancel", client, ask, outcomes, running })
  draft.removeAsk(place)
  draft.send({ _tag: "Reply", client, ask, answer: { _tag: "Cancelled", outcomes } })
}

/** Answers as soon as there are so many workers. */
export const answerWhenWorkers = (draft: Draft, client: ClientId, ask: AskId, count: number): void => {
  draft.addAsk({ _tag: "Workers", client, ask, count })
  answerAwaitedWorkers(draft)
}

/** Answers those who waited for as many workers as there are now, less those that are being ended. */
export const answerAwaitedWorkers = (draft: Draft): void => {
  if (draft.state.asks.size === 0) return
  const answered: Array<number> = []
  const there = countStaying(draft)
  Vector.forEach(draft.state.asks, (question, place) => {
    if (question._tag !== "Workers" || there < question.count) return
    answered.push(place)
    draft.send({ _tag: "Reply", client: question.client, ask: question.ask, answer: { _tag: "WorkersThere" } })
  })
  answered.forEach((place) => draft.removeAsk(place))
}

const countStaying = (draft: Draft): number => {
  let count = 0
  Vector.forEach(draft.state.workers, ({ ending }) => void (ending || count++))
  return count
}

/** Nobody waits for this answer any more. */
export const abandon = (draft: Draft, client: ClientId, ask: AskId): void => {
  const place = placeOf(draft, client, ask)
  if (place !== undefined) draft.removeAsk(place)
}

/** Nor for any answer to this client. */
export const abandonAll = (draft: Draft, client: ClientId): void => {
  const places: Array<number> = []
  Vector.forEach(draft.state.asks, (question, place) => {
    if (question.client === client) places.push(place)
  })
  places.forEach((place) => draft.removeAsk(place))
}

const placeOf = (draft: Draft, client: ClientId, ask: AskId): number | undefined => {
  for (const [place, question] of Vector.entries(draft.state.asks)) {
    if (question.client === client && question.ask === ask) return place
  }
  return undefined
}
