/**
 * What the scheduler's shell does between its machine and its peers, as far as
 * it decides anything: it names keys when a message arrives, gives workers their
 * numbers, addresses commands in the step that reduced the batch (SchedulerCarrying.ts),
 * and gives ids back after that.
 *
 * Follows runtime/scheduler: Handlers, WorkerSession, ClientSession, and
 * Scheduler's loop.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { Event, Leaving } from "@skein/core/scheduler/Event"
import { reduce } from "@skein/core/scheduler/Reducer"
import * as Vector from "@skein/core/persistent/Vector"
import type { State } from "@skein/core/scheduler/State"
import type { AskId, CodeId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as FormerLives from "@skein/runtime/scheduler/FormerLives"
import { forgetAll } from "@skein/runtime/scheduler/Journal"
import type { CaseTask } from "../Case.ts"
import type { Client, Process, Saying, Session, Up } from "./Parts.ts"
import { carry, Outbox } from "./SchedulerCarrying.ts"
import { breaks, type World } from "./World.ts"

/** Tasks of so many kinds: durations are learnt by kind. */
export const kinds = 5

/** The next message of a worker arrives. */
export const takeFromWorker = (world: World, session: Session): void => {
  const message = session.up.queue.shift()
  if (message === undefined || session.overThere) return
  if (message._tag === "Register") return register(world, session, message)
  for (const event of message.events) offer(world, stamped(event, world.now, session.worker))
}

/** A session is over for the scheduler. What is said first of how it came to be so counts. */
export const leave = (world: World, session: Session, leaving: Leaving): void => {
  if (session.overThere) return
  session.overThere = true
  session.up.queue = []
  dropIfOver(world, session)
  if (session.worker === undefined || !world.workers.delete(session.worker)) return
  offer(world, { _tag: "WorkerLeft", at: world.now, worker: session.worker, leaving })
}

/** A nanny reports that a life of its process has ended. */
export const reportExit = (world: World, { life, number }: Process, leaving: Leaving): void => {
  world.exited.add(lifeOf(number, life))
  for (const session of world.sessions) {
    if (session.process === number && session.life === life) leave(world, session, leaving)
  }
}

export const clientJoined = (world: World, client: Client): void =>
  offer(world, { _tag: "ClientJoined", at: world.now, client: client.id, name: client.name })

/** A client's session is over for the scheduler. */
export const clientLeft = (world: World, client: Client): void => {
  if (client.gone) return
  client.gone = true
  client.up.queue = []
  for (const [ask, asked] of world.asks) if (asked.client === client.id) world.asks.delete(ask)
  offer(world, { _tag: "ClientLeft", at: world.now, client: client.id })
}

/** The next message of a client arrives. */
export const takeFromClient = (world: World, client: Client): void => {
  const saying = client.up.queue.shift()
  if (saying === undefined || client.gone) return
  const at = world.now
  switch (saying._tag) {
    case "Submit":
      return offer(world, submitted(world, client, saying))
    case "Release":
      return offer(world, {
        _tag: "KeysReleased",
        at,
        client: client.id,
        ids: saying.refs.map((ref) => client.refs.release(ref)).filter((id) => id !== undefined)
      })
    case "Cancel": {
      const ids = saying.refs.map((ref) => client.refs.idOf(ref)).filter((id) => typeof id === "number")
      const ask = world.nextAsk++ as AskId // this counter alone gives these numbers
      return offer(world, { _tag: "CancelAsked", at, client: client.id, ask, ids, note: null, force: saying.force })
    }
    case "Retry":
      return offer(world, {
        _tag: "RetryAsked",
        at,
        client: client.id,
        ids: saying.refs.map((ref) => client.refs.idOf(ref)).filter((id) => typeof id === "number")
      })
    case "Leave":
      return clientLeft(world, client)
  }
}

/** The machine takes all that waits, as one batch. */
export const schedulerTurn = (world: World): void => {
  const events = world.mailbox
  if (events.length === 0) return
  world.mailbox = []
  const before = world.scheduler
  const step = reduce(before, events)
  world.scheduler = step.state
  noteAsks(world, events, before)
  world.observer.schedulerStepped(before, events, step)
  // Many batches of this size have nothing to be told of.
  if (step.commands.length === 0) {
    for (const client of world.clients) client.refs.addressed()
    return
  }
  const out = new Outbox()
  const anew = FormerLives.make(step.state, (client, id) => world.clients[client]?.refs.isHeldAnew(id) === true)
  for (const command of step.commands) if (!anew.keeps(command)) carry(world, command, out)
  for (const news of anew.stillTrue()) carry(world, news, out)
  for (const client of world.clients) client.refs.addressed()
  checkForgotten(world, step.commands)
  forgetAll(world.keys, step)
  for (const { rows, to } of out.workers.all) {
    to.down.queue.push({ _tag: "Command", events: rows })
    world.observer.toWorker(to)
  }
  for (const { rows, to } of out.clients.all) {
    to.down.queue.push(rows)
    world.observer.toClient(to)
  }
}

