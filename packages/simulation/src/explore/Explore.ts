/**
 * Every history of a small cluster, and not some: all orders in which messages
 * can arrive, bodies end, peers answer, processes crash and clients act.
 *
 * A state that has been seen is not gone into again (Canonical.ts), so what would
 * be millions of histories is tens of thousands of states. In each of them all
 * invariants of all machines hold; where nothing more can happen, all that was
 * wanted is done, who has what is known exactly, and if all was released nothing
 * is left. And from every state such an end can be reached (AG EF): what may go
 * on for ever may also end.
 *
 * Time does not pass by itself. A worker that asked to be woken may be woken at any
 * moment when nothing is under way between it and the scheduler; what is only
 * about slow bodies (`stopWithinMs`) is not explored.
 */
import * as IntSet from "@skein/core/persistent/IntSet"
import * as SchedulerInvariants from "@skein/core/scheduler/Invariants"
import * as WorkerInvariants from "@skein/core/worker/Invariants"
import * as WorkerState from "@skein/core/worker/State"
import type { CaseTask } from "../Case.ts"
import * as ClientShell from "../reducers/ClientShell.ts"
import type { Outcomes } from "../reducers/Oracle.ts"
import { checkEnd, checkRest } from "../reducers/RestChecks.ts"
import * as SchedulerShell from "../reducers/SchedulerShell.ts"
import * as WorkerShell from "../reducers/WorkerShell.ts"
import { ProcessId } from "@skein/protocol/Ids"
import { Broken, breaks, type Observer, type Setup, World } from "../reducers/World.ts"
import { hashOf, numbersOf, schedulerHash, workerHash } from "./Canonical.ts"
import { copyWorld } from "./copying.ts"
import { Keys, References, Store } from "./Tables.ts"

/** What a client does; each when all before it has been done, at any moment after that. Tasks by place. */
export type Act =
  | { readonly _tag: "Submit" | "Cancel" | "Release" | "Retry"; readonly tasks: ReadonlyArray<number> }

/** A small cluster, and what may happen to it. */
export interface Configuration {
  readonly name: string
  readonly workers: number
  /** Of each isolation. */
  readonly slots: number
  readonly tasks: ReadonlyArray<CaseTask>
  readonly acts: ReadonlyArray<Act>
  /** Processes that may crash, at any moments; each is reported by its nanny and started again. */
  readonly crashes: number
  /** Sessions that may be lost to their workers, which register anew with what they hold. */
  readonly lostSessions: number
  /** States at most; more is said in the report. @default 200_000 */
  readonly maxStates?: number | undefined
}

export interface Report {
  readonly name: string
  readonly states: number
  /** Actions taken: ways from a state to a state. */
  readonly steps: number
  /** States where nothing more can happen. */
  readonly ends: number
  /** Everything was seen, and not just as much as was allowed. */
  readonly isComplete: boolean
  readonly broken: { readonly invariant: string; readonly detail: string; readonly trail: ReadonlyArray<string> } | undefined
}

/** Goes through all states. Stops at the first that breaks something, with the actions that led to it. */
export const explore = (configuration: Configuration): Report => new Explorer(configuration).run()

/** One state, with what is left of the allowances. */
interface Place {
  readonly world: World
  readonly acts: number
  readonly crashes: number
  readonly lost: number
  /** Ended lives of which no nanny has told. */
  readonly exits: ReadonlyArray<{ readonly process: number; readonly life: number; readonly started: ReadonlyArray<number> }>
  readonly number: number
}

interface Step {
  readonly label: string
  readonly act: (place: Draft) => void
}

/** A place in the making. */
type Draft = { -readonly [Field in keyof Omit<Place, "number">]: Place[Field] }

class Explorer {
  private readonly configuration: Configuration
  private readonly maxStates: number
  private readonly seen = new Map<number, number>()
  private readonly checkedSchedulers = new Set<number>()
  private readonly checkedWorkers = new Set<number>()
  /** By state: the one from which it was first reached, and how. */
  private readonly parents: Array<number> = []
  private readonly labels: Array<string> = []
  private readonly from: Array<number> = []
  private readonly to: Array<number> = []
  private readonly ends: Array<number> = []
  private readonly outcomes: ReadonlyArray<Outcomes>

