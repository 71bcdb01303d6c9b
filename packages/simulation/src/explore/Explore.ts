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
 * Every way from state to state copies the world, lets one thing happen in it and
 * writes it down as numbers, to see whether it is known; two of three are. So a
 * machine is checked only if that way has changed it, what happened is put into
 * words only if it leads to a new state, and the last way from a state takes that
 * state's own world.
 */
import * as SchedulerInvariants from "@skein/core/scheduler/Invariants"
import * as WorkerInvariants from "@skein/core/worker/Invariants"
import * as WorkerState from "@skein/core/worker/State"
import type { CaseTask } from "../Case.ts"
import * as ClientShell from "../reducers/ClientShell.ts"
import type { Outcomes } from "../reducers/Oracle.ts"
import { checkEnd, checkRest } from "../reducers/RestChecks.ts"
import * as SchedulerShell from "../reducers/SchedulerShell.ts"
import * as WorkerShell from "../reducers/WorkerShell.ts"
import { Broken, breaks, type Observer, type Setup, World } from "../reducers/World.ts"
import { hashOfWorld, schedulerHash, workerHash } from "./Canonical.ts"
import { copyWorld } from "./copying.ts"
import { stranded } from "./Reachability.ts"
import { type Act, type Draft, type Place, stepsOf } from "./Steps.ts"
import { Keys, References, Store } from "./Tables.ts"

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
    let label = (): string => "the beginning"
    try {
      const stack = [this.enter(this.beginning(), -1, label, undefined)]
      for (let place = stack.pop(); place !== undefined && this.seen.size < this.maxStates; place = stack.pop()) {
        const { number, world } = place
        const steps = stepsOf(this.configuration.acts, place)
        at = number
        if (steps.length === 0) {
          label = nothingMore
          this.ends.push(number)
          this.checkEnd(place)
        }
        const before = machinesOf(world)
        for (let n = 0; n < steps.length; n++) {
          const step = steps[n]!
          label = step.label
          const draft = { ...place, world: n + 1 < steps.length ? copyWorld(world, silent) : world }
          step.act(draft)
          const next = this.enter(settled(draft), number, label, before)
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
      return this.report(false, { invariant, detail, trail: [...this.trail(at), label()] })
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
    return settled({ world, acts: 0, crashes: this.configuration.crashes, lost: this.configuration.lostSessions, exits: [] })
  }

  /** The state, if it is new; its machines are checked, but for those that were so `before`. */
  private enter(draft: Draft, parent: number, label: () => string, before: Machines | undefined): Place | undefined {
    const { acts, crashes, exits, lost, world } = draft
    const hash = hashOfWorld(world, [acts, crashes, lost, ...exits.flatMap(({ life, process, started }) => [process, life, started.length])])
    const known = this.seen.get(hash)
    if (parent >= 0) {
      this.from.push(parent)
      this.to.push(known ?? this.seen.size)
    }
    if (known !== undefined) return undefined
    const number = this.seen.size
    this.seen.set(hash, number)
    this.parents.push(parent)
    this.labels.push(label())
    this.checkMachines(world, before)
    return { ...draft, number }
  }

  private checkMachines({ processes, scheduler }: World, before: Machines | undefined): void {
    if (scheduler !== before?.scheduler && isNew(this.checkedSchedulers, schedulerHash(scheduler))) {
      const [broken] = SchedulerInvariants.broken(scheduler)
      if (broken !== undefined) breaks(broken, "the scheduler")
    }
    for (const { alive, machine, name, number } of processes) {
      if (!alive || machine === before?.workers[number] || !isNew(this.checkedWorkers, workerHash(machine))) continue
      const [broken] = WorkerInvariants.broken(machine)
      if (broken !== undefined) breaks(broken, name)
    }
  }

  private checkEnd({ world }: Place): void {
    checkRest(world, this.outcomes, false)
    if (world.clients.every(({ futures }) => futures.size === 0)) checkEnd(world)
  }

  private checkReachable(): void {
    const lost = stranded(this.seen.size, this.from, this.to, this.ends)
    if (lost !== undefined) breaks("L1 from every state an end can be reached", `not from state ${lost}: ${this.trail(lost).join("; ")}`)
  }

  private trail(number: number): ReadonlyArray<string> {
    const labels: Array<string> = []
    for (let at = number; at >= 0; at = this.parents[at] ?? -1) labels.push(this.labels[at] ?? "")
    return labels.reverse()
  }
}

/** The machines of a world, as they were. */
interface Machines {
  readonly scheduler: World["scheduler"]
  /** By number of their processes. */
  readonly workers: ReadonlyArray<WorkerState.State>
}

const machinesOf = ({ processes, scheduler }: World): Machines => ({ scheduler, workers: processes.map(({ machine }) => machine) })

/** The machines take what has arrived, and the client hears the news: neither waits for anything. */
const settled = (draft: Draft): Draft => {
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

/** Whether it was not there; it is now. */
const isNew = (among: Set<number>, hash: number): boolean => among.size < among.add(hash).size

const nothingMore = (): string => "nothing more can happen"

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
