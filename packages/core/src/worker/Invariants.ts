/**
 * What is true of every worker state that is handed out. Each truth has a name,
 * to be quoted when it breaks.
 *
 * They are those of Dask's `validate_state` (W1–W5 and W8 of our list of
 * promises), with what is new here: slots kept while stopping, suspects alone,
 * and deadlines. Not here, with the reason:
 * - resources and constrained tasks (W7): the scheduler gives a worker no more
 *   than it offers, so workers know nothing of them (scheduler/internal/demands.ts);
 * - pausing (W9), spilled bytes (half of W6), actors: nothing of these is built yet;
 * - "a cancelled or resumed task …": there are no such statuses;
 * - "every local key is known to the scheduler" (W10), "the result is in the
 *   data store": truths about two parties, for the simulation to check;
 * - "a released or failed task holds nothing": such records are forgotten at
 *   once, and that is checked instead;
 * - counters per name of task, and a bound on transitions: nobody counts by name
 *   here, and no transition leads to an endless chain of others;
 * - "one record for each key": a vector holds one record at an index.
 *
 * Each check recounts everything, from lists that are made once for all of them:
 * they are for tests, and for a state that misbehaves, not for every turn.
 *
 * Source: dask.distributed `worker_state_machine.py` (`validate_task`, `validate_state`).
 */
import type { Isolation, Millis, TaskId } from "@skein/protocol/Ids"
import * as IntSet from "../persistent/IntSet.ts"
import * as Ranked from "../persistent/Ranked.ts"
import * as Recent from "../persistent/Recent.ts"
import * as Vector from "../persistent/Vector.ts"
import { acting } from "./internal/notes.ts"
import { readyQueue, slots, slotsTaken, stopDeadline } from "./internal/slots.ts"
import { timeLimit } from "./internal/timing.ts"
import { noCounts, type Peer, type State, type Status, type StatusOf, type StatusTag, type Task } from "./State.ts"

/** A state, and what is in it as lists. */
export interface Picture {
  readonly state: State
  readonly tasks: ReadonlyArray<Task>
  readonly byStatus: Readonly<Record<StatusTag, ReadonlyArray<Task>>>
  readonly peers: ReadonlyArray<Peer>
}

