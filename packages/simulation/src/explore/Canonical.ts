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
  private readonly list: Array<number> = []
  private length = 0
  /** Place in `list`, group, number; again and again. */
  private readonly named: Array<number> = []
  private namedLength = 0

  /** Begins anew; the lists are written over. */
  clear(): void {
    this.length = 0
    this.namedLength = 0
  }

  one(number: number): void {
    this.list[this.length++] = number
  }

  put(...numbers: ReadonlyArray<number>): void {
    for (const number of numbers) this.one(number)
  }

  flag(is: boolean): void {
    this.one(is ? 1 : 0)
  }

  set(set: IntSet.IntSet): void {
    for (let id = IntSet.min(set); id !== undefined; id = IntSet.next(set, id)) this.one(id)
    this.one(end)
  }

  /** A number of a group: all that are compared with each other. */
  name(group: number, number: number): void {
    const { named } = this
    named[this.namedLength] = this.length
    named[this.namedLength + 1] = group
    named[this.namedLength + 2] = number
    this.namedLength += 3
    this.one(0)
  }

  run(id: number, run: number): void {
    this.one(id)
    this.name(id, run)
  }

  rank(rank: number): void {
    this.name(ranks, rank)
  }

  add(other: Tokens): void {
    const { list, named } = this
    const base = this.length
    for (let at = 0; at < other.length; at++) list[base + at] = other.list[at]!
    this.length += other.length
    for (let at = 0; at < other.namedLength; at += 3) {
      named[this.namedLength++] = base + other.named[at]!
      named[this.namedLength++] = other.named[at + 1]!
      named[this.namedLength++] = other.named[at + 2]!
    }
  }

  /** Renames; after that nothing may be put in any more. */
  rename(): void {
    const { list, named, namedLength } = this
    // By group, from the lowest number that a group can have: few numbers each, in order.
    const groups: Array<Array<number> | undefined> = []
    for (let at = 0; at < namedLength; at += 3) {
      const group = groups[named[at + 1]! - lowestGroup] ??= []
      const number = named[at + 2]!
      let place = 0
      while (place < group.length && group[place]! < number) place++
      if (group[place] !== number) group.splice(place, 0, number)
    }
    for (let at = 0; at < namedLength; at += 3) list[named[at]!] = groups[named[at + 1]! - lowestGroup]!.indexOf(named[at + 2]!)
  }

  /** 53 bits of the numbers. Different states with equal hashes are taken for one: with a million of them the chance of that is one in ten thousand. */
  hash(): number {
    const { length, list } = this
    let low = 0x811c9dc5
    let high = 0x9747b28c
    for (let at = 0; at < length; at++) {
      const number = list[at]!
      low = Math.imul(low ^ number, 0x01000193)
      low ^= low >>> 15
      high = Math.imul(high ^ (number + 0x7f4a7c15), 0x85ebca6b)
      high ^= high >>> 13
    }
    return (high >>> 11) * 0x1_0000_0000 + (low >>> 0)
  }
}

const end = -1
/** Groups beside those of tasks, which have the numbers of these. */
const ranks = -2
const questions = -3
/** There is one client here, and the numbers that it gave are the last group. */
const lowestGroup = -4

/** Of the whole world, and of what whoever explores it keeps beside. */
export const hashOfWorld = (world: World, beside: ReadonlyArray<number>): number => {
  writeWorld(scratch, world, beside)
  scratch.rename()
  return scratch.hash()
}

/** One world is written down at a time. */
const scratch = new Tokens()

const writeWorld = (tokens: Tokens, world: World, beside: ReadonlyArray<number>): void => {
  tokens.clear()
  for (const number of beside) tokens.one(number)
  tokens.one(world.lives.length)
  tokens.one(world.exited.size)
  tokens.add(schedulerTokens(world.scheduler))
  for (const session of world.sessions) putSession(tokens, session)
  tokens.one(end)
  for (const process of world.processes) putProcess(tokens, process, world.now)
  for (const client of world.clients) {
    for (const { ref, status, task } of client.futures.values()) {
      tokens.one(task)
      tokens.name(questions - 1 - client.number, ref)
      tokens.one(status._tag === "Pending" ? 0 : status._tag === "InMemory" ? 1 : 2)
      if (status._tag === "InMemory") tokens.run(task, status.run)
    }
    tokens.one(end)
  }
  for (const ask of world.asks.keys()) tokens.name(questions, ask)
}

