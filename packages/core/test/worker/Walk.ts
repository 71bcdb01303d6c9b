/**
 * Random histories of a worker. A walk is a list of numbers; each picks one of
 * the events that are possible in the present state, late and repeated ones
 * included, so that walks go deep, and shrink well.
 *
 * Beside the machine walks a model of its shell: which bodies run, and what is
 * in the data store. The shell does what it is told and nothing else, so each
 * event is one that a real shell could report, or one that comes too late.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import * as IntSet from "@skein/core/persistent/IntSet"
import * as Vector from "@skein/core/persistent/Vector"
import { reduce, type Step } from "@skein/core/worker/Reducer"
import { type Config, defaultConfig, empty, type State, type StatusTag, type Task } from "@skein/core/worker/State"
import { CodeId, Key, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Assignment, Dependency, Held, Run } from "@skein/protocol/WorkerRpcs"
import { deepFreeze } from "../utils/deepFreeze.ts"

/** Choices of one walk: with the prelude it has more than 200 events. */
export const Walk = Arbitrary.array(
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 30 }))),
  { minLength: 200, maxLength: 204 }
)

/** Small bounds, so that walks run into them; a short log, for a long one makes freezing slow. */
export const tightConfig: Config = {
  ...defaultConfig,
  threadQueue: 1,
  gatherRequests: 3,
  gatherMessageBytes: 100,
  gatherMessageRows: 4,
  gatherBytes: 200,
  logBound: 30
}

/** One turn of a walk, and what came of it. */
export interface Turn {
  readonly events: ReadonlyArray<Event>
  readonly before: State
  /** Frozen deeply. */
  readonly after: State
  readonly commands: ReadonlyArray<Command>
  /** The commands of the same events, applied one by one. */
  readonly singly: ReadonlyArray<Command>
  /** How many of the events changed something. */
  readonly effective: number
  /** The world after it. */
  readonly world: World
}

/** Everything outside the machine. It is one for a whole walk, and changes with it. */
export interface World {
  /** The time. */
  at: number
  /** The next run number that the scheduler gives. */
  nextRun: number
  /** Peers that the scheduler has named. */
  readonly peers: Set<number>
  /** Runs of which something runs, by run. */
  readonly bodies: Map<number, Run>
  /** Those of them that gave up their slots, by run. */
  readonly away: Set<number>
  /** Results in the data store, by run. */
  readonly store: Map<number, Run>
  /** The run of each result that peers have, by task. */
  readonly remote: Map<number, number>
  /** What was asked for and is not answered, by run. */
  readonly asked: Map<number, Run>
  /** What peers have been asked for and have not answered: runs, by peer. */
  readonly requests: Map<number, ReadonlySet<number>>
  /** Runs that are to be taken out of a thread's queue, once for each time that is asked and not answered. */
  readonly retracting: Array<Run>
  /** Suspects of which the nanny believes that they run. */
  readonly noted: Set<number>
  /** The last runs that ended, one way or another. */
  past: ReadonlyArray<Run>
  /** What went wrong between machine and shell so far. */
  readonly complaints: Array<string>
}

/**
 * Walks `choices`, and shows each turn to `visit`. Up to `atOnce` events are one
 * batch, each drawn where those before it had led. Returns the last turn.
 */
export const walk = (choices: ReadonlyArray<number>, atOnce: number, visit: (turn: Turn) => void): Turn => {
  const start: Event = { _tag: "Started", at: 1_000, worker: self, nthreads: 2, nfibers: 3, holds: [] }
  let turn = takeTurn(deepFreeze(empty(tightConfig)), emptyWorld(), [() => start])
  visit(turn)
  for (let from = 0; from < choices.length;) {
    const size = 1 + (choices[from] ?? 0) % atOnce
    const draws = choices.slice(from, from + size).map((choice, n) => (state: State, world: World): Event => {
      const dice = new Dice(choice + from + n)
      world.at += dice.below(40)
      return nextEvent(state, world, dice)
    })
    turn = takeTurn(turn.after, turn.world, draws)
    visit(turn)
    from += size
  }
  return turn
}