export const invariants: Readonly<Record<string, (picture: Picture) => boolean>> = {
  "a record stands under its own id": ({ peers, state, tasks }) =>
    tasks.every((task) => Vector.get(state.tasks, task.id) === task) &&
    peers.every((peer) => Vector.get(state.peers, peer.id) === peer),

  "nothing is left released or failed": ({ byStatus }) => byStatus.Released.length + byStatus.Error.length === 0,

  "what waits, is ready or runs is to be computed here, under the newest run known": ({ tasks }) =>
    tasks.every(({ assignment, id, run, status }) =>
      needsAssignment.has(status._tag)
        ? assignment?.id === id && assignment.run === run
        : assignment === undefined || (status._tag === "Flight" || status._tag === "Stopping") && assignment.run === run),

  "a task waits for exactly the inputs that are not here, and for one at least": (picture) =>
    everyIn(picture, "Waiting", (task, { waitingOn }) =>
      IntSet.size(waitingOn) > 0 && IntSet.equals(waitingOn, absentInputs(picture.state, task))),

  "all that a ready task needs is here": (picture) =>
    everyIn(picture, "Ready", (task) => IntSet.size(absentInputs(picture.state, task)) === 0),

  "what waits for a slot stands in the queue of its isolation, and nothing else does": ({ byStatus, state }) =>
    isolations.every((isolation) => {
      const places = [...byStatus.Ready, ...byStatus.LongRunning].filter(({ assignment }) => assignment?.isolation === isolation)
        .flatMap(({ id, status }) => {
          const position = status._tag === "Ready" ? status.position : status._tag === "LongRunning" ? status.rejoining : undefined
          return position === undefined ? [] : [{ id, position }]
        })
      const queue = readyQueue(state, isolation)
      return queue.size === places.length && places.every(({ id, position }) => Ranked.get(queue, position) === id) &&
        byStatus.Ready.every(({ assignment, status }) => status._tag !== "Ready" || status.isolation === assignment?.isolation)
    }),

  "an input names exactly those that need it and have not started": ({ state, tasks }) =>
    tasks.every((task) => {
      const { assignment, id, status } = task
      const isLinked = assignment !== undefined && !isActive(status)
      return all(task.dependents, (dependent) => {
        const other = Vector.get(state.tasks, dependent)
        return other?.assignment !== undefined && !isActive(other.status) && needs(other, id)
      }) && (!isLinked || assignment.dependencies.every((input) =>
        IntSet.has(Vector.get(state.tasks, input.id)?.dependents ?? IntSet.empty(), id)))
    }),

  "what is fetched or missing is needed by somebody here": ({ byStatus }) =>
    [...byStatus.Fetch, ...byStatus.Missing].every(({ dependents }) => IntSet.size(dependents) > 0),

  "what is to be fetched has a holder, what is missing has none, what is here needs none": (picture) =>
    everyIn(picture, "Fetch", ({ whoHas }) => IntSet.size(whoHas) > 0) &&
    everyIn(picture, "Missing", ({ whoHas }) => IntSet.size(whoHas) === 0) &&
    everyIn(picture, "Memory", ({ whoHas }) => IntSet.size(whoHas) === 0),

  "this worker is no peer of its own": ({ peers, state }) => peers.every(({ id }) => id !== state.worker),

  "tasks and peers name each other as holder and held": ({ peers, state, tasks }) =>
    tasks.every(({ id, whoHas }) => all(whoHas, (holder) => holds(state, holder, id))) &&
    peers.every((peer) => all(peer.has, (id) => hasHolder(state, id, peer))),

  "a peer is known for as long as something depends on it": ({ peers }) =>
    peers.every((peer) => IntSet.size(peer.has) + IntSet.size(peer.flying) > 0 || peer.busyUntil !== undefined),

  "what is to be fetched is wanted of each of its holders, and nothing else is": (picture) =>
    picture.state.wanted.size === picture.byStatus.Fetch.length &&
    everyIn(picture, "Fetch", ({ id, whoHas }, { position }) =>
      Ranked.get(picture.state.wanted, position) === id &&
      IntSet.toArray(whoHas).every((holder) => Ranked.get(wantedOf(picture.state, holder), position) === id)) &&
    picture.peers.every((peer) =>
      peer.wanted.size === IntSet.toArray(peer.has).filter((id) => statusOf(picture.state, id) === "Fetch").length),

  "the missing tasks are listed as missing": ({ byStatus, state }) => isListOf(state.missing, byStatus.Missing),

  "the stopping tasks are listed as stopping": ({ byStatus, state }) => isListOf(state.stopping, byStatus.Stopping),

  "only what runs, and has a limit of time, is timed": ({ state }) =>
    all(state.timed, (id) => timeLimit(Vector.get(state.tasks, id)) !== undefined),

  "a result under way and the peer it comes from name each other": (picture) =>
    everyIn(picture, "Flight", ({ id }, { peer }) =>
      IntSet.has(Vector.get(picture.state.peers, peer)?.flying ?? IntSet.empty(), id)) &&
    picture.peers.every((peer) =>
      IntSet.toArray(peer.flying).every((id) => {
        const status = Vector.get(picture.state.tasks, id)?.status
        return status?._tag === "Flight" && status.peer === peer.id
      })),

  "requests and bytes under way are counted, and within their bounds": ({ byStatus, peers, state }) => {
    const flights = byStatus.Flight
    const bytes = sum(flights, ({ status }) => status._tag === "Flight" ? status.nbytes : 0)
    const gathers = peers.filter(({ flying }) => IntSet.size(flying) > 0).length
    return state.gatherBytes === bytes && state.gathers === gathers && gathers <= state.config.gatherRequests &&
      (bytes <= state.config.gatherBytes || flights.length === 1)
  },

  "a busy peer is listed as busy, and is asked nothing": ({ peers, state }) =>
    isListOf(state.busy, peers.filter(({ busyUntil }) => busyUntil !== undefined)) &&
    peers.every((peer) => peer.busyUntil === undefined || IntSet.size(peer.flying) === 0),

  "peers can be asked that have something wanted, are not being asked, and are not busy": ({ peers, state }) =>
    isListOf(state.callable, peers.filter((peer) =>
      peer.wanted.size > 0 && IntSet.size(peer.flying) === 0 && peer.busyUntil === undefined)),

  "nothing waits to be fetched while it could be asked for": ({ state }) =>
    IntSet.size(state.callable) === 0 || state.gathers === state.config.gatherRequests ||
    (state.gathers > 0 && IntSet.toArray(state.callable).some((id) => {
      const top = Vector.get(state.tasks, Ranked.first(wantedOf(state, id)) ?? -1)
      return top !== undefined && state.gatherBytes + top.nbytes > state.config.gatherBytes
    })),

  "slots are held by what executes, and by what is being stopped until it has ended": (picture) =>
    isolations.every((isolation) => slotsTaken(picture.state, isolation) === slotHolders(picture, isolation).length),

  "no more slots are held than there are": (picture) =>
    isolations.every((isolation) => slotHolders(picture, isolation).length <= mostSlots(picture.state, isolation)),

  "everything of which something runs is counted": (picture) => picture.state.running === runningTasks(picture).length,

  "a suspect executes alone": (picture) => {
    const running = runningTasks(picture)
    const executing = running.filter((task) =>
      task.status._tag === "Executing" || (task.status._tag === "Stopping" && task.status.slot) || picture.state.lone === runOf(task))
    const suspects = executing.filter(isSuspect)
    return suspects.length === 0
      ? picture.state.lone === undefined
      : executing.length === 1 && suspects.every((task) => picture.state.lone === runOf(task))
  },

  "suspects of which something runs, and bodies that run on, are counted": ({ byStatus, state, tasks }) =>
    state.suspects === tasks.filter((task) => acting(task) !== undefined && isSuspect(task)).length &&
    state.onward === byStatus.LongRunning.filter((task) => acting(task) !== undefined).length,

  "nothing waits beside a free slot, unless a suspect is in the way": (picture) =>
    [...picture.byStatus.Ready, ...runningTasks(picture)].some(isSuspect) ||
    isolations.every((isolation) =>
      readyQueue(picture.state, isolation).size === 0 ||
      slotsTaken(picture.state, isolation) >= slots(picture.state, isolation)),

  "a suspect that is ready starts once nothing else holds a slot": ({ state }) =>
    state.running > state.counts.LongRunning || state.onward > 0 ||
    isolations.every((isolation) => slots(state, isolation) === 0 || readyQueue(state, isolation).size === 0),

  "whatever is to happen later, the shell has been told to wake this machine for": (picture) =>
    deadlines(picture).every((deadline) => picture.state.wakeAt !== undefined && picture.state.wakeAt <= deadline),

  "tasks of each status, and bytes in memory, are counted": ({ byStatus, state }) =>
    (Object.keys(noCounts) as ReadonlyArray<StatusTag>).every((tag) => state.counts[tag] === byStatus[tag].length) &&
    state.nbytes === sum(byStatus.Memory, ({ status }) => status._tag === "Memory" ? status.nbytes : 0),

  "the log keeps to its bound": ({ state }) => state.log.length === state.config.logBound && Recent.isWhole(state.log)
}

