/**
 * What a task wants of its worker and what the workers offer, for people: to
 * whoever waits for a task that nobody can run, nothing else is of interest.
 */
import * as Schema from "effect/Schema"
import { Millis, TaskId, WorkerId } from "@skein/protocol/Ids"
import * as IntSet from "../persistent/IntSet.ts"
import * as Vector from "../persistent/Vector.ts"
import type { Demand, State, Task, Worker } from "./State.ts"

/** Workers, and holders of a resource, that are listed at most. */
const WORKERS_LISTED = 16
const HOLDERS_LISTED = 3

/** What one worker offers, and who occupies it. */
const Offer = Schema.Struct({
  worker: WorkerId,
  name: Schema.String,
  resources: Schema.Array(Schema.Struct({
    name: Schema.String,
    total: Schema.Number,
    free: Schema.Number,
    /** Some of the tasks that occupy it, and when they were given to the worker. */
    holders: Schema.Array(Schema.Struct({ id: TaskId, since: Millis }))
  }))
})
type Offer = typeof Offer.Type

/** What the first few workers offer, and how many others there are. */
export const Offers = Schema.Struct({ offers: Schema.Array(Offer), others: Schema.Number })
export type Offers = typeof Offers.Type

/** Costs what is processing on the workers that are listed. */
export const offers = ({ demands, tasks, workers }: Pick<State, "demands" | "tasks" | "workers">): Offers => {
  const listed: Array<Offer> = []
  let others = 0
  Vector.forEach(workers, (worker) => {
    if (worker.ending) return
    if (listed.length === WORKERS_LISTED) others++
    else listed.push(offerOf(worker, heldOn(worker, tasks, demands)))
  })
  return { offers: listed, others }
}

type Holders = Map<string, Array<{ readonly id: TaskId; readonly since: Millis }>>

const offerOf = (worker: Worker, held: Holders): Offer => ({
  worker: worker.id,
  name: worker.name,
  resources: worker.offers.map(({ name, thousandths }, at) => ({
    name,
    total: thousandths / 1_000,
    free: (thousandths - (worker.occupied[at] ?? 0)) / 1_000,
    holders: held.get(name) ?? []
  }))
})

const heldOn = ({ offers, processing }: Worker, tasks: State["tasks"], demands: State["demands"]): Holders => {
  const held: Holders = new Map()
  if (offers.length === 0) return held
  IntSet.forEach(processing, (id) => {
    const task = Vector.get(tasks, id)
    if (task?.status._tag !== "Processing" || task.demand === undefined) return
    for (const { name } of Vector.get(demands, task.demand)?.amounts ?? []) {
      const holders = held.get(name) ?? []
      held.set(name, holders)
      if (holders.length < HOLDERS_LISTED) holders.push({ id, since: task.status.since })
    }
  })
  return held
}

/** What a task wants of its worker, such as `{ GPU: 1 } on "alice"`; where it wants nothing special, a slot. */
export const wanted = ({ isolation }: Pick<Task, "isolation">, demand: Demand | undefined): string => {
  const slot = isolation === "thread" ? "a thread" : "room for fibers"
  if (demand === undefined) return slot
  const { allowOthers, amounts, workers } = demand
  const resources = amounts.length === 0 ? slot : `{ ${amounts.map(({ name, thousandths }) => `${name}: ${thousandths / 1_000}`).join(", ")} }`
  return workers.length === 0 || allowOthers ? resources : `${resources} on ${listed(workers)}`
}

const listed = (workers: ReadonlyArray<string>): string =>
  workers.length > HOLDERS_LISTED
    ? `${workers.slice(0, HOLDERS_LISTED).map((worker) => JSON.stringify(worker)).join(", ")} or ${workers.length - HOLDERS_LISTED} others`
    : workers.map((worker) => JSON.stringify(worker)).join(" or ")

/** One text for each worker listed, and one for the others. `keyOf`: what tasks are called. @default who occupies a resource is not said */
export const print = ({ offers, others }: Offers, at: Millis, keyOf?: (id: TaskId) => string): ReadonlyArray<string> => {
  const texts = offers.map(({ name, resources }) => {
    const parts = resources.map((resource) => {
      const { free, holders, name, total } = resource
      if (free === total) return `${name}: ${total}`
      const held = keyOf === undefined || holders.length === 0
        ? ""
        : ` — held by ${holders.map(({ id, since }) => `${keyOf(id)} since ${lengthOf(at - since)}`).join(", ")}`
      return `${name}: ${free} of ${total} free${held}`
    })
    return `${name} { ${parts.length === 0 ? "" : `${parts.join(", ")} `}}`
  })
  return others === 0 ? texts : [...texts, `and ${others} more`]
}

/** A length of time as people say it, in its largest unit. */
const lengthOf = (ms: Millis): string =>
  ms >= 3_600_000 ? `${Math.floor(ms / 3_600_000)} h` : ms >= 60_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.max(0, Math.floor(ms / 1_000))} s`