  constructor(configuration: Configuration) {
    this.configuration = configuration
    this.maxStates = configuration.maxStates ?? 200_000
    this.outcomes = outcomesOf(configuration)
  }

  run(): Report {
    let at = -1
    let label = "the beginning"
    try {
      const stack = [this.enter(this.beginning(), -1, label)]
      for (let place = stack.pop(); place !== undefined && this.seen.size < this.maxStates; place = stack.pop()) {
        const steps = this.stepsOf(place)
        if (steps.length === 0) {
          this.ends.push(place.number)
          this.checkEnd(place)
        }
        for (const step of steps) {
          at = place.number
          label = step.label
          const next = this.enter(this.take(place, step), place.number, step.label)
          if (next !== undefined) stack.push(next)
        }
      }
      const isComplete = this.seen.size < this.maxStates
      if (isComplete) this.checkReachable()
      return this.report(isComplete, undefined)
    } catch (error) {
      const { detail, invariant } = error instanceof Broken
        ? error
        : { invariant: "S18 the reducers are total", detail: error instanceof Error ? error.stack ?? error.message : String(error) }
      return this.report(false, { invariant, detail, trail: [...this.trail(at), label] })
    }
  }

  private report(isComplete: boolean, broken: Report["broken"]): Report {
    return { name: this.configuration.name, states: this.seen.size, steps: this.from.length, ends: this.ends.length, isComplete, broken }
  }

  private beginning(): Draft {
    const { slots, tasks, workers } = this.configuration
    const setup: Setup = {
      tasks,
      workers,
      clients: 1,
      slots,
      schedulerConfig: { logLength: 1, stopWithinMs: never, prefetchTasks: 1 },
      workerConfig: { ...WorkerState.defaultConfig, logBound: 1, terminateMs: never, endProcessMs: never, threadQueue: 0 }
    }
    const keys = tasks.map(({ id }) => `t${id}` as ReturnType<Keys["idOf"]> & string) // as `Tasks` names them
    const world = new World(setup, {
      keys: () => new Keys(keys as unknown as ConstructorParameters<typeof Keys>[0]), // as above
      refs: () => new References(),
      store: () => new Store()
    }, silent)
    for (const process of world.processes) WorkerShell.start(world, process)
    for (const client of world.clients) SchedulerShell.clientJoined(world, client)
    // Everybody is there before anything happens: in which order they came is of no interest, and would multiply everything else.
    for (const at of world.processes.keys()) {
      SchedulerShell.takeFromWorker(world, world.sessions[at]!)
      SchedulerShell.schedulerTurn(world)
      WorkerShell.takeFromScheduler(world, world.sessions[at]!)
    }
    return this.settled({ world, acts: 0, crashes: this.configuration.crashes, lost: this.configuration.lostSessions, exits: [] })
  }

  /** Where an action leads. */
  private take(place: Place, step: Step): Draft {
    const draft: Draft = { ...place, world: copyWorld(place.world, silent) }
    step.act(draft)
    return this.settled(draft)
  }

  /** The machines take what has arrived, and the client hears the news: neither waits for anything. */
  private settled(draft: Draft): Draft {
    const { world } = draft
    SchedulerShell.schedulerTurn(world)
    for (const process of world.processes) while (process.alive && process.mailbox.length > 0) WorkerShell.workerTurn(world, process)
    for (const client of world.clients) {
      while (client.up.queue.length > 0) {
        SchedulerShell.takeFromClient(world, client)
        SchedulerShell.schedulerTurn(world)
      }
      while (client.down.queue.length > 0) ClientShell.takeNews(world, client)
    }
    return draft
  }

  /** The state, if it is new; its machines are checked. */
  private enter(draft: Draft, parent: number, label: string): Place | undefined {
    const { acts, crashes, exits, lost, world } = draft
    const beside = [acts, crashes, lost, ...exits.flatMap(({ life, process, started }) => [process, life, started.length])]
    const hash = hashOf(numbersOf(world, beside))
    const known = this.seen.get(hash)
    if (parent >= 0) {
      this.from.push(parent)
      this.to.push(known ?? this.seen.size)
    }
    if (known !== undefined) return undefined
    const number = this.seen.size
    this.seen.set(hash, number)
    this.parents.push(parent)
    this.labels.push(label)
    this.checkMachines(world)
    return { ...draft, number }
  }