/** However short bodies are. */
const mostSlots = ({ config, nfibers, nthreads }: State, isolation: Isolation): number =>
  isolation === "thread" ? nthreads * (1 + config.threadQueue) : nfibers

const named = Object.entries(invariants)

/** Names of the invariants that `state` breaks; empty when all is well. */
export const broken = (state: State): ReadonlyArray<string> => {
  const picture = pictureOf(state)
  return named.flatMap(([name, isTrue]) => isTrue(picture) ? [] : [name])
}

const pictureOf = (state: State): Picture => {
  const tasks: Array<Task> = []
  const peers: Array<Peer> = []
  const byStatus: Record<StatusTag, Array<Task>> = {
    Released: [],
    Waiting: [],
    Fetch: [],
    Flight: [],
    Missing: [],
    Ready: [],
    Executing: [],
    LongRunning: [],
    Stopping: [],
    Memory: [],
    Error: []
  }
  Vector.forEach(state.tasks, (task) => {
    tasks.push(task)
    byStatus[task.status._tag].push(task)
  })
  Vector.forEach(state.peers, (peer) => peers.push(peer))
  return { state, tasks, byStatus, peers }
}

const isolations: ReadonlyArray<Isolation> = ["thread", "fiber"]

const needsAssignment: ReadonlySet<StatusTag> = new Set<StatusTag>(["Waiting", "Ready", "Executing", "LongRunning"])