/** The scheduler alone, for remembering which states have been checked. */
export const schedulerHash = (state: Scheduler.State): number => hashOfOne(schedulerTokens(state))

export const workerHash = (state: Worker.State): number => hashOfOne(workerTokens(state))

const hashOfOne = (tokens: Tokens): number => {
  scratch.clear()
  scratch.add(tokens)
  scratch.rename()
  return scratch.hash()
}

const schedulers = new WeakMap<Scheduler.State, Tokens>()
const workers = new WeakMap<Worker.State, Tokens>()

const schedulerTokens = (state: Scheduler.State): Tokens => {
  const known = schedulers.get(state)
  if (known !== undefined) return known
  const tokens = new Tokens()
  Vector.forEach(state.tasks, (task) => putTask(tokens, task))
  tokens.one(end)
  Vector.forEach(state.workers, (worker) => {
    tokens.put(worker.id, worker.fiber.assigned, worker.fiber.occupancyMs, worker.fiber.leaving, worker.fiber.coming)
    tokens.put(worker.thread.assigned, worker.thread.occupancyMs, worker.thread.leaving, worker.thread.coming)
    tokens.flag(worker.ending)
  })
  tokens.one(end)
  Vector.forEach(state.clients, (client) => {
    tokens.one(client.id)
    Vector.forEach(client.unfinished, (id) => tokens.one(id))
    tokens.one(end)
    tokens.flag(client.refusing)
    Vector.forEach(client.refused, (id) => tokens.one(id))
    tokens.one(end)
  })
  IntSet.forEach(state.justRefused, (id) => tokens.one(id))
  tokens.one(end)
  for (const { attempt, call, deaths, verdict } of state.remembered) {
    tokens.put(call.code, attempt, deaths.length)
    tokens.flag(verdict !== undefined)
  }
  tokens.one(end)
  Vector.forEach(state.stopping, (entries, id) => {
    for (const { asks, expectedMs, hasSlot, run, worker } of entries) {
      tokens.run(id, run)
      tokens.put(worker, expectedMs)
      tokens.flag(hasSlot)
      for (const ask of asks) tokens.name(questions, ask)
      tokens.one(end)
    }
  })
  tokens.one(end)
  Vector.forEach(state.asks, (ask, place) => {
    tokens.name(questions, place)
    // Nobody scatters here, so of such questions there are none to tell apart.
    tokens.one(ask._tag === "Cancel" ? ask.running : ask._tag === "Workers" ? -ask.count : ask.rows.length)
  })
  Vector.forEach(state.kinds, (kind) => tokens.put(kind.code, kind.meanMs ?? end))
  tokens.one(state.turn)
  schedulers.set(state, tokens)
  return tokens
}

const statuses: ReadonlyArray<Scheduler.Status["_tag"]> = ["Released", "Waiting", "NoWorker", "Queued", "Processing", "Memory", "Erred"]

const putTask = (tokens: Tokens, { id, rank, status, trials: { attempt, deaths, retriesLeft, suspect }, waiters, whoWants }: Scheduler.Task): void => {
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
  tokens.one(state.worker ?? end)
  Vector.forEach(state.tasks, ({ assignment, dependents, id, run, status, urgency, whoHas }) => {
    tokens.one(here.indexOf(status._tag))
    tokens.run(id, run)
    tokens.set(dependents)
    tokens.set(whoHas)
    tokens.rank(Math.floor(urgency.rank / 16))
    tokens.one(urgency.rank % 16)
    if (assignment === undefined) tokens.one(end)
    else putRow(tokens, assignment)
    if (status._tag === "Waiting") tokens.set(status.waitingOn)
    else if (status._tag === "Flight") {
      tokens.one(status.peer)
      tokens.run(id, status.run)
    } else if (status._tag === "Stopping") {
      tokens.run(id, status.run)
      tokens.flag(status.slot)
      tokens.flag(status.alone)
    } else if (status._tag === "LongRunning") tokens.flag(status.waits)
  })
  tokens.put(end, state.threads, state.fibers, state.running)
  tokens.flag(state.lone === undefined)
  tokens.flag(state.askAt === undefined)
  IntSet.forEach(state.busy, (id) => tokens.one(id))
  tokens.one(end)
  workers.set(state, tokens)
  return tokens
}