  private checkMachines(world: World): void {
    const scheduler = schedulerHash(world.scheduler)
    if (!this.checkedSchedulers.has(scheduler)) {
      this.checkedSchedulers.add(scheduler)
      const [broken] = SchedulerInvariants.broken(world.scheduler)
      if (broken !== undefined) breaks(broken, "the scheduler")
    }
    for (const { alive, machine, name } of world.processes) {
      if (!alive) continue
      const hash = workerHash(machine)
      if (this.checkedWorkers.has(hash)) continue
      this.checkedWorkers.add(hash)
      const [broken] = WorkerInvariants.broken(machine)
      if (broken !== undefined) breaks(broken, name)
    }
  }

  /** All that can happen in a state. */
  private stepsOf({ acts, crashes, exits, lost, world }: Place): ReadonlyArray<Step> {
    const steps: Array<Step> = []
    const add = (label: string, act: Step["act"]): void => void steps.push({ label, act })
    const next = this.configuration.acts[acts]
    if (next !== undefined) {
      add(`the client: ${next._tag} ${next.tasks.join(" ")}`, (place) => {
        place.acts++
        perform(place.world, next)
      })
    }
    world.sessions.forEach((session, at) => {
      if (session.up.queue.length > 0 && !session.overThere) {
        add(`${session.process} → scheduler: ${labelOf(session.up.queue[0])}`, ({ world }) => SchedulerShell.takeFromWorker(world, world.sessions[at]!))
      }
      if (session.down.queue.length > 0 && !session.overHere) {
        add(`scheduler → ${session.process}: ${labelOf(session.down.queue[0])}`, ({ world }) => WorkerShell.takeFromScheduler(world, world.sessions[at]!))
      }
    })
    world.processes.forEach((process, at) => {
      if (!process.alive) return
      for (const { attempt, run, task } of process.bodies.values()) {
        const { body } = world.tasks.get(task)
        const ending = body._tag === "Lies" ? "lies" : body._tag === "Fails" && attempt <= body.times ? "fails" : "succeeds"
        add(`${process.name}: task ${task} ${ending}`, ({ world }) => {
          const own = world.processes[at]!
          WorkerShell.endBody(world, own, own.bodies.get(run)!, ending)
        })
      }
      for (const { answer, peer } of process.gathers.values()) {
        if (answer === undefined) add(`worker ${peer} looks for ${process.name}`, ({ world }) => WorkerShell.serve(world, world.processes[at]!.gathers.get(peer)!, false))
        else {
          add(`${process.name} hears from worker ${peer}: ${answer._tag}`, ({ world }) => {
            const own = world.processes[at]!
            WorkerShell.receive(world, own, own.gathers.get(peer)!)
          })
        }
      }
      const { wakeAt } = process
      // Not before what is under way has arrived, or a worker could ask for ever without being heard.
      const isQuiet = process.session === undefined || process.session.up.queue.length + process.session.down.queue.length === 0
      if (wakeAt !== undefined && isQuiet && IntSet.size(process.machine.busy) + IntSet.size(process.machine.missing) > 0) {
        add(`${process.name} is woken`, ({ world }) => {
          world.now = Math.max(world.now, wakeAt)
          WorkerShell.tickWorker(world, world.processes[at]!)
        })
      }
      if (crashes > 0) {
        add(`${process.name} crashes`, (place) => {
          place.crashes--
          const own = place.world.processes[at]!
          const started = WorkerShell.crash(place.world, own)
          place.exits = [...place.exits, { process: at, life: own.life, started }]
          // Before or after anybody hears of it: the next life begins at once.
          WorkerShell.start(place.world, own)
        })
      }
      if (lost > 0 && process.contact !== undefined && process.contact === process.session) {
        add(`${process.name} loses its session`, (place) => {
          place.lost--
          WorkerShell.reconnect(place.world, place.world.processes[at]!)
        })
      }
    })
    exits.forEach((exit, at) =>
      add(`worker-${exit.process} is reported dead`, (place) => {
        place.exits = place.exits.filter((_, other) => other !== at)
        const process = place.world.processes[exit.process]!
        SchedulerShell.reportExit(place.world, { ...process, life: exit.life }, {
          _tag: "Died",
          startedAt: 0,
          report: { process: ProcessId.make(process.name), ended: "signal", detail: "", peakMemoryBytes: null, logTail: [], started: exit.started as ReadonlyArray<never> } // run numbers, as they were noted
        })
      })
    )
    return steps
  }

