/**
 * One run of a case through the reducers, by virtual time.
 *
 * Messages take a drawn time and do not overtake each other on their line; a
 * turn comes a moment after the first event; bodies take the time that the case
 * says, about. Faults come when the case says. At `healAt` they stop, and from
 * then on the system must come to rest with every future done (the healing
 * phase); then all is released and must be gone.
 *
 * After each batch the step is checked, of what it changed (StepChecks.ts); now
 * and then, and whenever all is at rest, everything is recounted (RestChecks.ts).
 *
 * Faults below this level (bytes, disks, clocks) change nothing here: what a
 * session makes good is a delay, as `ConnectionLoss` and `Duplicate` are.
 */
import type { Event as SchedulerEvent, Leaving } from "@skein/core/scheduler/Event"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import * as Worker from "@skein/core/worker/State"
import type { Failure } from "@skein/protocol/Failure"
import { ProcessId, type RunId } from "@skein/protocol/Ids"
import * as KeyTable from "@skein/runtime/scheduler/KeyTable"
import * as DataStore from "@skein/runtime/worker/DataStore"
import type { Case, Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import * as ClientShell from "./ClientShell.ts"
import { mix, share, streams } from "./Draws.ts"
import { Heap } from "./Heap.ts"
import { endlessOf, outcomesOf } from "./Oracle.ts"
import type { Body, Client, Gathering, Line, Process, Session } from "./Parts.ts"
import { checkEnd, checkRest, recount } from "./RestChecks.ts"
import * as SchedulerShell from "./SchedulerShell.ts"
import { StepChecks } from "./StepChecks.ts"
import * as WorkerShell from "./WorkerShell.ts"
import { Broken, breaks, type Observer, type Tables, World } from "./World.ts"

/** What came of a run. */
export interface Verdict {
  /** Undefined: nothing was wrong. */
  readonly broken: { readonly invariant: string; readonly detail: string; readonly at: number } | undefined
  /** Events that the machines took. */
  readonly events: number
  /** Their rows: each says something of one task. An event that has none counts as one. */
  readonly rows: number
  /** Batches. */
  readonly steps: number
  /** Virtual milliseconds. */
  readonly ms: number
  /** Faults that met something, by kind. */
  readonly faults: Readonly<Record<string, number>>
  /** Paths that were taken, and how often: see `marks`. */
  readonly marks: Readonly<Record<string, number>>
}

export interface Options {
  /** Everything is recounted after so many batches. @default 256 */
  readonly recountEvery?: number | undefined
  /** Hears of each batch: for printing a story. */
  readonly trace?: ((line: string) => void) | undefined
}

/** Runs a case to its end, or to the first truth that it breaks. */
export const run = (theCase: Case, options: Options = {}): Verdict => new Simulation(theCase, options).run()

/** Names of what has latencies of its own, beside the lines from workers, which have the numbers of their processes. */
const downs = 1_000
const clientUps = 2_000
const clientDowns = 3_000
const gathers = 4_000
const theScheduler = 5_000

/** How long machines leave events waiting, milliseconds: from batches of one to batches of dozens. A case has one of these. */
const turns = [0, 0.2, 2, 20]

/** Milliseconds after which a silent session is over. */
const graceMs = 5_000

const tables: Tables = { keys: KeyTable.make, refs: KeyTable.makeRefs, store: DataStore.make }

class Simulation {
  private readonly theCase: Case
  private readonly options: Options
  private readonly world: World
  private readonly heap = new Heap()
  private readonly checks: StepChecks
  private readonly seed: number
  private readonly faults: Record<string, number> = {}
  private readonly marks: Record<string, number> = {}
  private events = 0
  private rows = 0
  private steps = 0
  /** How often each thing has been drawn about. */
  private readonly drawn = new Map<number, number>()
  /** Until when each process stands still. */
  private readonly pausedUntil: Array<number>
  /** Until when nothing passes between each process and the scheduler. */
  private readonly cutUntil: Array<number>
  private slowUntil = 0
  private slowBy = 0
  private healed = false
  private readonly calm: boolean
  private readonly longestTurnMs: number
  /** Starts of each process that are to fail. */
  private readonly spawnFailures: Array<number>

  constructor(theCase: Case, options: Options) {
    this.theCase = theCase
    this.options = options
    this.seed = theCase.seed
    this.calm = isCalm(theCase)
    this.longestTurnMs = turns[Math.floor(share(theCase.seed, streams.turn, 0) * turns.length)] ?? 0
    this.world = new World(
      {
        tasks: theCase.tasks,
        workers: theCase.cluster.workers,
        clients: theCase.clients,
        slots: theCase.cluster.slots,
        schedulerConfig: { bytesPerMs: 100, logLength: 64 },
        workerConfig: { ...Worker.defaultConfig, gatherBytes: 20_000, gatherMessageBytes: 8_000, gatherRequests: 4, logBound: 64 }
      },
      tables,
      this.observer()
    )
    this.checks = new StepChecks(this.world)
    this.pausedUntil = this.world.processes.map(() => 0)
    this.cutUntil = this.world.processes.map(() => 0)
    this.spawnFailures = this.world.processes.map(() => 0)
  }

  run(): Verdict {
    let broken: Verdict["broken"]
    try {
      this.safety()
      this.healing()
      this.ending()
    } catch (error) {
      // A machine that throws has met a state that it calls impossible.
      if (error instanceof Broken) broken = { invariant: error.invariant, detail: error.detail, at: this.world.now }
      else broken = { invariant: "S18 the reducers are total", detail: error instanceof Error ? error.stack ?? error.message : String(error), at: this.world.now }
    }
    return { broken, events: this.events, rows: this.rows, steps: this.steps, ms: this.world.now, faults: this.faults, marks: this.marks }
  }

  private safety(): void {
    const { clients, faults, operations, tasks } = this.theCase
    for (const process of this.world.processes) this.at(this.draw(streams.process, process.number) * 20, () => WorkerShell.start(this.world, process))
    const named = new Set(operations.flatMap((operation) => operation._tag === "Submit" ? operation.tasks : []))
    for (let number = 0; number < clients; number++) {
      const client = this.client(number)
      const own = tasks.flatMap((task, place) => task.client % clients === number && !named.has(task.id) ? [place] : [])
      this.at(0, () => {
        SchedulerShell.clientJoined(this.world, client)
        ClientShell.submit(this.world, client, own, 1 + Math.floor(this.draw(streams.operations) * 3))
      })
    }
    for (const operation of operations) this.at(operation.at, () => this.operate(operation))
    for (const fault of faults) this.at(Math.min(fault.at, this.theCase.healAt), () => this.inject(fault))
    this.at(this.theCase.healAt, () => this.heal())
    this.runUntil(() => this.healed)
  }

  /** Nothing goes wrong any more: everything must come to rest, and every future be done. */
  private healing(): void {
    this.runUntil(() => false)
    checkRest(this.world, outcomesOf(this.theCase, this.world.tasks), this.calm)
    for (const client of this.world.clients) {
      for (const { status } of client.futures.values()) this.mark(status._tag === "Erred" ? futureMark(status.failure._tag) : "future: value")
    }
  }

  /** Everybody lets go: nothing may be left. */
  private ending(): void {
    for (const client of this.world.clients) {
      if (share(this.seed, streams.operations, 0x7000 + client.number) < 0.5) ClientShell.release(this.world, client, [...client.byTask.keys()])
      else ClientShell.leaveSession(this.world, client)
    }
    this.runUntil(() => false)
    checkEnd(this.world)
    for (const process of this.world.processes) {
      SchedulerShell.reportExit(this.world, process, { _tag: "Closed" })
    }
    for (const client of this.world.clients) SchedulerShell.clientLeft(this.world, client)
    this.runUntil(() => false)
    recount(this.world)
    const { asks, clients, stopping, tasks, workers } = this.world.scheduler
    if (asks.size + clients.size + stopping.size + tasks.size + workers.size > 0) breaks("L5 nothing is left", "in the scheduler, once everybody has gone")
  }

  private runUntil(isOver: () => boolean): void {
    const { heap, world } = this
    while (!isOver()) {
      const next = heap.take()
      if (next === undefined) return
      if (next.at > this.theCase.endBy) {
        if (world.clients.some(({ futures }) => [...futures.values()].some(({ status }) => status._tag === "Pending"))) {
          breaks("L1 everything wanted is done in time", `it goes on after ${this.theCase.endBy} ms`)
        }
        breaks("L1 the system comes to rest", `it goes on after ${this.theCase.endBy} ms`)
      }
      world.now = next.at
      next.act()
    }
  }

  private operate(operation: Operation): void {
    const { world } = this
    switch (operation._tag) {
      case "Submit":
        for (const client of world.clients) {
          ClientShell.submit(world, client, this.places(operation.tasks).filter((place) => world.tasks.get(place).client % this.theCase.clients === client.number), 1)
        }
        return
      case "Resubmit":
        return ClientShell.submit(world, this.client(operation.client % this.theCase.clients), this.places([operation.task]), 1)
      case "Cancel":
        for (const place of this.places([operation.task])) ClientShell.cancel(world, this.owner(place), [place], operation.force)
        return
      // To the scheduler a future that the collector has found is released.
      case "Collect":
      case "Release":
        for (const place of this.places([operation.task])) ClientShell.release(world, this.owner(place), [place])
        return
      case "Retry":
        for (const place of this.places([operation.task])) ClientShell.retry(world, this.owner(place), [place])
        return
      case "Leave":
        return ClientShell.leaveSession(world, this.client(operation.client % this.theCase.clients))
      case "Scale":
        // The number of processes is the cluster's to change, not the reducers'.
        return
    }
  }

  private inject(fault: Fault): void {
    const { world } = this
    switch (fault._tag) {
      case "WorkerCrash":
      case "MemoryPressure": {
        const process = this.processOf(fault.worker)
        if (process?.alive !== true) return
        this.count(fault._tag)
        return this.crash(process, fault._tag === "WorkerCrash" ? "signal" : "memory-limit", this.draw(streams.faults) < 0.15)
      }
      case "SpawnFailure": {
        const process = this.processOf(fault.worker)
        if (process === undefined) return
        this.count(fault._tag)
        this.spawnFailures[process.number] = fault.times
        return
      }
      case "Pause": {
        const process = this.processOf(fault.part)
        if (process?.alive !== true) return
        this.count(fault._tag)
        this.pausedUntil[process.number] = world.now + fault.forMs
        if (fault.forMs > graceMs) this.loseSession(process, fault.forMs)
        return
      }
      case "Partition": {
        for (const part of [...fault.a, ...fault.b]) {
          const process = this.processOf(part)
          const isFromScheduler = fault.a.includes("scheduler") || fault.b.includes("scheduler")
          if (process?.alive !== true || !isFromScheduler) continue
          this.count(fault._tag)
          this.cutUntil[process.number] = Math.max(this.cutUntil[process.number] ?? 0, world.now + fault.forMs)
          if (fault.forMs > graceMs) this.loseSession(process, fault.forMs)
        }
        return
      }
      case "ConnectionLoss":
      case "Duplicate": {
        const process = this.processOf(fault.a) ?? this.processOf(fault.b)
        if (process?.alive !== true) return
        this.count(fault._tag)
        this.cutUntil[process.number] = Math.max(this.cutUntil[process.number] ?? 0, world.now + 1 + this.draw(streams.faults) * 200)
        return
      }
      case "Latency":
        this.count(fault._tag)
        this.slowUntil = world.now + fault.forMs
        this.slowBy = fault.addMs
        return
      case "ClientCrash": {
        const client = world.clients.find(({ name }) => name === fault.client)
        if (client === undefined || client.left) return
        this.count(fault._tag)
        ClientShell.endClient(client)
        return this.at(world.now + graceMs, () => SchedulerShell.clientLeft(world, client))
      }
      case "NannyCrash":
      case "SchedulerCrash":
      case "SlowReader":
      case "ClockJump":
      case "ClockSkew":
      case "Disk":
        // Below the reducers, or the end of them: see the head of this file.
        return
    }
  }

  /** The process ends; its nanny reports it, unless it is silent too, and starts it again. */
  private crash(process: Process, ended: "exit" | "signal" | "memory-limit" | "closed", silently: boolean): void {
    const { world } = this
    const life = process.life
    const startedAt = world.now
    const started = WorkerShell.crash(world, process)
    const leaving: Leaving = silently
      ? { _tag: "Silent", silentMs: graceMs }
      : { _tag: "Died", startedAt, report: report(process.name, life, ended, started) }
    const heardAfter = silently ? graceMs : this.latency(process.number)
    this.at(world.now + heardAfter, () => SchedulerShell.reportExit(world, { ...process, life }, leaving))
    let after = 1 + this.draw(streams.process, process.number) * 100
    for (; (this.spawnFailures[process.number] ?? 0) > 0 && !this.healed; this.spawnFailures[process.number]!--) after += 500
    this.at(world.now + after, () => {
      if (!process.alive && process.life === life) WorkerShell.start(world, process)
    })
  }

  /** A session is lost to both sides, one after the other; what is under way between them is lost too. */
  private loseSession(process: Process, forMs: number): void {
    const { world } = this
    const { life, session } = process
    if (session === undefined) return
    this.at(world.now + graceMs + this.latency(process.number), () => SchedulerShell.leave(world, session, { _tag: "Silent", silentMs: graceMs }))
    const back = world.now + Math.max(forMs, graceMs * this.draw(streams.faults))
    this.at(back, () => {
      if (process.life === life && process.session === session) WorkerShell.reconnect(world, process)
    })
  }

  private heal(): void {
    const { world } = this
    this.healed = true
    this.slowUntil = 0
    this.pausedUntil.fill(0)
    this.cutUntil.fill(0)
    // What never ends is given up, with all that waits for it, or nothing would ever be at rest.
    for (const client of world.clients) ClientShell.cancel(world, client, endlessOf(world.tasks), true)
    this.mark(`scheduler at healing: ${world.scheduler.counts.processing > 0 ? "busy" : "idle"}`)
  }

  private observer(): Observer {
    return {
      toScheduler: (session) => this.arrive(session.up, session.process, this.cut(session), () => SchedulerShell.takeFromWorker(this.world, session)),
      toWorker: (session) => this.arrive(session.down, downs + session.process, this.cut(session), () => this.whenAwake(session.process, () => WorkerShell.takeFromScheduler(this.world, session))),
      fromClient: (client) => this.arrive(client.up, clientUps + client.number, 0, () => SchedulerShell.takeFromClient(this.world, client)),
      toClient: (client) => this.arrive(client.down, clientDowns + client.number, 0, () => ClientShell.takeNews(this.world, client)),
      schedulerFilled: () => this.at(this.world.now + this.turnDelay(theScheduler), () => SchedulerShell.schedulerTurn(this.world)),
      workerFilled: (process) => {
        const { life } = process
        this.at(this.world.now + this.turnDelay(process.number), () => this.whenAwake(process.number, () => {
          if (process.alive && process.life === life) WorkerShell.workerTurn(this.world, process)
        }))
      },
      began: (process, body) => this.begin(process, body),
      interrupted: (process, body) => this.stop(process, body, this.draw(streams.body, process.number) < 0.02 ? 3_000 : this.draw(streams.body, process.number) * 5),
      terminated: (process, body) => this.stop(process, body, this.draw(streams.body, process.number) * 5),
      asked: (process, gathering) => this.gather(process, gathering),
      wakeScheduler: (at) => this.at(Math.max(at, this.world.now), () => {
        if (this.world.wakeAt !== undefined && this.world.wakeAt <= this.world.now) SchedulerShell.tickScheduler(this.world)
      }),
      wakeWorker: (process, at) => {
        const { life } = process
        this.at(Math.max(at, this.world.now), () => this.whenAwake(process.number, () => {
          if (process.alive && process.life === life && process.wakeAt !== undefined && process.wakeAt <= this.world.now) WorkerShell.tickWorker(this.world, process)
        }))
      },
      endProcess: (process) => {
        if (process.ending) return
        process.ending = true
        const { life } = process
        this.at(this.world.now + this.latency(process.number), () => {
          if (process.alive && process.life === life) {
            this.mark("a process is ended because a body would not stop")
            this.crash(process, "closed", false)
          }
        })
      },
      schedulerStepped: (before, events, step) => {
        this.stepped(events)
        if (this.options.trace !== undefined) this.trace("scheduler", events, step.commands)
        this.checks.scheduler(before, events, step)
      },
      workerStepped: (process, before, events, step) => {
        this.stepped(events)
        if (this.options.trace !== undefined) this.trace(process.name, events, step.commands)
        this.checks.worker(process, before, events, step)
      }
    }
  }

  private stepped(events: ReadonlyArray<SchedulerEvent | WorkerEvent>): void {
    this.events += events.length
    for (const event of events) this.rows += rowsOf(event)
    if (++this.steps % (this.options.recountEvery ?? 256) === 0) recount(this.world)
  }

  private begin(process: Process, body: Body): void {
    const task = this.world.tasks.get(body.task)
    const { life } = process
    const n = this.world.begun[body.task] ?? 0
    const chance = (what: number) => share(this.seed, mix(streams.body + what, task.id), n)
    const ms = task.durationMs * (0.5 + chance(0))
    const whileAlive = (after: number, act: () => void) =>
      this.at(this.world.now + after, () => this.whenAwake(process.number, () => {
        if (process.alive && process.life === life && process.bodies.get(body.run) === body) act()
      }))
    if (chance(1) < 0.03) {
      this.mark("a body secedes")
      whileAlive(ms * 0.3, () => WorkerShell.secede(this.world, process, body))
      if (chance(2) < 0.5) whileAlive(ms * 0.6, () => WorkerShell.rejoin(this.world, process, body))
    }
    if (task.body._tag === "NeverEnds") return
    whileAlive(ms, () => {
      if (chance(3) < 0.02 && n < 4 && !this.calm) {
        this.mark("a body is placed again")
        return WorkerShell.endBody(this.world, process, body, "reschedules")
      }
      switch (task.body._tag) {
        case "Fails":
          return WorkerShell.endBody(this.world, process, body, body.attempt <= task.body.times ? "fails" : "succeeds")
        case "Dies":
          return WorkerShell.endBody(this.world, process, body, "dies")
        case "Lies":
          return WorkerShell.endBody(this.world, process, body, "lies")
        case "Exits":
          if (body.isolation === "thread") return WorkerShell.endBody(this.world, process, body, "exits")
          this.mark("a body ends its process")
          return this.crash(process, "exit", false)
        default:
          return WorkerShell.endBody(this.world, process, body, "succeeds")
      }
    })
  }

  private stop(process: Process, body: Body, after: number): void {
    const { life } = process
    this.at(this.world.now + after, () => this.whenAwake(process.number, () => {
      if (process.alive && process.life === life && process.bodies.get(body.run) === body) WorkerShell.endBody(this.world, process, body, "succeeds")
    }))
  }

  private gather(process: Process, gathering: Gathering): void {
    const { life } = process
    const isBusy = !this.healed && this.draw(streams.gather, process.number) < 0.05
    const there = this.latency(gathers + process.number)
    const back = this.latency(gathers + process.number)
    this.at(this.world.now + there, () => WorkerShell.serve(this.world, gathering, isBusy))
    this.at(this.world.now + there + back, () => this.whenAwake(process.number, () => {
      if (process.alive && process.life === life) WorkerShell.receive(this.world, process, gathering)
    }))
  }

  private arrive<Message>(line: Line<Message>, who: number, notBefore: number, take: () => void): void {
    line.arrivesAt = Math.max(line.arrivesAt, notBefore, this.world.now + this.latency(who))
    this.at(line.arrivesAt, take)
  }

  private cut(session: Session): number {
    return this.cutUntil[session.process] ?? 0
  }

  /** Skewed: most are near the least, few near the greatest. */
  private latency(who: number): number {
    const [least, greatest] = this.theCase.network.latency
    const drawn = this.draw(streams.line, who)
    const slow = this.world.now < this.slowUntil ? this.slowBy : 0
    return least + (greatest - least) * drawn * drawn * drawn + slow
  }

  /** What arrives within it is one batch. */
  private turnDelay(who: number): number {
    return this.longestTurnMs * this.draw(streams.turn, who)
  }

  private whenAwake(process: number, act: () => void): void {
    const until = this.pausedUntil[process] ?? 0
    if (until > this.world.now) this.at(until, act)
    else act()
  }

  private at(time: number, act: () => void): void {
    this.heap.add(time, act)
  }

  /** The next draw about one thing: `who` is a process, a client, or 0 for the whole. */
  private draw(stream: number, who = 0): number {
    const what = stream + who
    const n = this.drawn.get(what) ?? 0
    this.drawn.set(what, n + 1)
    return share(this.seed, what, n)
  }

  private count(kind: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1
  }

  private mark(name: string): void {
    this.marks[name] = (this.marks[name] ?? 0) + 1
  }

  private trace(who: string, events: ReadonlyArray<object>, commands: ReadonlyArray<object>): void {
    for (const event of events) this.options.trace?.(`${this.world.now.toFixed(2)} ${who} < ${show(event)}`)
    for (const command of commands) this.options.trace?.(`${this.world.now.toFixed(2)} ${who} > ${show(command)}`)
  }

  private client(number: number): Client {
    return this.world.clients[number] ?? breaks("the case is whole", `there is no client ${number}`)
  }

  private owner(place: number): Client {
    return this.client(this.world.tasks.get(place).client % this.theCase.clients)
  }

  private places(ids: ReadonlyArray<number>): ReadonlyArray<number> {
    return ids.map((id) => this.world.tasks.placeOf(id)).filter((place) => place !== undefined)
  }

  private processOf(part: string): Process | undefined {
    return this.world.processes.find(({ name }) => name === part)
  }
}

/** Nothing is asked for but results, nothing fails, and nothing goes wrong. */
const isCalm = ({ faults, operations, tasks }: Case): boolean =>
  faults.length === 0 && operations.every(({ _tag }) => _tag === "Submit") && tasks.every(({ body }) => body._tag === "Succeeds")

/** An event says something of so many tasks. */
const rowsOf = (event: SchedulerEvent | WorkerEvent): number =>
  "rows" in event ? event.rows.length : event._tag === "TasksSubmitted" ? event.tasks.length : 1

/** Names are put together once: this is said of every future. */
const futureMark = (tag: Failure["_tag"]): string => futureMarks[tag] ??= `future: ${tag}`
const futureMarks: { [Tag in Failure["_tag"]]?: string } = {}

const report = (name: string, life: number, ended: "exit" | "signal" | "memory-limit" | "closed", started: ReadonlyArray<RunId>) => ({
  process: ProcessId.make(`${name}/${life}`),
  ended,
  detail: "of the simulation",
  peakMemoryBytes: null,
  logTail: [],
  started
})

const show = (value: object): string => JSON.stringify(value, (_, part: unknown) => part instanceof Uint8Array ? [...part].slice(0, 4) : part)
