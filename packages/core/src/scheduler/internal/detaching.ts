/**
 * Tasks that are computed whoever holds them: Dask's `fire_and_forget`.
 *
 * A client that is nobody's wants them until they are done, so all that is true of
 * wanted tasks is true of them. It is there only while it wants something. What
 * fails in its care is told to the shell, for nobody else may be left to hear it.
 *
 * Source: dask.distributed `scheduler.py`, the client "fire-and-forget" and
 * `_transition_processing_erred`.
 */
import type { ClientId, TaskId } from "@skein/protocol/Ids"
import type { Failure } from "@skein/protocol/Failure"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Task } from "../State.ts"
import type { Draft } from "./draft.ts"
import { unwant, want } from "./wanting.ts"

/** Nobody's number: the shell counts its own from 0, and never comes so far. */
const DETACHED = Vector.maxIndex as ClientId
/** What others see among those who want a task. */
const NAME = "fire-and-forget"

/** From now on the task is wanted until it is done. */
export const detach = (draft: Draft, task: Task): void => {
  if (draft.client(DETACHED) === undefined) draft.addClient(DETACHED, NAME)
  const client = draft.client(DETACHED)
  if (client !== undefined) want(draft, client, task)
}

/** The task is done. `failure`: if it failed. */
export const endDetached = (draft: Draft, id: TaskId, failed?: { readonly failure: Failure; readonly origin: TaskId }): void => {
  const client = draft.client(DETACHED)
  if (client === undefined || !IntSet.has(client.wantsWhat, id)) return
  if (failed !== undefined) draft.send({ _tag: "TellDetachedFailed", id, failure: failed.failure, origin: failed.origin })
  unwant(draft, client, id)
  if (IntSet.size(draft.client(DETACHED)?.wantsWhat ?? IntSet.empty()) === 0) draft.removeClient(DETACHED)
}