const everyIn = <Tag extends StatusTag>(
  picture: Picture,
  tag: Tag,
  test: (task: Task, status: StatusOf<Tag>) => boolean
): boolean => picture.byStatus[tag].every((task) => isIn(task.status, tag) && test(task, task.status))

const isIn = <Tag extends StatusTag>(status: Status, tag: Tag): status is StatusOf<Tag> => status._tag === tag

const sum = <A>(values: ReadonlyArray<A>, of: (value: A) => number): number =>
  values.reduce((total, value) => total + of(value), 0)

const all = <Id extends number>(set: IntSet.IntSet<Id>, test: (id: Id) => boolean): boolean => !IntSet.some(set, (id) => !test(id))

const isListOf = (list: IntSet.IntSet, members: ReadonlyArray<{ readonly id: number }>): boolean =>
  IntSet.size(list) === members.length && members.every(({ id }) => IntSet.has(list, id))

const statusOf = (state: State, id: TaskId): StatusTag | undefined => Vector.get(state.tasks, id)?.status._tag

const needs = ({ assignment }: Task, input: TaskId): boolean =>
  assignment?.dependencies.some(({ id }) => id === input) ?? false

const absentInputs = (state: State, { assignment }: Task): IntSet.IntSet<TaskId> =>
  IntSet.fromIterable((assignment?.dependencies ?? []).map(({ id }) => id).filter((id) => statusOf(state, id) !== "Memory"))

const holds = (state: State, peer: number, id: TaskId): boolean =>
  IntSet.has(Vector.get(state.peers, peer)?.has ?? IntSet.empty(), id)

const hasHolder = (state: State, id: TaskId, peer: Peer): boolean =>
  IntSet.has(Vector.get(state.tasks, id)?.whoHas ?? IntSet.empty(), peer.id)

const wantedOf = (state: State, peer: number): Ranked.Ranked<TaskId> => Vector.get(state.peers, peer)?.wanted ?? Ranked.empty()

/** It runs under its assignment, which has thereby started. */
const isActive = (status: Status): boolean => status._tag === "Executing" || status._tag === "LongRunning"

const runningTasks = ({ byStatus }: Picture): ReadonlyArray<Task> =>
  [...byStatus.Executing, ...byStatus.LongRunning, ...byStatus.Stopping]

const slotHolders = (picture: Picture, isolation: Isolation): ReadonlyArray<Task> =>
  runningTasks(picture).filter(({ assignment, status }) =>
    status._tag === "Stopping"
      ? status.slot && status.isolation === isolation
      : status._tag === "Executing" && assignment?.isolation === isolation)

const isSuspect = ({ assignment, status }: Task): boolean =>
  status._tag === "Stopping" ? status.alone : assignment?.alone === true

const runOf = ({ run, status }: Task): number => status._tag === "Stopping" ? status.run : run

const deadlines = ({ byStatus, peers, state }: Picture): ReadonlyArray<Millis> => [
  ...byStatus.Missing.length > 0 ? [state.askAt ?? -Infinity] : [],
  ...peers.flatMap(({ busyUntil }) => busyUntil ?? []),
  ...IntSet.toArray(state.timed).map((id) => timeLimit(Vector.get(state.tasks, id)) ?? -Infinity),
  ...byStatus.Stopping.flatMap(({ status }) =>
    status._tag === "Stopping" ? stopDeadline(state, status) ?? [] : [])
]
