/**
 * A world as a list of numbers: equal for worlds that will do the same.
 *
 * Left out is what decides nothing: times, logs, counters that only say which
 * number is fresh. Run numbers, ranks and questions are written as their places
 * among those of their kind that are still somewhere, because machines only ever
 * compare them, a run with other runs of its task. So two histories that differ
 * in which task got the lower number lead to one state.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import type * as Scheduler from "@skein/core/scheduler/State"
import type * as Worker from "@skein/core/worker/State"
import type { Body, Down, Gathering, Process, Session, Up } from "../reducers/Parts.ts"
import type { World } from "../reducers/World.ts"
import { Store } from "./Tables.ts"

/** Numbers, with the places among them of those that are to be renamed. */
class Tokens {
  readonly list: Array<number> = []
  /** Place in `list`, group, number; again and again. */
  readonly named: Array<number> = []

  put(...numbers: ReadonlyArray<number>): void {
    for (const number of numbers) this.list.push(number)
  }

  flag(is: boolean): void {
    this.list.push(is ? 1 : 0)
  }

  set(set: IntSet.IntSet): void {
    IntSet.forEach(set, (id) => void this.list.push(id))
    this.list.push(end)
  }

  /** A number of a group: all that are compared with each other. */
  name(group: number, number: number): void {
    this.named.push(this.list.length, group, number)
    this.list.push(0)
  }

  run(id: number, run: number): void {
    this.list.push(id)
    this.name(id, run)
  }

  rank(rank: number): void {
    this.name(ranks, rank)
  }

  add(other: Tokens): void {
    const base = this.list.length
    for (const number of other.list) this.list.push(number)
    for (let at = 0; at < other.named.length; at += 3) this.named.push(base + other.named[at]!, other.named[at + 1]!, other.named[at + 2]!)
  }

  /** Renames, and returns the numbers. */
  done(): ReadonlyArray<number> {
    const groups = new Map<number, Array<number>>()
    for (let at = 0; at < this.named.length; at += 3) {
      const group = groups.get(this.named[at + 1]!)
      if (group === undefined) groups.set(this.named[at + 1]!, [this.named[at + 2]!])
      else if (!group.includes(this.named[at + 2]!)) group.push(this.named[at + 2]!)
    }
    for (const group of groups.values()) if (group.length > 1) group.sort((a, b) => a - b)
    for (let at = 0; at < this.named.length; at += 3) this.list[this.named[at]!] = groups.get(this.named[at + 1]!)!.indexOf(this.named[at + 2]!)
    return this.list
  }
}

const end = -1
const ranks = -2
const questions = -3

/** 53 bits of a list of numbers. Different states with equal hashes are taken for one: with a million of them the chance of that is one in ten thousand. */
export const hashOf = (numbers: ReadonlyArray<number>): number => {
  let low = 0x811c9dc5
  let high = 0x9747b28c
  for (const number of numbers) {
    low = Math.imul(low ^ number, 0x01000193)
    low ^= low >>> 15
    high = Math.imul(high ^ (number + 0x7f4a7c15), 0x85ebca6b)
    high ^= high >>> 13
  }
  return (high >>> 11) * 0x1_0000_0000 + (low >>> 0)
}

/** The whole world, without what whoever explores it keeps beside. */
export const numbersOf = (world: World, beside: ReadonlyArray<number>): ReadonlyArray<number> => {
  const tokens = new Tokens()
  tokens.put(...beside, world.lives.length, world.exited.size)
  tokens.add(schedulerTokens(world.scheduler))
  for (const session of world.sessions) putSession(tokens, session)
  tokens.put(end)
  for (const process of world.processes) putProcess(tokens, process, world.now)
  for (const client of world.clients) {
    for (const { ref, status, task } of client.futures.values()) {
      tokens.put(task)
      tokens.name(questions - 1 - client.number, ref)
      tokens.put(status._tag === "Pending" ? 0 : status._tag === "InMemory" ? 1 : 2)
      if (status._tag === "InMemory") tokens.run(task, status.run)
    }
    tokens.put(end)
  }
  for (const ask of world.asks.keys()) tokens.name(questions, ask)
  return tokens.done()
}

/** The scheduler alone, for remembering which states have been checked. */
export const schedulerHash = (state: Scheduler.State): number => hashOf(copyOf(schedulerTokens(state)).done())

export const workerHash = (state: Worker.State): number => hashOf(copyOf(workerTokens(state)).done())

const copyOf = (tokens: Tokens): Tokens => {
  const copy = new Tokens()
  copy.add(tokens)
  return copy
}

