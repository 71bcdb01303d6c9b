/**
 * Scattered data: values that a client sends to workers itself.
 *
 * To the scheduler it is a task without a body. The client announces it and hears
 * where to send it; until the worker says that it has it the task is released, and
 * the data *arrives*. From then on it is a result like any other, but for one
 * thing: nobody can compute it again. When its last copy is gone, or the client
 * goes before it has arrived, whoever needs it fails as lost, unless a client
 * announces it anew.
 *
 * Source: dask.distributed `scheduler.py`, `scatter` and `update_data`; there a
 * lost value is a task without a `run_spec`, which is forgotten.
 */
import type { ClientId, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as IntSet from "../../persistent/IntSet.ts"
import * as Vector from "../../persistent/Vector.ts"
import type { Arriving, Ask, Worker } from "../State.ts"
import { isWished } from "./demands.ts"
import type { Draft } from "./draft.ts"
import type { Target } from "./edges.ts"

/** Whether the task is a client's data, which nobody can compute. */
export const isData = (draft: Draft, id: TaskId): boolean => IntSet.size(draft.state.data) > 0 && IntSet.has(draft.state.data, id)

/** Whether it is on its way to a worker, or will be as soon as there is one. */
export const arrivingOf = (draft: Draft, id: TaskId): Arriving | undefined =>
  draft.state.arriving.size === 0 ? undefined : Vector.get(draft.state.arriving, id)

/** This client is about to send it. */
export const expect = (draft: Draft, id: TaskId, client: ClientId): void => setArriving(draft, id, { client, run: undefined, workers: [] })

/** It has come, or will not come. */
export const expectNoMore = (draft: Draft, id: TaskId): void => {
  if (arrivingOf(draft, id) !== undefined) draft.state.arriving = Vector.remove(draft.state.arriving, draft.owner, id)
}

/** The task is known no more. */
export const forgetData = (draft: Draft, id: TaskId): void => {
  expectNoMore(draft, id)
  if (isData(draft, id)) draft.state.data = IntSet.remove(draft.state.data, draft.owner, id)
}

/** Why it cannot be had any more. */
export const lost = (id: TaskId): Extract<Target, { readonly _tag: "Erred" }> => ({ _tag: "Erred", failure: { _tag: "Lost" }, origin: id, stop: false })

/** A worker says that it holds this. The way to memory, if that is what was on its way; undefined if not. */
export const arrivalOf = (draft: Draft, worker: WorkerId, { id, nbytes, run }: Held): Extract<Target, { readonly _tag: "Memory" }> | undefined => {
  if (arrivingOf(draft, id)?.run !== run || draft.task(id)?.status._tag !== "Released") return undefined
  return { _tag: "Memory", worker, run, nbytes: nbytes >= 0 && nbytes < Infinity ? nbytes : 0 }
}

/** A worker is gone: what was on its way to it alone does not arrive. */
export const missArrivals = (draft: Draft, worker: WorkerId): void =>
  forEachArriving(draft, (id) => missArrival(draft, worker, id))

/** The same of one. */
export const missArrival = (draft: Draft, worker: WorkerId, id: TaskId): void => {
  const arriving = arrivingOf(draft, id)
  if (arriving === undefined || !arriving.workers.includes(worker)) return
  const workers = arriving.workers.filter((other) => other !== worker)
  if (workers.length > 0) setArriving(draft, id, { ...arriving, workers })
  else giveUp(draft, id)
}

/** This client wants it no longer: if it was to send it, it does not arrive. */
export const giveUpArrival = (draft: Draft, client: ClientId, id: TaskId): void => {
  if (arrivingOf(draft, id)?.client === client) giveUp(draft, id)
}

/** Data of one announcement: what is to be sent, and how large it is. Not to be sent is what is there already, or was refused. */
export interface Row {
  readonly id: TaskId
  readonly nbytes: number
  readonly send: boolean
}

type Question = Extract<Ask, { readonly _tag: "Data" }>

/** Tells the client where its data is to go: at once, or as soon as there is a worker for it. */
export const answerWhenPlaced = (draft: Draft, question: Question): void => {
  if (!answer(draft, question)) draft.addAsk(question)
}

/** A worker has come: some may have waited for it. */
export const answerAwaitedPlaces = (draft: Draft): void => {
  if (draft.state.asks.size === 0) return
  const answered: Array<number> = []
  Vector.forEach(draft.state.asks, (question, place) => {
    if (question._tag === "Data" && answer(draft, question)) answered.push(place)
  })
  answered.forEach((place) => draft.removeAsk(place))
}

/** Whether the worker may be sent data that is for workers of these names, addresses or hosts; none: for any. */
export const mayHold = (worker: Worker, names: ReadonlyArray<string>): boolean =>
  !worker.ending && isWished(worker, { workers: names })

const answer = (draft: Draft, { ask, broadcast, client, rows, workers: names }: Question): boolean => {
  const eligible: Array<{ readonly id: WorkerId; nbytes: number }> = []
  Vector.forEach(draft.state.workers, (worker) => mayHold(worker, names) ? void eligible.push({ id: worker.id, nbytes: worker.nbytes }) : undefined)
  if (eligible.length === 0 && rows.some(({ send }) => send)) return false
  const places = rows.map(({ id, nbytes, send }) => {
    const status = draft.task(id)?.status
    if (send && broadcast && status?._tag === "Memory") return { run: status.run, workers: eligible.map((worker) => worker.id).filter((worker) => !IntSet.has(status.whoHas, worker)) }
    // Another announcement of the same data, or the end of its task, may have come in between.
    if (!send || arrivingOf(draft, id)?.client !== client) return nowhere
    const chosen = broadcast ? eligible : [leastLaden(eligible)]
    for (const worker of chosen) worker.nbytes += nbytes
    const place = { run: draft.takeRun(), workers: chosen.map((worker) => worker.id) }
    setArriving(draft, id, { client, ...place })
    return place
  })
  draft.send({ _tag: "Reply", client, ask, answer: { _tag: "DataPlaced", places } })
  return true
}

/** Its run is no run: nobody is to send anything under it. */
const nowhere: { readonly run: RunId; readonly workers: ReadonlyArray<WorkerId> } = { run: 0 as RunId, workers: [] }

/** That which holds the fewest bytes: data that is all of one size is dealt out in turn. */
const leastLaden = <W extends { readonly nbytes: number }>(workers: ReadonlyArray<W>): W => workers.reduce((least, worker) => worker.nbytes < least.nbytes ? worker : least)

const giveUp = (draft: Draft, id: TaskId): void => {
  expectNoMore(draft, id)
  // It is lost to whoever needs it.
  draft.toCompute.push(id)
}

const setArriving = (draft: Draft, id: TaskId, arriving: Arriving): void => {
  draft.state.arriving = Vector.set(draft.state.arriving, draft.owner, id, arriving)
}

/** The present ones; `visit` may change them. */
const forEachArriving = (draft: Draft, visit: (id: TaskId) => void): void => {
  if (draft.state.arriving.size === 0) return
  // The cast: the places in this table are ids.
  for (const [id] of [...Vector.entries(draft.state.arriving)]) visit(id as TaskId)
}