const putSession = (tokens: Tokens, session: Session): void => {
  tokens.put(session.process, session.life, session.worker ?? end)
  tokens.flag(session.overHere)
  tokens.flag(session.overThere)
  for (const message of session.up.queue) putMessage(tokens, message)
  tokens.one(end)
  for (const message of session.down.queue) putMessage(tokens, message)
  tokens.one(end)
}

const tags = new Map<string, number>()

const tagNumber = (tag: string): number => {
  let number = tags.get(tag)
  if (number === undefined) tags.set(tag, number = tags.size)
  return number
}

const putMessage = (tokens: Tokens, message: Up | Down): void => {
  tokens.one(tagNumber(message._tag))
  if (message._tag === "Register") {
    for (const { id, run } of message.offers) tokens.run(id, run)
  } else if (message._tag === "Registered") {
    tokens.one(message.worker)
    for (const id of message.ids) tokens.one(id)
  } else for (const event of message.events) putEvent(tokens, event)
  tokens.one(end)
}

const putEvent = (tokens: Tokens, event: object): void => {
  if ("_tag" in event && typeof event._tag === "string") tokens.one(tagNumber(event._tag))
  if ("rows" in event && Array.isArray(event.rows)) for (const row of event.rows) putRow(tokens, row)
  else putRow(tokens, event)
}

/** Of a row of any kind what decides anything; sizes, codes and arguments follow from the task. */
const putRow = (tokens: Tokens, row: Row): void => {
  if (row.id !== undefined && row.run !== undefined) tokens.run(row.id, row.run)
  if (row.rank !== undefined) tokens.rank(row.rank)
  if (row.returned !== undefined) tokens.flag(row.returned)
  if (row.alone !== undefined) tokens.flag(row.alone)
  if (row.alone === true) tokens.flag(row.decisive === true)
  if (row.peer !== undefined) tokens.one(row.peer)
  if (row.attempt !== undefined) tokens.one(typeof row.attempt === "number" ? row.attempt : 1)
  if (row.whoHas !== undefined) tokens.put(...row.whoHas, end)
  row.dependencies?.forEach((dependency) => putRow(tokens, dependency))
  tokens.one(end)
}

interface Row {
  readonly id?: number
  readonly run?: number
  readonly rank?: number
  readonly returned?: boolean
  readonly alone?: boolean
  readonly decisive?: true
  readonly peer?: number
  readonly attempt?: unknown
  readonly whoHas?: ReadonlyArray<number>
  readonly dependencies?: ReadonlyArray<Row>
}

const putProcess = (tokens: Tokens, process: Process, now: number): void => {
  tokens.one(process.life)
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
  tokens.one(end)
  for (const item of process.mailbox) putEvent(tokens, item)
  tokens.one(end)
  for (const body of [...process.bodies.values()].sort(byTask)) putBody(tokens, body, process.store.generation())
  tokens.one(end)
  for (const gathering of process.gathers.values()) putGathering(tokens, gathering, process.store.generation())
  tokens.put(end, process.noted.size, process.contact?.worker ?? end, process.session === process.contact ? 1 : 0, ...process.offers.map(({ id }) => id))
}

const byTask = (a: Body, b: Body): number => a.id - b.id || a.run - b.run

const putBody = (tokens: Tokens, { attempt, generation, id, interrupted, run }: Body, now: number): void => {
  tokens.run(id, run)
  tokens.one(attempt)
  tokens.flag(interrupted)
  tokens.flag(generation === now)
}

const putGathering = (tokens: Tokens, { answer, generation, peer, rows }: Gathering, now: number): void => {
  tokens.put(peer, answer === undefined ? end : tagNumber(answer._tag))
  tokens.flag(generation === now)
  for (const row of rows) tokens.run(row.id, row.run)
  if (answer?._tag === "Served") {
    tokens.flag(answer.isBusy)
    for (const { held } of answer.found) tokens.run(held.id, held.run)
  }
  tokens.one(end)
}
