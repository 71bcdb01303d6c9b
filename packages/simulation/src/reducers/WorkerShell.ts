/**
 * What a worker's shell does between its machine, its bodies, its store and its
 * session, and what happens to its process. Commands are carried out in
 * WorkerCarrying.ts.
 *
 * Follows runtime/worker: Connection, Mailbox, Executor and Gather; and of the
 * nanny what the scheduler hears of it.
 */
import type { Event } from "@skein/core/worker/Event"
import { reduce } from "@skein/core/worker/Reducer"
import * as Worker from "@skein/core/worker/State"
import type { Attempt } from "@skein/protocol/Failure"
import type { RunId } from "@skein/protocol/Ids"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as Option from "effect/Option"
import type { Answer, Beginning, Body, Gathering, Offer, Process, Session } from "./Parts.ts"
import { dropIfOver, lifeOf } from "./SchedulerShell.ts"
import { carry, offer } from "./WorkerCarrying.ts"
import type { World } from "./World.ts"

/** The process begins (again), knows nothing, and looks for the scheduler. */
export const start = (world: World, process: Process): void => {
  process.life++
  process.alive = true
  process.machine = Worker.empty(world.setup.workerConfig)
  process.store = world.tables.store()
  process.mailbox = []
  process.reports = []
  process.wakeAt = undefined
  process.ending = false
  connect(world, process)
}

/** The process ends at once. What it had sent may still arrive until somebody says that it is dead. */
export const crash = (world: World, process: Process): ReadonlyArray<RunId> => {
  const started = [...process.noted]
  process.alive = false
  process.bodies = new Map()
  process.gathers = new Map()
  process.noted = new Set()
  process.mailbox = []
  process.offers = []
  process.contact = undefined
  endHere(world, process)
  return started
}

/** The worker learns that its session is over; it registers anew, with the results that it holds. */
export const reconnect = (world: World, process: Process): void => {
  if (!process.alive) return
  process.contact = undefined
  endHere(world, process)
  connect(world, process)
}

/** The next message of the scheduler arrives. */
export const takeFromScheduler = (world: World, session: Session): void => {
  const message = session.down.queue.shift()
  const process = world.processes[session.process]
  if (message === undefined || process === undefined || session.overHere) return
  if (message._tag === "Registered") {
    const { ids, worker } = message
    return offer(world, process, { _tag: "Beginning", session: session.number, worker, ids, offers: process.offers })
  }
  for (const event of message.events) offer(world, process, stamped(event, world.now))
}

/** The machine takes all that waits up to a new incarnation, or begins that. */
export const workerTurn = (world: World, process: Process): void => {
  const events = takeBatch(world, process)
  if (events.length === 0) return
  const before = process.machine
  const step = reduce(before, events)
  process.machine = step.state
  world.observer.workerStepped(process, before, events, step)
  process.reports = []
  for (const command of step.commands) carry(world, process, command)
  const { contact, reports } = process
  if (reports.length > 0 && contact !== undefined && !contact.overHere) {
    contact.up.queue.push({ _tag: "Report", events: reports })
    world.observer.toScheduler(contact)
  }
  if (process.mailbox.length > 0) world.observer.workerFilled(process)
}

export const tickWorker = (world: World, process: Process): void => {
  process.wakeAt = undefined
  offer(world, process, { _tag: "Ticked", at: world.now })
}

/** How a body may end by itself. */
export type Ending = "succeeds" | "lies" | "fails" | "dies" | "exits" | "reschedules"

/** Nothing of the body runs any more. Interrupted, it has no outcome, whatever it had come to. */
export const endBody = (world: World, process: Process, body: Body, ending: Ending): void => {
  process.bodies.delete(body.run)
  const { id, run } = body
  const about = { at: world.now, id, run }
  if (body.interrupted) return offer(world, process, { _tag: "ExecuteStopped", ...about })
  const { durationMs } = world.tasks.get(body.task)
  switch (ending) {
    case "succeeds":
    case "lies": {
      // Compared by identity: another's bytes are a lie, whatever is in them.
      const bytes = ending === "lies" ? new Uint8Array(1) : world.tasks.values[body.task] ?? nothing
      process.store.put({ id, run, key: body.key, bytes }, body.generation)
      if (ending === "succeeds") world.produced.set(run, body.task)
      return offer(world, process, { _tag: "ExecuteSucceeded", ...about, nbytes: bytes.length, ms: durationMs, inline: false })
    }
    case "fails":
    case "dies": {
      const failure = world.tasks.failures[body.task] ?? nothing
      return offer(world, process, { _tag: "ExecuteFailed", ...about, ms: durationMs, failure, retryable: ending === "fails" })
    }
    case "exits":
      return offer(world, process, { _tag: "ExecuteExited", ...about, attempt: exited(process, world.now) })
    case "reschedules":
      return offer(world, process, { _tag: "ExecuteRescheduled", ...about })
  }
}

/** The body gives up its slot, or has none: it waits for tasks of its own, or runs on; after a wait when it has been heard. */
export const secede = (world: World, process: Process, body: Body, waits: boolean): void => {
  if (!process.bodies.has(body.run) || body.interrupted) return
  body.waitsFor = waits ? "tasks" : body.waitsFor === undefined ? undefined : "word"
  body.seceded = true
  offer(world, process, { _tag: "ExecuteSeceded", at: world.now, id: body.id, run: body.run, waits })
}