/**
 * Faults have stopped: peers answer, bodies end, the scheduler says who has what,
 * until all that is known is in memory. Gives up after 300 rounds.
 */
export const calmDown = (last: Turn, visit: (turn: Turn) => void): Turn => {
  let turn = last
  const take = (event: Event): void => {
    turn = takeTurn(turn.after, turn.world, [() => event])
    visit(turn)
  }
  for (let round = 0; round < 300 && turn.after.counts.Memory < turn.after.tasks.size; round++) {
    for (const event of calmEvents(turn)) take(event)
    take({ _tag: "Ticked", at: turn.world.at + 2_000 })
  }
  return turn
}

/** Draws and applies events one by one for the shell, and then all at once from where they began. */
const takeTurn = (
  before: State,
  world: World,
  draws: ReadonlyArray<(state: State, world: World) => Event>
): Turn => {
  const events: Array<Event> = []
  const singly: Array<Command> = []
  let state = before
  let effective = 0
  for (const draw of draws) {
    const event = deepFreeze(draw(state, world))
    const step = reduce(state, [event])
    carryOut(world, event, state, step)
    if (isEffective(state, step)) effective++
    events.push(event)
    singly.push(...step.commands)
    state = step.state
  }
  const { commands, state: after } = reduce(before, events)
  return { events, before, after: deepFreeze(after), commands, singly, effective, world }
}

const isEffective = (before: State, { commands, state }: Step): boolean =>
  commands.length > 0 || state.log.count !== before.log.count || state.tasks !== before.tasks

const emptyWorld = (): World => ({
  at: 1_000,
  nextRun: 1,
  peers: new Set(),
  bodies: new Map(),
  away: new Set(),
  store: new Map(),
  remote: new Map(),
  asked: new Map(),
  requests: new Map(),
  retracting: [],
  noted: new Set(),
  past: [],
  complaints: []
})

/** Frees all results, and lets the last deadlines pass. */
export const freeAll = (last: Turn): State => {
  const rows = tasksOf(last.after, "Memory").map(({ id, run }) => ({ id, run }))
  const freed = reduce(last.after, [{ _tag: "FreeAsked", at: last.world.at, rows }]).state
  return reduce(freed, [{ _tag: "Ticked", at: last.world.at + 10_000 }, { _tag: "Ticked", at: last.world.at + 20_000 }]).state
}

/** This worker, and all the workers there are. */
const self = WorkerId.make(3)
const allWorkers = [1, 2, 3, 4, 5, 6].map((id) => WorkerId.make(id))
/** Ids of tasks that are computed here, and of those that come from elsewhere; a few are both. */
const localIds = 24
const remoteIds = 12

const taskId = (id: number): TaskId => TaskId.make(id)
const runId = (run: number): RunId => RunId.make(run)

/** Numbers drawn from one choice. */
class Dice {
  #state: number
  constructor(choice: number) {
    this.#state = Math.imul(choice ^ (choice >>> 15), 0x2c1b3c6d) >>> 0
  }
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % bound
  }
  oneIn(bound: number): boolean {
    return this.below(bound) === 0
  }
  of<A>(items: ReadonlyArray<A>): A | undefined {
    return items[this.below(items.length)]
  }
}

const tasksOf = (state: State, ...tags: ReadonlyArray<StatusTag>): ReadonlyArray<Task> =>
  tags.length === 1 ? listsOf(state).get(tags[0]!) ?? noTasks : tags.flatMap((tag) => listsOf(state).get(tag) ?? noTasks)

const allTasks = (state: State): ReadonlyArray<Task> => [...listsOf(state).values()].flat()

/** The tasks of each status. The lists of the last state are kept, for they are asked for many times. */
const listsOf = (state: State): ReadonlyMap<StatusTag, ReadonlyArray<Task>> => {
  if (lastLists?.state === state) return lastLists.lists
  const lists = new Map<StatusTag, Array<Task>>()
  Vector.forEach(state.tasks, (task) => {
    const list = lists.get(task.status._tag)
    if (list === undefined) lists.set(task.status._tag, [task])
    else list.push(task)
  })
  lastLists = { state, lists }
  return lists
}

let lastLists: { readonly state: State; readonly lists: ReadonlyMap<StatusTag, ReadonlyArray<Task>> } | undefined