const schedulers = new WeakMap<Scheduler.State, Tokens>()
const workers = new WeakMap<Worker.State, Tokens>()

const schedulerTokens = (state: Scheduler.State): Tokens => {
  const known = schedulers.get(state)
  if (known !== undefined) return known
  const tokens = new Tokens()
  Vector.forEach(state.tasks, (task) => putTask(tokens, task))
  tokens.put(end)
  Vector.forEach(state.workers, (worker) => {
    tokens.put(worker.id, worker.fiber.assigned, worker.fiber.occupancyMs, worker.fiber.leaving, worker.fiber.coming)
    tokens.put(worker.thread.assigned, worker.thread.occupancyMs, worker.thread.leaving, worker.thread.coming)
    tokens.flag(worker.ending)
  })
  tokens.put(end)
  Vector.forEach(state.clients, (client) => {
    tokens.put(client.id)
    Vector.forEach(client.unfinished, (id) => tokens.put(id))
    tokens.put(end)
    tokens.flag(client.refusing)
    Vector.forEach(client.refused, (id) => tokens.put(id))
    tokens.put(end)
  })
  IntSet.forEach(state.justRefused, (id) => tokens.put(id))
  tokens.put(end)
  for (const { attempt, call, deaths, verdict } of state.remembered) {
    tokens.put(call.code, attempt, deaths.length)
    tokens.flag(verdict !== undefined)
  }
  tokens.put(end)
  Vector.forEach(state.stopping, (entries, id) => {
    for (const { asks, expectedMs, hasSlot, run, worker } of entries) {
      tokens.run(id, run)
      tokens.put(worker, expectedMs)
      tokens.flag(hasSlot)
      for (const ask of asks) tokens.name(questions, ask)
      tokens.put(end)
    }
  })
  tokens.put(end)
  Vector.forEach(state.asks, (ask, place) => {
    tokens.name(questions, place)
    // Nobody scatters here, so of such questions there are none to tell apart.
    tokens.put(ask._tag === "Cancel" ? ask.running : ask._tag === "Workers" ? -ask.count : ask.rows.length)
  })
  Vector.forEach(state.kinds, (kind) => tokens.put(kind.code, kind.meanMs ?? end))
  tokens.put(state.turn)
  schedulers.set(state, tokens)
  return tokens
}

const statuses: ReadonlyArray<Scheduler.Status["_tag"]> = ["Released", "Waiting", "NoWorker", "Queued", "Processing", "Memory", "Erred"]

const putTask = (tokens: Tokens, { attempt, deaths, id, rank, retriesLeft, status, suspect, waiters, whoWants }: Scheduler.Task): void => {
  tokens.put(id, statuses.indexOf(status._tag), retriesLeft, attempt, deaths.length, waiters)
  tokens.flag(suspect)
  tokens.rank(rank)
  tokens.set(whoWants)
  if (status._tag === "Waiting") tokens.set(status.waitingOn)
  else if (status._tag === "Processing") {
    tokens.run(id, status.run)
    tokens.put(status.worker, status.expectedMs, status.takingBackFor ?? end)
    tokens.flag(status.seceded)
    tokens.flag(status.started)
  } else if (status._tag === "Memory") {
    tokens.run(id, status.run)
    tokens.set(status.whoHas)
  } else if (status._tag === "Erred") tokens.put(status.origin, status.failure._tag.length)
}

const here: ReadonlyArray<Worker.StatusTag> = ["Released", "Waiting", "Fetch", "Flight", "Missing", "Ready", "Executing", "LongRunning", "Stopping", "Memory", "Error"]

const workerTokens = (state: Worker.State): Tokens => {
  const known = workers.get(state)
  if (known !== undefined) return known
  const tokens = new Tokens()
  tokens.put(state.worker ?? end)
  Vector.forEach(state.tasks, ({ assignment, dependents, id, run, status, urgency, whoHas }) => {
    tokens.put(here.indexOf(status._tag))
    tokens.run(id, run)
    tokens.set(dependents)
    tokens.set(whoHas)
    tokens.rank(Math.floor(urgency.rank / 16))
    tokens.put(urgency.rank % 16)
    if (assignment === undefined) tokens.put(end)
    else putRow(tokens, assignment)
    if (status._tag === "Waiting") tokens.set(status.waitingOn)
    else if (status._tag === "Flight") {
      tokens.put(status.peer)
      tokens.run(id, status.run)
    } else if (status._tag === "Stopping") {
      tokens.run(id, status.run)
      tokens.flag(status.slot)
      tokens.flag(status.alone)
    }
  })
  tokens.put(end, state.threads, state.fibers, state.running)
  tokens.flag(state.lone === undefined)
  tokens.flag(state.askAt === undefined)
  IntSet.forEach(state.busy, (id) => tokens.put(id))
  tokens.put(end)
  workers.set(state, tokens)
  return tokens
}