  private checkEnd({ world }: Place): void {
    checkRest(world, this.outcomes, false)
    if (world.clients.every(({ futures }) => futures.size === 0)) checkEnd(world)
  }

  /** From every state an end can be reached. */
  private checkReachable(): void {
    const count = this.seen.size
    // The ways, by where they lead: `first[n]` to `first[n + 1]` in `sources`.
    const first = new Int32Array(count + 1)
    for (const to of this.to) first[to + 1]!++
    for (let n = 0; n < count; n++) first[n + 1]! += first[n]!
    const sources = new Int32Array(this.to.length)
    const fill = first.slice()
    this.to.forEach((to, way) => {
      sources[fill[to]!++] = this.from[way]!
    })
    const reaches = new Uint8Array(count)
    const rest = [...this.ends]
    for (const end of rest) reaches[end] = 1
    for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
      for (let way = first[at]!; way < first[at + 1]!; way++) {
        const source = sources[way]!
        if (reaches[source] === 1) continue
        reaches[source] = 1
        rest.push(source)
      }
    }
    const lost = reaches.indexOf(0)
    if (lost >= 0) breaks("L1 from every state an end can be reached", `not from state ${lost}: ${this.trail(lost).join("; ")}`)
  }

  private trail(number: number): ReadonlyArray<string> {
    const labels: Array<string> = []
    for (let at = number; at >= 0; at = this.parents[at] ?? -1) labels.push(this.labels[at] ?? "")
    return labels.reverse()
  }
}

const never = 2 ** 40

/** What may happen is found in the world itself. */
const silent: Observer = {
  toScheduler: () => {},
  toWorker: () => {},
  fromClient: () => {},
  toClient: () => {},
  schedulerFilled: () => {},
  workerFilled: () => {},
  began: () => {},
  interrupted: () => {},
  terminated: () => {},
  asked: () => {},
  wakeScheduler: () => {},
  wakeWorker: () => {},
  endProcess: () => {},
  schedulerStepped: () => {},
  workerStepped: () => {}
}

const perform = (world: World, { _tag, tasks }: Act): void => {
  const client = world.clients[0]!
  switch (_tag) {
    case "Submit":
      return ClientShell.submit(world, client, tasks, 1)
    case "Cancel":
      return ClientShell.cancel(world, client, tasks, false)
    case "Release":
      return ClientShell.release(world, client, tasks)
    case "Retry":
      return ClientShell.retry(world, client, tasks)
  }
}

const labelOf = (message: { readonly _tag: string; readonly events?: ReadonlyArray<{ readonly _tag: string }> } | undefined): string =>
  message?.events?.map(({ _tag }) => _tag).join(", ") ?? message?._tag ?? ""

/** What may become of each task, wherever it is cancelled or not. */
const outcomesOf = ({ acts, tasks }: Configuration): ReadonlyArray<Outcomes> => {
  const cancelled = new Set(acts.flatMap(({ _tag, tasks }) => _tag === "Cancel" ? tasks : []))
  const all: Array<{ readonly value: boolean; readonly failures: Set<number> }> = []
  const places = new Map(tasks.map(({ id }, place) => [id, place]))
  tasks.forEach(({ body, dependencies, retries }, place) => {
    const failures = new Set<number>()
    for (const id of dependencies) all[places.get(id) ?? -1]?.failures.forEach((failure) => failures.add(failure))
    if (cancelled.has(place)) failures.add(place * 4 + 1)
    if (body._tag === "Fails" && body.times > retries) failures.add(place * 4)
    all.push({ value: true, failures })
  })
  return all
}
