/**
 * What the scheduler's shell does between its machine and its peers, as far as
 * it decides anything: it names keys when a message arrives, gives workers their
 * numbers, addresses commands in the step that reduced the batch, and gives ids
 * back after that.
 *
 * Follows runtime/scheduler: Handlers, WorkerSession, ClientSession, Carrying,
 * and Scheduler's loop.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { Event, Leaving } from "@skein/core/scheduler/Event"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import { reduce } from "@skein/core/scheduler/Reducer"
import * as Vector from "@skein/core/persistent/Vector"
import type { State } from "@skein/core/scheduler/State"
import type { AskId, ClientId, CodeId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Terms } from "@skein/protocol/Terms"
import type { Held } from "@skein/protocol/WorkerRpcs"
import * as FormerLives from "@skein/runtime/scheduler/FormerLives"
import { forgetAll } from "@skein/runtime/scheduler/Journal"
import type { CaseTask } from "../Case.ts"
import type { Client, News, Process, Saying, Session, Up } from "./Parts.ts"
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
  const out: Out = { workers: new Map(), clients: new Map() }
  const anew = FormerLives.make(step.state, (client, id) => world.clients[client]?.refs.isHeldAnew(id) === true)
  for (const command of step.commands) if (!anew.keeps(command)) carry(world, command, out)
  for (const news of anew.stillTrue()) carry(world, news, out)
  for (const client of world.clients) client.refs.addressed()
  checkForgotten(world, step.commands)
  forgetAll(world.keys, step)
  for (const [session, rows] of out.workers) {
    session.down.queue.push({ _tag: "Command", events: rows })
    world.observer.toWorker(session)
  }
  for (const [client, news] of out.clients) {
    client.down.queue.push(news)
    world.observer.toClient(client)
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

/** Rows of a turn by whom they are for. */
interface Out {
  readonly workers: Map<Session, Array<WorkerEvent>>
  readonly clients: Map<Client, Array<News>>
}

const carry = (world: World, command: Command, out: Out): void => {
  switch (command._tag) {
    case "ComputeTask": {
      const key = world.keys.keyOf(command.id)
      const session = world.workers.get(command.worker)
      if (key === undefined) return breaks("commands name what there is", `${command._tag} for task ${command.id}`)
      // What is for a worker that has gone is for nobody: the event about that waits in the mailbox.
      if (session === undefined) return
      const { alone, args, attempt, code, dependencies, id, isolation, priority, rank, run } = command
      return row(out, session, "ComputeAsked", { id, run, key, code, args, isolation, priority, rank, attempt, alone, dependencies })
    }
    case "CancelTask":
      return aboutRun(world, out, "CancelAsked", command)
    case "TakeBack":
      return aboutRun(world, out, "TakeBackAsked", command)
    case "FreeKey":
      return aboutRun(world, out, "FreeAsked", command)
    case "TellHolders": {
      const session = world.workers.get(command.worker)
      if (session === undefined) return
      return row(out, session, "HoldersTold", { id: command.id, run: command.run, whoHas: command.whoHas })
    }
    case "ReportInMemory":
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "InMemory", ref, run: command.run }))
    case "ReportErred": {
      const origin = world.keys.keyOf(command.origin)
      if (origin === undefined) return breaks("commands name what there is", `the failure of task ${command.id} comes from ${command.origin}, which is gone`)
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "Erred", ref, failure: command.failure, origin }))
    }
    case "ReportPending":
      return news(world, out, command.client, command.id, (ref) => ({ _tag: "Pending", ref }))
    case "ReportConflict":
      return breaks("equal tasks are no conflict", `task ${command.id} for client ${command.client}`)
    case "ReportRefused":
      return breaks("there is room for every task", `task ${command.id} for client ${command.client}`)
    case "ReportUnknown":
      return breaks("nobody asks for a key by its name", `task ${command.id} for client ${command.client}`)
    case "TellDetachedFailed":
      return breaks("every task is held", `task ${command.id} failed and nobody may hold it`)
    case "Reply":
      return answered(world, command)
    case "EndWorker": {
      const session = world.workers.get(command.worker)
      if (session !== undefined) world.observer.endProcess(processOf(world, session))
      return
    }
    case "Wake":
      world.wakeAt = command.at
      return world.observer.wakeScheduler(command.at)
    case "Forgotten":
      return // all at once, after this
  }
}

const aboutRun = (world: World, out: Out, tag: WorkerEvent["_tag"], { id, run, worker }: { readonly worker: WorkerId; readonly id: TaskId; readonly run: number }): void => {
  const session = world.workers.get(worker)
  if (session !== undefined) row(out, session, tag, { id, run })
}

/** Rows of one kind that stand together are one event. */
const row = (out: Out, session: Session, tag: WorkerEvent["_tag"], value: object): void => {
  let events = out.workers.get(session)
  if (events === undefined) out.workers.set(session, events = [])
  const last = events.at(-1)
  if (last !== undefined && last._tag === tag) (last as unknown as { rows: Array<object> }).rows.push(value) // the tag says whose rows they are
  else events.push({ _tag: tag, at: 0, rows: [value] } as unknown as WorkerEvent) // as above
}

const news = (world: World, out: Out, id: ClientId, task: TaskId, make: (ref: NonNullable<ReturnType<Client["refs"]["refOf"]>>) => News): void => {
  const client = world.clients[id]
  const ref = client?.refs.refOf(task)
  // What is for a client that has left, or has let go of the key, is for nobody.
  if (client === undefined || client.gone || ref === undefined) return
  const list = out.clients.get(client)
  if (list === undefined) out.clients.set(client, [make(ref)])
  else list.push(make(ref))
}

const processOf = (world: World, session: Session): Process =>
  world.processes[session.process] ?? breaks("commands name what there is", `process ${session.process}`)

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

/** A cancellation is answered only once nothing that it stopped runs on a connected worker. */
const answered = (world: World, { answer, ask }: Extract<Command, { readonly _tag: "Reply" }>): void => {
  const asked = world.asks.get(ask)
  // Of a client that has left nothing is remembered.
  if (asked === undefined) return
  world.asks.delete(ask)
  if (answer._tag !== "Cancelled") return
  for (const session of world.workers.values()) {
    const process = processOf(world, session)
    if (process.life !== session.life || process.contact !== session) continue
    for (const body of process.bodies.values()) {
      const at = asked.runs.indexOf(body.run)
      if (at >= 0 && answer.outcomes[at] === "cancelled") {
        breaks("C4 once a cancellation is answered nothing of it runs", `task ${body.task} runs on worker ${session.worker}`)
      }
    }
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