const noTasks: ReadonlyArray<Task> = []

/** An event that could happen now; asking for more work if what was drawn cannot. */
const nextEvent = (state: State, world: World, dice: Dice): Event => {
  const drawn = possible[dice.below(possible.length)]
  const isFew = state.tasks.size < 24 && dice.below(3) > 0
  return (isFew ? undefined : drawn?.(state, world, dice)) ?? computeAsked(state, world, dice)
}

type Draw = (state: State, world: World, dice: Dice) => Event | undefined

const computeAsked = (state: State, world: World, dice: Dice): Event => {
  const rows: Array<Assignment> = []
  for (let n = dice.below(3); n >= 0; n--) {
    const id = taskId(dice.below(localIds))
    // One in sixteen is asked for again, under the run that is known.
    const known = dice.oneIn(16) ? Vector.get(state.tasks, id)?.run : undefined
    const run = known ?? runId(world.nextRun + rows.length)
    const dependencies = Array.from({ length: dice.below(4) }, (_, n) =>
      dependency(state, world, dice, id, world.nextRun + 10 * (1 + rows.length) + 2 * n))
    rows.push({
      id,
      run,
      key: Key.make(`k${id}`),
      code: CodeId.make(1),
      args: new Uint8Array(0),
      isolation: dice.oneIn(2) ? "thread" : "fiber",
      priority: dice.below(3) - 1,
      // Ranks of two tasks may be equal, though the scheduler's are not.
      rank: run % 61,
      attempt: 1,
      ...suspicion(dice),
      ...(dice.oneIn(4) ? { timeoutMs: 40 } : {}),
      dependencies: dependencies.flatMap((input) => input ?? [])
    })
  }
  return { _tag: "ComputeAsked", at: world.at, rows }
}

/** One in twenty is a suspect, and a third of those are judged next. */
const suspicion = (dice: Dice): Pick<Assignment, "alone" | "decisive"> => {
  const alone = dice.oneIn(20)
  return alone && dice.oneIn(3) ? { alone, decisive: true } : { alone }
}

const calmEvents = ({ after, world: { at, retracting } }: Turn): ReadonlyArray<Event> => [
  ...retracting.map(({ id, run }): Event => ({ _tag: "ExecuteRetracted", at, id, run, retracted: false })),
  ...tasksOf(after, "Executing", "LongRunning").map(({ id, run }): Event =>
    ({ _tag: "ExecuteSucceeded", at, id, run, nbytes: 8, ms: 1, inline: false })),
  ...tasksOf(after, "Stopping").flatMap(({ id, status }): ReadonlyArray<Event> =>
    status._tag === "Stopping" ? [{ _tag: "ExecuteStopped", at, id, run: status.run }] : []),
  ...allWorkers.filter((peer) => flyingFrom(after, peer).length > 0).map((peer): Event =>
    ({ _tag: "GatherSucceeded", at, peer, got: flyingFrom(after, peer), missing: [] })),
  ...tasksOf(after, "Missing").map(({ id, run }): Event =>
    ({ _tag: "HoldersTold", at, rows: [{ id, run, whoHas: [WorkerId.make(1)] }] }))
]

/** Mostly a result of a peer, sometimes one of here, of whatever status. */
const dependency = (
  state: State,
  world: World,
  dice: Dice,
  dependent: TaskId,
  /** Two numbers from here on are free. */
  freeRun: number
): Dependency | undefined => {
  const near = dice.oneIn(3) ? dice.of(tasksOf(state, "Memory", "Executing", "Waiting", "Stopping")) : undefined
  const id = near?.id ?? taskId(localIds - 4 + dice.below(remoteIds))
  // No cycles: a task needs tasks of smaller ids, or such as are never computed here.
  if (id >= dependent && id < localIds) return undefined
  const run = near?.run ?? world.remote.get(id) ?? freeRun
  return {
    id,
    run: runId(dice.oneIn(20) ? freeRun + 1 : run),
    nbytes: [0, 8, 40, 90, 150, 300][dice.below(6)] ?? 0,
    whoHas: someWorkers(dice)
  }
}