const putSession = (tokens: Tokens, session: Session): void => {
  tokens.put(session.process, session.life, session.worker ?? end)
  tokens.flag(session.overHere)
  tokens.flag(session.overThere)
  for (const message of session.up.queue) putMessage(tokens, message)
  tokens.put(end)
  for (const message of session.down.queue) putMessage(tokens, message)
  tokens.put(end)
}

const tags = new Map<string, number>()

const tagNumber = (tag: string): number => {
  let number = tags.get(tag)
  if (number === undefined) tags.set(tag, number = tags.size)
  return number
}

const putMessage = (tokens: Tokens, message: Up | Down): void => {
  tokens.put(tagNumber(message._tag))
  if (message._tag === "Register") {
    for (const { id, run } of message.offers) tokens.run(id, run)
  } else if (message._tag === "Registered") tokens.put(message.worker, ...message.ids)
  else for (const event of message.events) putEvent(tokens, event)
  tokens.put(end)
}

const putEvent = (tokens: Tokens, event: object): void => {
  if ("_tag" in event && typeof event._tag === "string") tokens.put(tagNumber(event._tag))
  if ("rows" in event && Array.isArray(event.rows)) for (const row of event.rows) putRow(tokens, row)
  else putRow(tokens, event)
}

/** Of a row of any kind what decides anything; sizes, codes and arguments follow from the task. */
const putRow = (tokens: Tokens, row: Row): void => {
  if (row.id !== undefined && row.run !== undefined) tokens.run(row.id, row.run)
  if (row.rank !== undefined) tokens.rank(row.rank)
  if (row.returned !== undefined) tokens.flag(row.returned)
  if (row.alone !== undefined) tokens.flag(row.alone)
  if (row.peer !== undefined) tokens.put(row.peer)
  if (row.attempt !== undefined) tokens.put(typeof row.attempt === "number" ? row.attempt : 1)
  if (row.whoHas !== undefined) tokens.put(...row.whoHas, end)
  row.dependencies?.forEach((dependency) => putRow(tokens, dependency))
  tokens.put(end)
}

interface Row {
  readonly id?: number
  readonly run?: number
  readonly rank?: number
  readonly returned?: boolean
  readonly alone?: boolean
  readonly peer?: number
  readonly attempt?: unknown
  readonly whoHas?: ReadonlyArray<number>
  readonly dependencies?: ReadonlyArray<Row>
}

const putProcess = (tokens: Tokens, process: Process, now: number): void => {
  tokens.put(process.life)
  tokens.flag(process.alive)
  if (!process.alive) return
  tokens.add(workerTokens(process.machine))
  // Whether what is waited for is due.
  Vector.forEach(process.machine.peers, ({ busyUntil }) => tokens.flag(busyUntil !== undefined && busyUntil <= now))
  tokens.flag(process.wakeAt === undefined)
  if (process.store instanceof Store) {
    for (const id of [...process.store.entries.keys()].sort((a, b) => a - b)) {
      const entry = process.store.entries.get(id)
      if (entry !== undefined) tokens.run(id, entry.run)
      tokens.flag(entry?.key === null)
    }
  }
  tokens.put(end)
  for (const item of process.mailbox) putEvent(tokens, item)
  tokens.put(end)
  for (const body of [...process.bodies.values()].sort(byTask)) putBody(tokens, body, process.store.generation())
  tokens.put(end)
  for (const gathering of process.gathers.values()) putGathering(tokens, gathering, process.store.generation())
  tokens.put(end, process.noted.size, process.contact?.worker ?? end, process.session === process.contact ? 1 : 0, ...process.offers.map(({ id }) => id))
}

const byTask = (a: Body, b: Body): number => a.id - b.id || a.run - b.run

const putBody = (tokens: Tokens, { attempt, generation, id, interrupted, run }: Body, now: number): void => {
  tokens.run(id, run)
  tokens.put(attempt)
  tokens.flag(interrupted)
  tokens.flag(generation === now)
}

const putGathering = (tokens: Tokens, { answer, generation, peer, rows }: Gathering, now: number): void => {
  tokens.put(peer, answer === undefined ? end : tagNumber(answer._tag))
  tokens.flag(generation === now)
  for (const row of rows) tokens.run(row.id, row.run)
  if (answer?._tag === "Served") for (const { held } of answer.found) tokens.run(held.id, held.run)
  tokens.put(end)
}