/** Time goes by. */
export const tickScheduler = (world: World): void => {
  world.wakeAt = undefined
  offer(world, { _tag: "Ticked", at: world.now })
}

/** Names a life of a process. */
export const lifeOf = (process: number, life: number): number => process * 0x1_0000 + life

/** Sessions over on both sides are of no interest to anybody. */
export const dropIfOver = (world: World, session: Session): void => {
  if (session.overHere && session.overThere) world.sessions = world.sessions.filter((other) => other !== session)
}

const offer = (world: World, event: Event): void => {
  world.mailbox.push(event)
  if (world.mailbox.length === 1) world.observer.schedulerFilled()
}

/** An event gets its time and its worker when it arrives. It has been made for this one receiver. */
const stamped = (event: Event, at: number, worker: WorkerId | undefined): Event => {
  const own = event as { at: number; worker?: WorkerId | undefined } // not shared with anybody, see above
  own.at = at
  own.worker = worker
  return event
}

const register = (world: World, session: Session, { offers }: Extract<Up, { readonly _tag: "Register" }>): void => {
  if (world.exited.has(lifeOf(session.process, session.life))) return leave(world, session, { _tag: "Closed" })
  for (const other of world.sessions) {
    if (other !== session && other.process === session.process && other.life === session.life && other.worker !== undefined) {
      leave(world, other, { _tag: "Closed" })
    }
  }
  const worker = world.lives.length as WorkerId // this table alone gives these numbers
  world.lives.push({ process: session.process, life: session.life })
  session.worker = worker
  world.workers.set(worker, session)
  const holds: Array<Held> = []
  const ids = offers.map(({ bytes, key, run }) => {
    const id = world.keys.idOf(key)
    if (id === undefined) return notKnown
    holds.push({ id, run, nbytes: bytes.length })
    return id
  })
  const { slots } = world.setup
  offer(world, { _tag: "WorkerJoined", at: world.now, worker, name: `worker-${session.process}`, nthreads: slots, nfibers: slots, resources: { GPU: 2 }, holds })
  session.down.queue.push({ _tag: "Registered", worker, ids })
  world.observer.toWorker(session)
}

const notKnown = -1 as TaskId // says "nobody needs it", as Register's answer does

const submitted = (world: World, client: Client, { last, rows }: Extract<Saying, { readonly _tag: "Submit" }>): Event => {
  world.keys.begin()
  const tasks = rows.map(({ dependencies, ref, task }) => {
    const { delayMs, id: number, gpus, isolation, on, priority, retries } = world.tasks.get(task)
    const code = number % kinds as CodeId // kinds stand for code here
    const ids = dependencies.map((dependency) => client.refs.idOf(dependency)).filter((id) => typeof id === "number")
    const id = world.keys.idFor(world.tasks.keys[task] ?? breaks("commands name what was submitted", `task ${task}`), code)
    client.refs.hold(ref, id)
    const plain = { id, code, args: world.tasks.args[task] ?? nothing, dependencies: ids, priority, retries, isolation }
    const row = delayMs === undefined ? plain : { ...plain, rules: { timeoutMs: Infinity, delayMs, factor: 2, maxDelayMs: 1_000 } }
    return gpus === undefined && on === undefined ? row : { ...row, terms: termsOf(gpus, on, world.processes.length) }
  })
  return { _tag: "TasksSubmitted", at: world.now, client: client.id, tasks, last }
}

const nothing = new Uint8Array(0)

/** A case that is shortened may have lost the worker that is meant: then it is another. */
const termsOf = (gpus: CaseTask["gpus"], on: CaseTask["on"], workers: number): Terms => ({
  resources: gpus === undefined ? {} : { GPU: gpus },
  workers: on === undefined ? [] : [`worker-${on.worker % workers}`],
  allowOtherWorkers: on?.strictly === false,
  span: "",
  annotations: nothing
})

/** Remembers which runs each cancellation stops, as far as they were given before its batch. */
const noteAsks = (world: World, events: ReadonlyArray<Event>, before: State): void => {
  for (const event of events) {
    if (event._tag !== "CancelAsked" || world.clients[event.client]?.gone !== false) continue
    const runs = event.ids.map((id) => {
      const status = Vector.get(before.tasks, id)?.status
      return status?._tag === "Processing" ? status.run : undefined
    })
    world.asks.set(event.ask, { runs, client: event.client })
  }
}

/** Each id is given back once, by who had it. */
const checkForgotten = (world: World, commands: ReadonlyArray<Command>): void => {
  for (const command of commands) {
    if (command._tag === "Forgotten" && world.keys.keyOf(command.id) === undefined) {
      breaks("an id is given back once, and only if it was given", `task ${command.id}`)
    }
  }
}