const someWorkers = (dice: Dice): ReadonlyArray<WorkerId> =>
  allWorkers.filter((worker) => worker === self ? dice.oneIn(40) : dice.below(5) < 2)

/** A body that runs; one time in eight, some run that perhaps does not. */
const body = (state: State, world: World, dice: Dice): Run | undefined =>
  dice.oneIn(8) ? anyRun(state, world, dice) : dice.of([...world.bodies.values()])

const anyRun = (state: State, world: World, dice: Dice): Run | undefined => {
  if (dice.oneIn(8)) return { id: taskId(dice.below(localIds)), run: runId(world.nextRun) }
  return dice.oneIn(2) ? dice.of(world.past) : dice.of(allTasks(state))
}

const runsOf = (state: State, world: World, dice: Dice, ...tags: ReadonlyArray<StatusTag>): ReadonlyArray<Run> => {
  const rows: Array<Run> = []
  for (let n = dice.below(2); n >= 0; n--) {
    const row = dice.oneIn(6) ? anyRun(state, world, dice) : dice.of(tasksOf(state, ...tags))
    if (row !== undefined) rows.push({ id: row.id, run: row.run })
  }
  return rows
}

const flyingFrom = (state: State, peer: WorkerId): ReadonlyArray<Held> =>
  IntSet.toArray(Vector.get(state.peers, peer)?.flying ?? IntSet.empty<TaskId>()).flatMap((id) => {
    const status = Vector.get(state.tasks, id)?.status
    return status?._tag === "Flight" ? [{ id, run: status.run, nbytes: status.nbytes }] : []
  })

const askedPeer = (state: State, dice: Dice): WorkerId | undefined =>
  dice.oneIn(10) ? dice.of(allWorkers) : dice.of(allWorkers.filter((peer) => flyingFrom(state, peer).length > 0))

const succeeded: Draw = (state, world, dice) => {
  const row = body(state, world, dice)
  return row && { _tag: "ExecuteSucceeded", at: world.at, id: row.id, run: row.run, nbytes: dice.below(60), ms: [0.1, 1, 30][dice.below(3)]!, inline: false }
}

const gatherSucceeded: Draw = (state, world, dice) => {
  const peer = askedPeer(state, dice)
  if (peer === undefined) return undefined
  const rows = flyingFrom(state, peer).map((row) => ({ row, fate: dice.below(12) }))
  const stale = dice.oneIn(12) ? dice.of(tasksOf(state, "Memory", "Fetch", "Waiting")) : undefined
  return {
    _tag: "GatherSucceeded",
    at: world.at,
    peer,
    got: [
      ...rows.filter(({ fate }) => fate < 9).map(({ row }) => row),
      ...stale === undefined ? [] : [{ id: stale.id, run: stale.run, nbytes: 5 }]
    ],
    missing: rows.filter(({ fate }) => fate === 9 || fate === 10).map(({ row: { id, run } }) => ({ id, run }))
  }
}

