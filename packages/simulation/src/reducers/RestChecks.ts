/**
 * What is true when everything is looked at: of every machine at any time, of the
 * whole once nothing is under way, and of what is left at the end.
 *
 * The ids are those of reference/reliability.md §2.6, where there is one.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import * as SchedulerInvariants from "@skein/core/scheduler/Invariants"
import * as WorkerInvariants from "@skein/core/worker/Invariants"
import type { TaskId } from "@skein/protocol/Ids"
import { mayFail, type Outcomes } from "./Oracle.ts"
import type { Client, Future, Process, Session } from "./Parts.ts"
import { breaks, type World } from "./World.ts"

/** Every truth about every machine, from scratch. A machine that has done nothing since it was found sound is not looked at again. */
export const recount = (world: World): void => {
  const { scheduler } = world
  if (!sound.has(scheduler)) {
    const [first] = SchedulerInvariants.broken(scheduler)
    // What is in brackets says of which task or worker; the name is what stays the same.
    if (first !== undefined) breaks(first.replace(/ \((?:task|worker) \d+\)$/, ""), first)
    sound.add(scheduler)
  }
  for (const { alive, machine, name } of world.processes) {
    if (!alive || sound.has(machine)) continue
    const [broken] = WorkerInvariants.broken(machine)
    if (broken !== undefined) breaks(broken, name)
    sound.add(machine)
  }
}

/** States in which nothing was broken. Each batch makes a new one, and none is changed after its batch. */
const sound = new WeakSet<object>()

/** Nothing is under way, and nothing goes wrong any more. */
export const checkRest = (world: World, outcomes: ReadonlyArray<Outcomes>, isCalm: boolean): void => {
  recount(world)
  for (const client of world.clients) for (const future of client.futures.values()) checkFuture(world, client, future, outcomes)
  for (const process of world.processes) checkProcess(world, process)
  const { asks, counts, stopping } = world.scheduler
  if (stopping.size > 0) breaks("L2 nothing waits for ever", "a cancelled run is still being stopped")
  if (asks.size > 0 || world.asks.size > 0) breaks("L2 nothing waits for ever", "a question is not answered")
  if (counts.processing + counts.queued + counts.waiting + counts.noWorker > 0) {
    breaks("L2 nothing waits for ever", `tasks are in play: ${JSON.stringify(counts)}`)
  }
  Vector.forEach(world.scheduler.workers, ({ fiber, id, thread }) => {
    if (fiber.assigned + thread.assigned + fiber.occupancyMs + thread.occupancyMs !== 0) breaks("S9 occupancy is 0 if nothing runs", `worker ${id}`)
  })
  if (!isCalm) return
  world.begun.forEach((times, place) => {
    if (times > 1) breaks("L3 nothing is computed twice without need", `task ${place} was begun ${times} times`)
  })
}

/** Everybody has let go: nothing may be left. */
export const checkEnd = (world: World): void => {
  recount(world)
  const { asks, stopping, tasks } = world.scheduler
  if (tasks.size > 0) breaks("L5 nothing is left", `${tasks.size} tasks in the scheduler`)
  if (asks.size + stopping.size > 0) breaks("L5 nothing is left", "questions in the scheduler")
  if (world.keys.size() > 0) breaks("L5 nothing is left", `${world.keys.size()} keys have ids`)
  for (const client of world.clients) {
    if (!client.gone && client.refs.size() > 0) breaks("L5 nothing is left", `${client.name} has references`)
  }
  for (const process of world.processes) {
    if (!process.alive) continue
    if (process.store.size() > 0) breaks("L5 nothing is left", `${process.store.size()} results on ${process.name}`)
    if (process.machine.tasks.size > 0) breaks("L5 nothing is left", `${process.machine.tasks.size} tasks on ${process.name}`)
  }
}

const checkFuture = (world: World, client: Client, future: Future, outcomes: ReadonlyArray<Outcomes>): void => {
  const { status, task } = future
  const where = `task ${task} for ${client.name}`
  switch (status._tag) {
    case "Pending":
      return breaks("C1 every future is resolved", where)
    case "InMemory":
      if (outcomes[task]?.value !== true) breaks("C2 results are those of the reference interpreter", `${where} has a value and must not`)
      return
    case "Erred": {
      const origin = world.tasks.placeOfKey(status.origin)
      if (!mayFail(outcomes[task], status.failure, origin)) {
        breaks("C3 errors are those of the reference interpreter", `${where} failed: ${status.failure._tag} of task ${origin}`)
      }
      if (status.failure._tag === "Raised" && status.failure.body !== world.tasks.failures[origin]) {
        breaks("C3 errors are those of the reference interpreter", `${where} failed with another's error`)
      }
    }
  }
}

const checkProcess = (world: World, process: Process): void => {
  const { contact, machine, name, store } = process
  if (!process.alive || contact === undefined || contact.worker === undefined || contact.overThere) {
    return breaks("L4 workers come back", `${name} is not registered`)
  }
  if (process.bodies.size + process.gathers.size > 0) breaks("L2 nothing waits for ever", `${name} is still at work`)
  const worker = Vector.get(world.scheduler.workers, contact.worker)
  if (worker === undefined) return breaks("L4 workers come back", `${name} is not known`)
  checkHoldings(world, process, contact, worker.hasWhat)
  Vector.forEach(machine.tasks, ({ id, status }) => {
    if (status._tag !== "Memory") breaks("L2 nothing waits for ever", `task ${id} is ${status._tag} on ${name}`)
  })
  if (store.size() !== machine.tasks.size) breaks("W3 the store has what the machine knows", `${name}: ${store.size()} and ${machine.tasks.size}`)
}

/** The scheduler's view of what a worker has is what it has. */
const checkHoldings = (world: World, { machine, name, store }: Process, contact: Session, hasWhat: IntSet.IntSet<TaskId>): void => {
  if (IntSet.size(hasWhat) !== machine.tasks.size) {
    breaks("X1 who has what is known exactly", `${name} has ${machine.tasks.size} results; worker ${contact.worker} is thought to have ${IntSet.size(hasWhat)}`)
  }
  IntSet.forEach(hasWhat, (id) => {
    const known = Vector.get(world.scheduler.tasks, id)
    const held = Vector.get(machine.tasks, id)
    if (known?.status._tag !== "Memory" || held?.status._tag !== "Memory" || held.run !== known.status.run) {
      return breaks("X1 who has what is known exactly", `task ${id} on ${name}`)
    }
    const key = world.keys.keyOf(id)
    const right = key === undefined ? undefined : world.tasks.values[world.tasks.placeOfKey(key)]
    if (store.find(id, held.run) !== right) breaks("X4 replicas are the result", `task ${id} on ${name}`)
  })
}
