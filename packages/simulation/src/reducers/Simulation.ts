/**
 * One run of a case through the reducers, by virtual time.
 *
 * A turn comes a moment after the first event; bodies take the time that the case
 * says, about. Faults come when the case says. At `healAt` they stop, and from
 * then on the system must come to rest with every future done (the healing
 * phase); then all is released and must be gone.
 *
 * After each batch the step is checked, of what it changed (StepChecks.ts); now
 * and then, and whenever all is at rest, everything is recounted (RestChecks.ts).
 */
import * as Vector from "@skein/core/persistent/Vector"
import type { Event as SchedulerEvent } from "@skein/core/scheduler/Event"
import type { Event as WorkerEvent } from "@skein/core/worker/Event"
import type { State as WorkerState } from "@skein/core/worker/State"
import type { Failure } from "@skein/protocol/Failure"
import type { Case } from "../Case.ts"
import * as ClientShell from "./ClientShell.ts"
import { inject, operate } from "./Doing.ts"
import { share, streams } from "./Draws.ts"
import { happen } from "./Happening.ts"
import { endlessOf, outcomesOf } from "./Oracle.ts"
import { checkEnd, checkRest, recount } from "./RestChecks.ts"
import * as SchedulerShell from "./SchedulerShell.ts"
import { Stage } from "./Stage.ts"
import { StepChecks } from "./StepChecks.ts"
import * as WorkerShell from "./WorkerShell.ts"
import { Broken, breaks, type Observer } from "./World.ts"

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

class Simulation {
  private readonly theCase: Case
  private readonly stage: Stage
  private readonly checks: StepChecks
  private readonly calm: boolean
  private readonly recountEvery: number
  private readonly tell: ((line: string) => void) | undefined
  private events = 0
  private rows = 0
  private steps = 0

  constructor(theCase: Case, { recountEvery = 256, trace }: Options) {
    this.theCase = theCase
    this.recountEvery = recountEvery
    this.tell = trace
    this.calm = isCalm(theCase)
    this.stage = new Stage(theCase, (stage) => happen(stage, this.calm, this.checking()))
    this.checks = new StepChecks(this.stage.world)
  }

  run(): Verdict {
    const { faults, marks, world } = this.stage
    let broken: Verdict["broken"]
    try {
      this.safety()
      this.healing()
      this.ending()
    } catch (error) {
      // A machine that throws has met a state that it calls impossible.
      if (error instanceof Broken) broken = { invariant: error.invariant, detail: error.detail, at: world.now }
      else broken = { invariant: "S18 the reducers are total", detail: error instanceof Error ? error.stack ?? error.message : String(error), at: world.now }
    }
    return { broken, events: this.events, rows: this.rows, steps: this.steps, ms: world.now, faults, marks }
  }

  private safety(): void {
    const { stage } = this
    const { world } = stage
    const { clients, faults, healAt, operations, tasks } = this.theCase
    for (const process of world.processes) stage.at(stage.draw(streams.process, process.number) * 20, () => WorkerShell.start(world, process))
    const named = new Set(operations.flatMap((operation) => operation._tag === "Submit" ? operation.tasks : []))
    for (let number = 0; number < clients; number++) {
      const client = stage.client(number)
      const own = tasks.flatMap((task, place) => task.client % clients === number && !named.has(task.id) ? [place] : [])
      stage.at(0, () => {
        SchedulerShell.clientJoined(world, client)
        ClientShell.submit(world, client, own, 1 + Math.floor(stage.draw(streams.operations) * 3))
      })
    }
    for (const operation of operations) stage.at(operation.at, () => operate(stage, operation))
    for (const fault of faults) stage.at(Math.min(fault.at, healAt), () => inject(stage, fault))
    stage.at(healAt, () => this.heal())
    stage.goOnUntil(() => stage.healed)
  }

  private heal(): void {
    const { stage } = this
    const { world } = stage
    stage.heal()
    // What never ends is given up, with all that waits for it, or nothing would ever be at rest.
    for (const client of world.clients) ClientShell.cancel(world, client, endlessOf(world.tasks), true)
    stage.mark(`scheduler at healing: ${world.scheduler.counts.processing > 0 ? "busy" : "idle"}`)
  }

  /** Nothing goes wrong any more: everything must come to rest, and every future be done. */
  private healing(): void {
    const { stage } = this
    const { world } = stage
    stage.goOnUntil(() => false)
    checkRest(world, outcomesOf(this.theCase, world.tasks), this.calm)
    for (const client of world.clients) {
      for (const { status } of client.futures.values()) stage.mark(status._tag === "Erred" ? futureMark(status.failure._tag) : "future: value")
    }
  }

  /** Everybody lets go: nothing may be left. */
  private ending(): void {
    const { stage } = this
    const { world } = stage
    for (const client of world.clients) {
      if (share(this.theCase.seed, streams.operations, 0x7000 + client.number) < 0.5) ClientShell.release(world, client, [...client.byTask.keys()])
      else ClientShell.leaveSession(world, client)
    }
    stage.goOnUntil(() => false)
    checkEnd(world)
    for (const process of world.processes) {
      SchedulerShell.reportExit(world, process, { _tag: "Closed" })
    }
    for (const client of world.clients) SchedulerShell.clientLeft(world, client)
    stage.goOnUntil(() => false)
    recount(world)
    const { asks, clients, stopping, tasks, workers } = world.scheduler
    if (asks.size + clients.size + stopping.size + tasks.size + workers.size > 0) breaks("L5 nothing is left", "in the scheduler, once everybody has gone")
  }

  /** Every step of a machine is checked. */
  private checking(): Pick<Observer, "schedulerStepped" | "workerStepped"> {
    return {
      schedulerStepped: (before, events, step) => {
        this.stepped(events)
        if (this.tell !== undefined) this.trace("scheduler", events, step.commands)
        this.checks.scheduler(before, events, step)
      },
      workerStepped: (process, before, events, step) => {
        this.stepped(events)
        if (this.tell !== undefined) this.trace(process.name, events, step.commands)
        this.checks.worker(process, before, events, step)
        if (events[0]?._tag === "Started" && hasOtherIds(before, events[0])) this.stage.mark("a result comes back under another id")
      }
    }
  }

  private stepped(events: ReadonlyArray<SchedulerEvent | WorkerEvent>): void {
    this.events += events.length
    for (const event of events) this.rows += rowsOf(event)
    if (++this.steps % this.recountEvery === 0) recount(this.stage.world)
  }

  private trace(who: string, events: ReadonlyArray<object>, commands: ReadonlyArray<object>): void {
    const at = this.stage.world.now.toFixed(2)
    for (const event of events) this.tell?.(`${at} ${who} < ${show(event)}`)
    for (const command of commands) this.tell?.(`${at} ${who} > ${show(command)}`)
  }
}

/** Of what a worker brings back, something was known here under an id that is another's now, or nobody's. */
const hasOtherIds = ({ tasks }: WorkerState, { holds }: Extract<WorkerEvent, { readonly _tag: "Started" }>): boolean => {
  const runs = new Map(holds.map(({ id, run }) => [run, id]))
  let found = false
  if (runs.size > 0) Vector.forEach(tasks, ({ id, run }) => void (found ||= (runs.get(run) ?? id) !== id))
  return found
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

const show = (value: object): string => JSON.stringify(value, (_, part: unknown) => part instanceof Uint8Array ? [...part].slice(0, 4) : part)