/** What may happen, the more often the more often it stands here. */
const possible: ReadonlyArray<Draw> = [
  computeAsked,
  computeAsked,
  succeeded,
  succeeded,
  succeeded,
  gatherSucceeded,
  gatherSucceeded,
  gatherSucceeded,
  (state, world, dice) => {
    const row = body(state, world, dice)
    const failure = new Uint8Array(0)
    return row && { _tag: "ExecuteFailed", at: world.at, id: row.id, run: row.run, ms: 1, failure, retryable: true }
  },
  (state, world, dice) => {
    const row = body(state, world, dice)
    return row && { _tag: "ExecuteExited", at: world.at, id: row.id, run: row.run, attempt }
  },
  (state, world, dice) => {
    const row = body(state, world, dice)
    return row && { _tag: "ExecuteRescheduled", at: world.at, id: row.id, run: row.run }
  },
  (_, world, dice) => {
    const row = dice.of(world.retracting)
    return row && { _tag: "ExecuteRetracted", at: world.at, id: row.id, run: row.run, retracted: world.bodies.has(row.run) && dice.oneIn(2) }
  },
  (state, world, dice) => {
    const row = dice.of(tasksOf(state, "Stopping"))
    return row?.status._tag === "Stopping" && !dice.oneIn(10)
      ? { _tag: "ExecuteStopped", at: world.at, id: row.id, run: row.status.run }
      : row && { _tag: "ExecuteStopped", at: world.at, id: row.id, run: row.run }
  },
  (state, world, dice) => {
    const row = body(state, world, dice)
    return row && { _tag: "ExecuteBegun", at: world.at, id: row.id, run: row.run }
  },
  (state, world, dice) => {
    const row = body(state, world, dice)
    const about = row && { at: world.at, id: row.id, run: row.run }
    return about && (dice.oneIn(2) ? { _tag: "ExecuteSeceded", ...about, waits: dice.oneIn(2) } : { _tag: "ExecuteRejoined", ...about })
  },
  (state, world, dice) => {
    const row = dice.of(tasksOf(state, "LongRunning"))
    const about = row && { at: world.at, id: row.id, run: row.run }
    return about && (dice.oneIn(2) ? { _tag: "ExecuteSeceded", ...about, waits: dice.oneIn(2) } : { _tag: "ExecuteRejoined", ...about })
  },
  (state, world, dice) => {
    const peer = askedPeer(state, dice)
    return peer && { _tag: dice.oneIn(2) ? "GatherBusy" : "GatherFailed", at: world.at, peer }
  },
  (state, world, dice) => {
    const task = dice.of(tasksOf(state, "Missing", "Missing", "Fetch", "Flight", dice.oneIn(4) ? "Memory" : "Missing"))
    return task && {
      _tag: "HoldersTold",
      at: world.at,
      rows: [{ id: task.id, run: runId(dice.oneIn(10) ? world.nextRun + 1 : task.run), whoHas: someWorkers(dice) }]
    }
  },
  (state, world, dice) => {
    const rows = runsOf(state, world, dice, "Memory", "Memory", "Ready")
    return rows.length === 0 ? undefined : { _tag: "FreeAsked", at: world.at, rows }
  },
  (state, world, dice) => {
    const rows = runsOf(state, world, dice, "Executing", "LongRunning", "Waiting", "Ready", "Flight")
    return rows.length === 0 ? undefined : { _tag: "CancelAsked", at: world.at, rows }
  },
  (state, world, dice) => {
    const rows = runsOf(state, world, dice, "Waiting", "Ready", "Executing")
    return rows.length === 0 ? undefined : { _tag: "TakeBackAsked", at: world.at, rows }
  },
  (state, world, dice) => {
    // Data of a client: new, or of a task that is known, under whatever run.
    const known = dice.oneIn(2) ? dice.of(allTasks(state)) : undefined
    const id = known?.id ?? taskId(localIds - 4 + dice.below(remoteIds))
    const run = known !== undefined && dice.oneIn(2) ? known.run : runId(world.nextRun)
    return dice.below(3) > 0 ? undefined : { _tag: "DataReceived", at: world.at, rows: [{ id, run, nbytes: dice.below(60) }] }
  },
  (_, world, dice) => ({ _tag: "Ticked", at: world.at + [0, 120, 200, 1_200][dice.below(4)]! }),
  (state, world, dice) => dice.below(8) > 0 ? undefined : {
    _tag: "Started",
    at: world.at,
    worker: self,
    nthreads: 2,
    nfibers: 3,
    holds: [
      ...tasksOf(state, "Memory").filter(() => dice.oneIn(2)).map(({ id, run, nbytes }) => ({ id, run, nbytes })),
      ...dice.of(tasksOf(state, "Executing")) === undefined
        ? []
        : [{ id: taskId(dice.below(localIds)), run: runId(world.nextRun), nbytes: 7 }]
    ]
  }
]

const attempt = {
  worker: "w",
  startedAtMs: 0,
  endedAtMs: 1,
  ended: "exit",
  detail: "code 1",
  peakMemoryBytes: Option.none(),
  logTail: []
} as const

/** What the shell does and learns because of one event, and what it finds wrong with its orders. */
const carryOut = (world: World, event: Event, before: State, { commands, state: after }: Step): void => {
  const shell = new Shell(world)
  shell.report(event)
  for (const command of commands) shell.obey(command)
  shell.compare(event, before, after)
}