/** It wants a slot again. */
export const rejoin = (world: World, process: Process, body: Body): void => {
  if (!process.bodies.has(body.run) || body.interrupted) return
  body.waitsFor = "slot"
  offer(world, process, { _tag: "ExecuteRejoined", at: world.now, id: body.id, run: body.run })
}

/** The peer that is asked looks into its store. `busy`: it serves too many at once. */
export const serve = (world: World, gathering: Gathering, busy: boolean): void => {
  gathering.answer = busy ? { _tag: "Busy" } : read(world, gathering)
}

/** The answer arrives. */
export const receive = (world: World, process: Process, gathering: Gathering): void => {
  if (process.gathers.get(gathering.peer) !== gathering) return
  process.gathers.delete(gathering.peer)
  const at = world.now
  const { answer, peer } = gathering
  if (answer === undefined || answer._tag === "Failed") return offer(world, process, { _tag: "GatherFailed", at, peer })
  if (answer._tag === "Busy") return offer(world, process, { _tag: "GatherBusy", at, peer })
  for (const { bytes, held } of answer.found) {
    process.store.put({ id: held.id, run: held.run, key: null, bytes }, gathering.generation)
  }
  const got = answer.found.map(({ held }) => held)
  if (got.length + answer.missing.length > 0 || !answer.isBusy) offer(world, process, { _tag: "GatherSucceeded", at, peer, got, missing: answer.missing })
  if (answer.isBusy) offer(world, process, { _tag: "GatherBusy", at, peer })
}

const nothing = new Uint8Array(0)

const endHere = (world: World, process: Process): void => {
  const { session } = process
  if (session === undefined) return
  session.overHere = true
  session.down.queue = []
  process.session = undefined
  dropIfOver(world, session)
}

const connect = (world: World, process: Process): void => {
  const session: Session = {
    number: world.nextSession++,
    process: process.number,
    life: process.life,
    worker: undefined,
    up: world.makeLine(),
    down: world.makeLine(),
    overThere: false,
    overHere: false
  }
  world.sessions.push(session)
  process.session = session
  process.offers = process.store.offer()
  session.up.queue.push({ _tag: "Register", offers: process.offers })
  world.observer.toScheduler(session)
}

/** An event gets its time when it arrives. It has been made for this one receiver. */
const stamped = (event: Event, at: number): Event => {
  const own = event as { at: number } // not shared with anybody, see above
  own.at = at
  return event
}

const takeBatch = (world: World, process: Process): ReadonlyArray<Event> => {
  const { mailbox } = process
  const at = mailbox.findIndex((item) => item._tag === "Beginning")
  if (at === 0) return [begin(world, process, process.mailbox.shift() as Beginning)] // found at 0
  process.mailbox = at < 0 ? [] : mailbox.slice(at)
  return (at < 0 ? mailbox : mailbox.slice(0, at)) as ReadonlyArray<Event> // those before the first beginning are events
}

/** The first event of a new incarnation, which takes over what it has told of and the scheduler wants. */
const begin = (world: World, process: Process, { ids, offers, session, worker }: Beginning): Event => {
  const current = process.session
  // The beginning of a session that is over by now has its place all the same; nobody hears of what it leads to.
  process.contact = current?.number === session ? current : undefined
  const kept = offers.flatMap((entry, index) => {
    const id = ids[index]
    return id === undefined || id < 0 ? [] : [{ entry: entry satisfies Offer, id }]
  })
  const holds = process.store.adopt(kept)
  // What peers answer to the incarnation before is told to nobody: neither what is under way nor what waits behind the mark.
  process.gathers.clear()
  process.mailbox = process.mailbox.filter(({ _tag }) => _tag !== "GatherSucceeded" && _tag !== "GatherBusy" && _tag !== "GatherFailed")
  const { slots } = world.setup
  return { _tag: "Started", at: world.now, worker, nthreads: slots, nfibers: slots, holds }
}

const read = (world: World, { peer, rows }: Gathering): Answer => {
  const life = world.lives[peer]
  const process = life === undefined ? undefined : world.processes[life.process]
  // A life that has ended does not answer, and neither does the next one under its address.
  if (life === undefined || process === undefined || !process.alive || lifeOf(process.number, process.life) !== lifeOf(life.process, life.life)) {
    return { _tag: "Failed" }
  }
  const found: Array<{ held: Held; bytes: Uint8Array }> = []
  const missing: Array<Held> = []
  for (const { id, nbytes, run } of rows) {
    const bytes = process.store.find(id, run)
    if (bytes !== undefined) found.push({ held: { id, run, nbytes: bytes.length }, bytes })
    else missing.push({ id, run, nbytes })
  }
  // Of what is not here somebody may know under ids that this one is about to hear of.
  const isBusy = missing.length > 0 && process.store.isOffering()
  return { _tag: "Served", found, missing: isBusy ? [] : missing, isBusy }
}

const exited = ({ name }: Process, at: number): Attempt => ({
  worker: name,
  startedAtMs: at,
  endedAtMs: at,
  ended: "exit",
  detail: "it ended its thread",
  peakMemoryBytes: Option.none(),
  logTail: []
})