class Shell {
  readonly #world: World
  readonly #answered = new Set<number>()
  /** What was asked back of a thread, and has just been found out. */
  #unanswered: Run | undefined

  constructor(world: World) {
    this.#world = world
  }

  /** What was the case when it reported this. */
  report(event: Event): void {
    this.#world.at = Math.max(this.#world.at, event.at)
    switch (event._tag) {
      case "Started":
        for (const held of event.holds) this.#keep(held)
        // The old incarnation's questions are nobody's any more.
        this.#world.asked.clear()
        return this.#world.requests.clear()
      case "ComputeAsked":
        for (const row of event.rows) {
          this.#meet(row.run, [])
          for (const { id, run, whoHas } of row.dependencies) {
            this.#meet(run, whoHas)
            this.#world.remote.set(id, Math.max(run, this.#world.remote.get(id) ?? 0))
          }
        }
        return
      case "HoldersTold":
        return event.rows.forEach(({ run, whoHas }) => this.#meet(run, whoHas))
      case "DataReceived":
        for (const held of event.rows) this.#keep(held)
        return
      case "ExecuteSucceeded":
        this.#keep(event)
        this.#world.bodies.delete(event.run)
        return
      case "ExecuteRetracted": {
        const at = this.#world.retracting.findIndex(({ run }) => run === event.run)
        if (at >= 0) this.#world.retracting.splice(at, 1)
        if (event.retracted) this.#world.bodies.delete(event.run)
        this.#unanswered = event
        return
      }
      case "ExecuteFailed":
      case "ExecuteExited":
      case "ExecuteRescheduled":
      case "ExecuteStopped":
        this.#world.bodies.delete(event.run)
        return
      case "GatherSucceeded":
        for (const held of event.got) this.#keep(held)
        return this.#answer(event.peer, [...event.got, ...event.missing].map(({ run }) => run))
      case "GatherBusy":
      case "GatherFailed":
        this.#world.requests.delete(event.peer)
        return
    }
  }

  obey(command: Command): void {
    switch (command._tag) {
      case "NoteStarted":
        if (this.#world.noted.has(command.run)) this.#complain("a start is noted twice")
        this.#world.noted.add(command.run)
        return
      case "NoteEnded":
        if (!this.#world.noted.delete(command.run)) this.#complain("the end of what is not noted is noted")
        return
      case "Execute":
        if (this.#world.bodies.has(command.run)) this.#complain("a run is executed twice")
        if (this.#world.noted.size > 0 && !this.#world.noted.has(command.run)) this.#complain("something starts beside a suspect, and is not noted")
        for (const id of command.dependencies) {
          if (![...this.#world.store.values()].some((held) => held.id === id)) {
            this.#complain("an input of what is executed is not in the data store")
          }
        }
        this.#world.bodies.set(command.run, { id: command.id, run: command.run })
        return
      case "ReportSeceded":
        this.#world.away.add(command.run)
        return
      case "Resume":
        if (!this.#world.bodies.has(command.run) || !this.#world.away.delete(command.run)) this.#complain("what has a slot or has ended is given one")
        if (this.#world.noted.size > 0 && !this.#world.noted.has(command.run)) this.#complain("something goes on beside a suspect, and is not noted")
        return
      case "GoOn":
        if (!this.#world.away.has(command.run)) this.#complain("what has a slot or has ended is to go on without one")
        if (this.#world.noted.size > 0 && !this.#world.noted.has(command.run)) this.#complain("something runs on beside a suspect, and is not noted")
        return
      case "Retract":
        this.#world.retracting.push({ id: command.id, run: command.run })
        if (!this.#world.bodies.has(command.run)) this.#complain("what does not run is to be taken out of a thread")
        return
      case "Interrupt":
      case "Terminate":
        if (!this.#world.bodies.has(command.run)) this.#complain("what does not run is to be stopped")
        return
      case "Gather":
        if (!this.#world.peers.has(command.peer) || command.peer === self) this.#complain("a peer is asked that nobody has named")
        if (this.#world.requests.has(command.peer)) this.#complain("a peer is asked twice at once")
        this.#world.requests.set(command.peer, new Set(command.rows.map(({ run }) => run)))
        return
      case "Drop":
        if (!this.#world.store.delete(command.run)) this.#complain("a result is dropped that is not in the data store")
        return
      case "ReportMissing":
        if (!this.#world.peers.has(command.peer)) this.#complain("a peer is reported that nobody has named")
        return
      case "ReportFinished":
      case "ReportFailed":
      case "ReportKilled":
      case "ReportStopped":
      case "ReportRescheduled":
        return this.#settle(command)
      case "ReportTakeBack":
        if (this.#unanswered?.run === command.run) this.#unanswered = undefined
        return command.returned ? this.#settle(command) : undefined
    }
  }

  /** What the machine believes must be so. */
  compare(event: Event, before: State, after: State): void {
    if (this.#unanswered !== undefined) this.#complain("what is asked back is not answered")
    if (event._tag === "ComputeAsked") {
      for (const [n, row] of event.rows.entries()) this.#expectAnswer(row, event.rows.slice(0, n), before, after)
    }
    const held = tasksOf(after, "Memory")
    if (held.length !== this.#world.store.size || !held.every(({ run }) => this.#world.store.has(run))) {
      this.#complain("the data store is not what is in memory")
    }
    const running = tasksOf(after, "Executing", "LongRunning", "Stopping")
    if (running.length !== this.#world.bodies.size || !running.every((task) => this.#world.bodies.has(runningRun(task)))) {
      this.#complain("the bodies that run are not those that executing, long-running and stopping tasks say")
    }
    const flying = tasksOf(after, "Flight")
    if (flying.length !== [...this.#world.requests.values()].reduce((sum, runs) => sum + runs.size, 0)) {
      this.#complain("what peers were asked for is not what is under way")
    }
    const acting = running.filter(({ status }) => status._tag !== "LongRunning" || !status.waits)
    const noted = acting.some(isSuspect) ? acting.map(runningRun) : []
    if (noted.length !== this.#world.noted.size || !noted.every((run) => this.#world.noted.has(run))) {
      this.#complain("the nanny does not know what runs beside a suspect, or does without need")
    }
  }

  /** What is asked for has to be answered, unless it was past when it came. */
  #expectAnswer({ id, run }: Assignment, earlier: ReadonlyArray<Assignment>, before: State, after: State): void {
    if (this.#answered.has(run)) return
    const known = Vector.get(after.tasks, id)
    if (known?.run === run && known.assignment !== undefined) this.#world.asked.set(run, { id, run })
    // A row before it in the same message may name a later run at a peer, and a row after it let go of that again.
    const named = earlier.flatMap(({ dependencies }) => dependencies.filter((dependency) => dependency.id === id))
    const isPast = (known?.run ?? 0) > run || (Vector.get(before.tasks, id)?.run ?? 0) >= run ||
      named.some((dependency) => dependency.run >= run)
    if (!this.#world.asked.has(run) && !isPast) this.#complain("what is asked for is neither taken on nor answered")
  }

  #settle({ id, run }: Run): void {
    this.#world.asked.delete(run)
    this.#answered.add(run)
    this.#world.past = [...this.#world.past, { id, run }].slice(-16)
  }

  #keep({ id, run }: Run): void {
    this.#meet(run, [])
    this.#world.store.set(run, { id, run })
  }

  #meet(run: number, workers: ReadonlyArray<number>): void {
    this.#world.nextRun = Math.max(this.#world.nextRun, run + 1)
    for (const worker of workers) this.#world.peers.add(worker)
  }

  #answer(peer: number, runs: ReadonlyArray<number>): void {
    const left = [...this.#world.requests.get(peer) ?? []].filter((run) => !runs.includes(run))
    if (left.length === 0) this.#world.requests.delete(peer)
    else this.#world.requests.set(peer, new Set(left))
  }

  #complain(what: string): void {
    this.#world.complaints.push(what)
  }
}

const isSuspect = ({ assignment, status }: Task): boolean => status._tag === "Stopping" ? status.alone : assignment?.alone === true

const runningRun = ({ run, status }: Task): number => status._tag === "Stopping" ? status.run : run
