/**
 * Random walks through the scheduler's machine, and the world it lives in.
 *
 * A walk is a list of numbers. Each picks one of the events that are possible in
 * the present state, stale and senseless ones included: so walks go deep, and a
 * failing one shrinks by leaving numbers out. Independent random events would find
 * next to nothing, for most would name what does not exist.
 *
 * The world keeps the few things that the shell would: which ids are given, what
 * workers were told and have not answered. It checks nothing but this: that an id
 * is given back once, and only when it was given.
 */
import type { Command } from "@skein/core/scheduler/Command"
import type { Event, Leaving, NewTask } from "@skein/core/scheduler/Event"
import { reduce, type Step } from "@skein/core/scheduler/Reducer"
import { empty, type Processing, type State, type Task } from "@skein/core/scheduler/State"
import * as Vector from "@skein/core/persistent/Vector"
import * as IntSet from "@skein/core/persistent/IntSet"
import { ProcessId } from "@skein/protocol/Ids"
import type { AskId, ClientId, CodeId, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Attempt } from "@skein/protocol/Failure"
import type { Terms } from "@skein/protocol/Terms"
import * as Option from "effect/Option"
import { firstSeed } from "./seed.ts"

/** Small limits, so that walks come to them. */
export const config = { allowedFailures: 2, logLength: 64, stopWithinMs: 2_000, warnAfterMs: 1_500, noWorkersTimeoutMs: 4_000 }

/** A run that a worker was told of. */
interface Told {
  readonly worker: WorkerId
  readonly id: TaskId
  readonly run: RunId
}

/** A source of choices: equal numbers, equal walks. */
export type Choose = (below: number) => number

/** Choices from one number of a walk, by a small mixing function (mulberry32). */
export const chooser = (seed: number): Choose => {
  let mixed = seed | 0
  return (below) => {
    mixed = (mixed + 0x6d2b79f5) | 0
    let bits = Math.imul(mixed ^ (mixed >>> 15), 1 | mixed)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) % below
  }
}

export class World {
  state: State = empty(config)
  at = 1_000
  /** Ids that may be given again, in the order in which they came back. */
  readonly free: Array<number> = []
  readonly given = new Set<number>()
  private nextId = 0
  private nextWorker = 0
  private nextClient = 0
  private nextAsk = 0
  /** Everything that workers were ever told to compute, the last few of it: what stale reports are made of. */
  private readonly told: Array<Told> = []
  private readonly takeBacks: Array<Told> = []
  private readonly cancelled: Array<Told> = []
  private readonly questions: Array<{ readonly client: ClientId; readonly ask: AskId }> = []
  private readonly args = [new Uint8Array([1]), new Uint8Array([2, 3])]

  /** Takes events to the machine, and does what a shell would do with the commands. */
  apply(events: ReadonlyArray<Event>): Step {
    const step = reduce(this.state, events)
    this.state = step.state
    for (const command of step.commands) this.carry(command)
    return step
  }

  private carry(command: Command): void {
    if (command._tag === "Forgotten") {
      if (!this.given.delete(command.id)) throw new Error(`id ${command.id} was given back, but nobody had it`)
      this.free.push(command.id)
    } else if (command._tag === "ComputeTask") {
      this.told.push({ worker: command.worker, id: command.id, run: command.run })
      if (this.told.length > 64) this.told.shift()
    } else if (command._tag === "TakeBack") this.takeBacks.push(command)
    else if (command._tag === "CancelTask") this.cancelled.push(command)
  }

  /** One of the events that are possible now. */
  next(choice: number): Event {
    const choose = chooser(choice)
    this.at += choose(8) === 0 ? choose(1_500) : choose(20)
    return this.growing(choose) ?? this.any(choose)
  }

  /** While the world is small it mostly grows. */
  private growing(choose: Choose): Event | undefined {
    if (this.state.clients.size < 2 && choose(2) === 0) return this.clientJoined()
    if (this.state.workers.size < 3 && choose(3) === 0) return this.workerJoined(choose)
    if (this.state.tasks.size < 24 && choose(3) === 0) return this.submitted(choose)
    return undefined
  }

  private any(choose: Choose): Event {
    const roll = choose(100)
    if (roll < 12) return this.state.full && choose(2) === 0 ? this.memoryMeasured(choose) : this.submitted(choose)
    if (roll < 45) return this.finished(choose)
    if (roll < 50) return this.failed(choose)
    if (roll < 52) return choose(2) === 0 ? this.killed(choose) : this.timedOut(choose)
    if (roll < 53) return this.seceded(choose)
    if (roll < 55) return this.rescheduled(choose)
    if (roll < 60) return this.released(choose)
    if (roll < 64) return this.cancelAsked(choose)
    if (roll < 67) return this.retried(choose)
    if (roll < 72) return this.stopped(choose)
    if (roll < 76) return this.takeBacksAnswered(choose)
    if (roll < 82) return this.replicas(choose)
    if (roll < 87) return this.stale(choose)
    if (roll < 89) return this.workerJoined(choose)
    if (roll < 92) return this.workerLeft(choose)
    if (roll < 93) return choose(4) === 0 ? this.clientLeft(choose) : this.clientJoined()
    if (roll < 95) return this.asked(choose)
    if (roll < 96) return this.ticked(choose)
    if (roll < 97) return this.memoryMeasured(choose)
    if (roll < 98) return this.wantedByName(choose)
    if (roll < 99) return choose(2) === 0 ? this.announced(choose) : this.arrived(choose)
    return choose(6) === 0 ? this.codesForgotten(choose) : this.finished(choose)
  }

  /** All that is left to happen when nothing goes wrong, until it has. Returns the commands. */
  finish(observe: (step: Step, events: ReadonlyArray<Event>) => void): void {
    const tell = (event: Event): void => observe(this.apply([event]), [event])
    Vector.forEach(this.state.clients, ({ id }) =>
      tell({ _tag: "TasksSubmitted", at: this.at, client: id, tasks: [], last: true }))
    if (Vector.min(this.state.workers) === undefined || this.state.thread.slots * this.state.fiber.slots === 0) {
      tell(this.joining(4, 4, []))
    }
    for (let round = 0; round < 10_000; round++) {
      this.at += 1
      const cancelled = this.cancelled.splice(0)
      const takeBacks = this.takeBacks.splice(0)
      for (const { id, run, worker } of cancelled) {
        tell({ _tag: "TasksStopped", at: this.at, worker, rows: [{ id, run }] })
      }
      for (const { id, run, worker } of takeBacks) {
        tell({ _tag: "TakeBacksAnswered", at: this.at, worker, rows: [{ id, run, returned: round % 2 === 0 }] })
      }
      if (this.state.wakeAt !== undefined && this.state.wakeAt <= this.at) tell({ _tag: "Ticked", at: this.at })
      const running = this.running()
      const arriving = [...Vector.entries(this.state.arriving)]
      for (const [id, { client, run, workers: [worker] }] of arriving) {
        tell(
          run === undefined || worker === undefined
            ? { _tag: "KeysReleased", at: this.at, client, ids: [id as TaskId] }
            : { _tag: "ReplicasAdded", at: this.at, worker, rows: [{ id: id as TaskId, run, nbytes: 8 }] }
        )
      }
      if (cancelled.length + takeBacks.length + running.length + arriving.length === 0) {
        if (this.state.delays.size + IntSet.size(this.state.noWorker) === 0) return
        this.at = Math.max(this.at, this.state.wakeAt ?? 0)
      }
      for (const { id, run, worker } of running) {
        tell({ _tag: "TasksFinished", at: this.at, worker, rows: [{ id, run, nbytes: 8, ms: 1 }] })
      }
    }
    throw new Error("the work does not come to an end")
  }

  /** Everybody leaves. */
  leave(observe: (step: Step, events: ReadonlyArray<Event>) => void): void {
    const tell = (event: Event): void => observe(this.apply([event]), [event])
    Vector.forEach(this.state.clients, ({ id }) => tell({ _tag: "ClientLeft", at: this.at, client: id }))
    for (const { id, run, worker } of this.cancelled.splice(0)) {
      tell({ _tag: "TasksStopped", at: this.at, worker, rows: [{ id, run }] })
    }
    Vector.forEach(this.state.workers, ({ id }) =>
      tell({ _tag: "WorkerLeft", at: this.at, worker: id, leaving: { _tag: "Closed" } }))
    tell({ _tag: "MemoryMeasured", at: this.at, loadRatio: 0 })
    tell({ _tag: "Ticked", at: this.at + 10_000 })
    tell({ _tag: "CodesForgotten", at: this.at, codes: [0, 1, 2, 3, 4, 5] as Array<CodeId> })
  }

  private clientJoined(): Event {
    const client = this.nextClient++ as ClientId
    return { _tag: "ClientJoined", at: this.at, client, name: `c${client}` }
  }

  private clientLeft(choose: Choose): Event {
    return { _tag: "ClientLeft", at: this.at, client: this.client(choose) }
  }

  private workerJoined(choose: Choose): Event {
    const holds = choose(3) > 0 ? [] : this.someTasks(choose, 4).map((task) => ({
      id: choose(8) === 0 ? (choose(40) as TaskId) : task.id,
      run: this.runFor(task, choose),
      nbytes: choose(100)
    }))
    const resources = choose(2) === 0 ? undefined : [{ A: 1 }, { A: 2 }, { A: 2, B: 1 }, { B: 3, C: 0 }][choose(4)]
    return this.joining(choose(5) === 0 ? 0 : 1 + choose(2), choose(6) === 0 ? 0 : 1 + choose(3), holds, resources)
  }

  private joining(
    nthreads: number,
    nfibers: number,
    holds: Extract<Event, { _tag: "WorkerJoined" }>["holds"],
    resources?: Readonly<Record<string, number>>
  ): Event {
    const worker = this.nextWorker++ as WorkerId
    const offered = resources === undefined ? {} : { resources, address: `tcp://a${worker}`, host: `h${worker % 3}` }
    return { _tag: "WorkerJoined", at: this.at, worker, name: `w${worker}`, nthreads, nfibers, holds, ...offered }
  }

  private workerLeft(choose: Choose): Event {
    const worker = this.worker(choose)
    return { _tag: "WorkerLeft", at: this.at, worker, leaving: this.leaving(worker, choose) }
  }

  private leaving(worker: WorkerId, choose: Choose): Leaving {
    const way = choose(5)
    if (way === 0) return { _tag: "Closed" }
    if (way === 1) return { _tag: "Silent", silentMs: 5_000 }
    const running = this.running().filter((told) => told.worker === worker)
    const started = running.filter(() => choose(3) === 0).map(({ run }) => run)
    return {
      _tag: "Died",
      startedAt: 0,
      report: {
        process: ProcessId.make("p"),
        ended: way === 2 ? "closed" : way === 3 ? "exit" : "memory-limit",
        detail: "1",
        peakMemoryBytes: choose(2) === 0 ? null : 7,
        logTail: [],
        started: choose(2) === 0 ? [] : started
      }
    }
  }

  private submitted(choose: Choose): Event {
    const client = this.client(choose)
    const wants = this.wantsOf(client)
    const tasks: Array<NewTask> = []
    const count = 1 + choose(6)
    for (let i = 0; i < count; i++) {
      const known = choose(8) === 0 ? this.someTasks(choose, 1)[0] : undefined
      if (known !== undefined) {
        // The same again, by the same or another client; now and then something else under the same name.
        const code = choose(5) === 0 ? ((known.code + 1) % 6) as CodeId : known.code
        const { args, dependencies, id, isolation } = known
        tasks.push({ id, code, args, dependencies, priority: 0, retries: choose(2), isolation })
        continue
      }
      const candidates = [...tasks.map(({ id }) => id), ...wants]
      const dependencies: Array<TaskId> = []
      while (candidates.length > 0 && dependencies.length < 4 && choose(3) > 0) {
        const near = choose(2) === 0 ? Math.min(candidates.length, 4) : candidates.length
        const dependency = candidates[choose(near)]
        if (dependency !== undefined) dependencies.push(dependency)
      }
      if (choose(150) === 0) dependencies.push(4_000 as TaskId)
      tasks.push({
        id: this.giveId(),
        code: choose(6) as CodeId,
        args: this.args[choose(2)] ?? new Uint8Array(),
        dependencies,
        priority: [0, 0, 0, 1, -1][choose(5)] ?? 0,
        retries: choose(3) === 0 ? 1 + choose(2) : 0,
        isolation: choose(3) === 0 ? "fiber" : "thread",
        ...(choose(4) === 0 ? { terms: this.terms(choose) } : {}),
        ...(choose(4) === 0 ? { rules: { timeoutMs: 50, delayMs: [0, 20, 400][choose(3)]!, factor: 1 + choose(3), maxDelayMs: 1_000 } } : {})
      })
    }
    return { _tag: "TasksSubmitted", at: this.at, client, tasks, last: choose(5) > 0 }
  }

  /** Few that differ, so that many tasks share them; and now and then what nobody offers. */
  private terms(choose: Choose): Terms {
    const workers = [[], [], [`w${choose(this.nextWorker + 1)}`], ["h0"], ["h1", `w${choose(this.nextWorker + 1)}`]][choose(5)] ?? []
    const resources = [{}, { A: 1 }, { A: 2 }, { A: 0.5 }, { A: 1, B: 1 }, { B: 2 }][choose(6)] ?? {}
    return { resources, workers, allowOtherWorkers: choose(3) === 0, span: "", annotations: new Uint8Array() }
  }

  /** Data that a client sends itself: new, or known; now and then only for a worker that may not be there. */
  private announced(choose: Choose): Event {
    const client = this.client(choose)
    const known = IntSet.toArray(this.state.data)
    const tasks = Array.from({ length: 1 + choose(3) }, (): NewTask => {
      const again = choose(3) === 0 ? pick(known, choose) ?? this.someTasks(choose, 1)[0]?.id : undefined
      const id = again ?? this.giveId()
      return { id, code: 5 as CodeId, args: this.args[0]!, dependencies: [], priority: 0, retries: 0, isolation: "fiber" }
    }).filter(({ id }, at, all) => all.findIndex((other) => other.id === id) === at)
    const ask = this.nextAsk++ as AskId
    this.questions.push({ client, ask })
    const workers = choose(4) === 0 ? [`w${choose(6)}`] : []
    return { _tag: "DataAnnounced", at: this.at, client, ask, tasks, sizes: tasks.map(() => choose(50)), workers, broadcast: choose(3) === 0 }
  }

  /** Some of it has come, where it was sent or elsewhere. */
  private arrived(choose: Choose): Event {
    const one = pick([...Vector.entries(this.state.arriving)], choose)
    if (one === undefined) return this.replicas(choose)
    const [id, { run = choose(20) as RunId, workers }] = one
    const worker = pick(workers, choose) ?? this.worker(choose)
    return { _tag: "ReplicasAdded", at: this.at, worker, rows: [{ id: id as TaskId, run: choose(8) === 0 ? (choose(20) as RunId) : run, nbytes: choose(50) }] }
  }

  private released(choose: Choose): Event {
    const client = this.client(choose)
    const wants = this.wantsOf(client)
    const ids = wants.filter(() => choose(4) === 0)
    return { _tag: "KeysReleased", at: this.at, client, ids: ids.length > 0 ? ids : wants.slice(0, 1) }
  }

  /** A key that somebody else has submitted, or nobody; or one that is to be done whoever holds it. */
  private wantedByName(choose: Choose): Event {
    const client = this.client(choose)
    const some = this.someTasks(choose, 3).map(({ id }) => id)
    if (choose(2) === 0) return { _tag: "KeysDetached", at: this.at, client, ids: [...this.wantsOf(client).slice(0, 2), ...some] }
    return { _tag: "KeysWanted", at: this.at, client, ids: choose(4) === 0 ? [...some, 4_001 as TaskId] : some }
  }

  private cancelAsked(choose: Choose): Event {
    const client = this.client(choose)
    const wants = this.wantsOf(client)
    const pending = wants.filter((id) => this.isPending(id))
    const ids = Array.from({ length: 1 + choose(3) }, () => pick(choose(4) > 0 ? pending : wants, choose) ?? (99 as TaskId))
    const ask = this.nextAsk++ as AskId
    this.questions.push({ client, ask })
    return { _tag: "CancelAsked", at: this.at, client, ask, ids, note: null, force: choose(3) === 0 }
  }

  private retried(choose: Choose): Event {
    const client = this.client(choose)
    const wants = this.wantsOf(client)
    const failed = wants.filter((id) => Vector.get(this.state.tasks, id)?.status._tag === "Erred")
    const some = failed.length > 0 ? failed : wants
    return { _tag: "RetryAsked", at: this.at, client, ids: some.filter(() => choose(2) === 0) }
  }

  private asked(choose: Choose): Event {
    const open = pick(this.questions, choose)
    if (choose(2) === 0 && open !== undefined) return { _tag: "AskAbandoned", at: this.at, ...open }
    const client = this.client(choose)
    const ask = this.nextAsk++ as AskId
    this.questions.push({ client, ask })
    return { _tag: "WorkersAwaited", at: this.at, client, ask, count: choose(7) }
  }

  private finished(choose: Choose): Event {
    const [worker, runs] = this.runsOfOne(choose)
    const rows = runs.map(({ id, run }) => ({ id, run, nbytes: choose(100), ms: choose(2) === 0 ? 0.01 : choose(1_000) }))
    return { _tag: "TasksFinished", at: this.at, worker, rows }
  }

  private failed(choose: Choose): Event {
    const [worker, runs] = this.runsOfOne(choose)
    const rows = runs.map(({ id, run }) => ({ id, run, ms: 1, failure: new Uint8Array([9]), retryable: choose(4) > 0 }))
    return { _tag: "TasksFailed", at: this.at, worker, rows }
  }

  private killed(choose: Choose): Event {
    const [worker, runs] = this.runsOfOne(choose)
    return { _tag: "TasksKilled", at: this.at, worker, rows: runs.map(({ id, run }) => ({ id, run, attempt })) }
  }

  private timedOut(choose: Choose): Event {
    const [worker, runs] = this.runsOfOne(choose)
    return { _tag: "TasksTimedOut", at: this.at, worker, rows: runs.map(({ id, run }) => ({ id, run, ms: 50 })) }
  }

  private seceded(choose: Choose): Event {
    const [worker, rows] = this.runsOfOne(choose)
    return { _tag: "TasksSeceded", at: this.at, worker, rows }
  }

  private rescheduled(choose: Choose): Event {
    const [worker, rows] = this.runsOfOne(choose)
    return { _tag: "TasksRescheduled", at: this.at, worker, rows }
  }

  private stopped(choose: Choose): Event {
    const one = this.cancelled.splice(choose(Math.max(1, this.cancelled.length)), 1)[0]
    if (one === undefined) return this.finished(choose)
    return { _tag: "TasksStopped", at: this.at, worker: one.worker, rows: [{ id: one.id, run: one.run }] }
  }

  private takeBacksAnswered(choose: Choose): Event {
    const one = this.takeBacks.splice(choose(Math.max(1, this.takeBacks.length)), 1)[0]
    if (one === undefined) return this.finished(choose)
    const rows = [{ id: one.id, run: one.run, returned: choose(3) > 0 }]
    return { _tag: "TakeBacksAnswered", at: this.at, worker: one.worker, rows }
  }

  private replicas(choose: Choose): Event {
    const stored = this.tasks().filter((task) => task.status._tag === "Memory")
    const task = pick(stored, choose)
    if (task?.status._tag !== "Memory") return this.finished(choose)
    const { id, status } = task
    const worker = this.worker(choose)
    const holder = pick(IntSet.toArray(status.whoHas), choose) ?? worker
    const row = { id, run: status.run, nbytes: status.nbytes }
    switch (choose(5)) {
      case 0:
        return { _tag: "ReplicasGone", at: this.at, worker: holder, rows: [row] }
      case 1:
        return { _tag: "ReplicasMissing", at: this.at, worker, rows: [{ ...row, peer: holder }] }
      case 2:
        return { _tag: "HoldersAsked", at: this.at, worker, rows: [row] }
      default:
        return { _tag: "ReplicasAdded", at: this.at, worker, rows: [row] }
    }
  }

  /** Reports that come too late, from strangers, or about nothing. */
  private stale(choose: Choose): Event {
    const old = pick(this.told, choose) ?? { worker: 0 as WorkerId, id: 0 as TaskId, run: 0 as RunId }
    const junk = [-1, 1.5, NaN, 2 ** 31, 2 ** 53, 77]
    const id = (choose(3) === 0 ? junk[choose(junk.length)] : old.id) as TaskId
    const run = (choose(6) === 0 ? junk[choose(junk.length)] : old.run) as RunId
    const worker = (choose(8) === 0 ? junk[choose(junk.length)] : choose(2) === 0 ? old.worker : this.worker(choose)) as WorkerId
    const at = this.at
    const client = (choose(4) === 0 ? junk[choose(junk.length)] : this.client(choose)) as ClientId
    switch (choose(16)) {
      case 0:
        return { _tag: "TasksFailed", at, worker, rows: [{ id, run, ms: NaN, failure: new Uint8Array(), retryable: true }] }
      case 1:
        return { _tag: "TasksStopped", at, worker, rows: [{ id, run }] }
      case 2:
        return { _tag: "TakeBacksAnswered", at, worker, rows: [{ id, run, returned: choose(2) === 0 }] }
      case 3:
        return { _tag: "ReplicasAdded", at, worker, rows: [{ id, run, nbytes: -1 }] }
      case 4:
        return { _tag: "ReplicasGone", at, worker, rows: [{ id, run }] }
      case 5:
        return { _tag: "HoldersAsked", at, worker, rows: [{ id, run }] }
      case 6:
        return { _tag: "ReplicasMissing", at, worker, rows: [{ id, run, peer: worker }] }
      case 7:
        return { _tag: "TasksKilled", at, worker, rows: [{ id, run, attempt }] }
      case 8:
        return { _tag: "KeysReleased", at, client, ids: [id] }
      case 9:
        return { _tag: "CancelAsked", at, client, ask: this.nextAsk++ as AskId, ids: [id], note: "late", force: true }
      case 10:
        return { _tag: "RetryAsked", at, client, ids: [id] }
      case 11:
        return { _tag: "TasksRescheduled", at, worker, rows: [{ id, run }] }
      case 12:
        return { _tag: "WorkerLeft", at, worker: 2 ** 31 as WorkerId, leaving: { _tag: "Closed" } }
      case 13:
        return { _tag: "WorkerJoined", at, worker: choose(2) === 0 ? worker : -1 as WorkerId, name: "again", nthreads: NaN, nfibers: 1.5, holds: [] }
      case 14:
        return { _tag: "ClientJoined", at, client, name: "again" }
      default:
        return { _tag: "TasksFinished", at, worker, rows: [{ id, run, nbytes: NaN, ms: -1 }] }
    }
  }

  private ticked(choose: Choose): Event {
    if (choose(2) === 0) this.at += 2_500
    return { _tag: "Ticked", at: this.at }
  }

  /** Room mostly, for little happens to a scheduler that is full. */
  private memoryMeasured(choose: Choose): Event {
    return { _tag: "MemoryMeasured", at: this.at, loadRatio: [0.5, 0.6, 0.7, 0.8, 0.9][choose(5)]! }
  }

  private codesForgotten(choose: Choose): Event {
    return { _tag: "CodesForgotten", at: this.at, codes: [choose(6) as CodeId, 99 as CodeId] }
  }

  private giveId(): TaskId {
    const id = this.free.pop() ?? this.nextId++
    this.given.add(id)
    return id as TaskId
  }

  private client(choose: Choose): ClientId {
    // The one that is nobody's says nothing.
    return pick(toArray(this.state.clients).filter(({ id }) => id < this.nextClient), choose)?.id ?? (0 as ClientId)
  }

  private worker(choose: Choose): WorkerId {
    return pick(toArray(this.state.workers), choose)?.id ?? (0 as WorkerId)
  }

  private wantsOf(client: ClientId): Array<TaskId> {
    const found = Vector.get(this.state.clients, client)
    return found === undefined ? [] : IntSet.toArray(found.wantsWhat).reverse()
  }

  private tasks(): Array<Task> {
    return toArray(this.state.tasks)
  }

  private someTasks(choose: Choose, count: number): Array<Task> {
    const all = this.tasks()
    return all.length === 0 ? [] : Array.from({ length: count }, () => pick(all, choose)).filter((task) => task !== undefined)
  }

  private isPending(id: TaskId): boolean {
    const status = Vector.get(this.state.tasks, id)?.status._tag
    return status !== undefined && status !== "Memory" && status !== "Erred"
  }

  private running(): ReadonlyArray<Told> {
    const running: Array<Told> = []
    Vector.forEach(this.state.tasks, ({ id, status }) => {
      if (status._tag === "Processing") running.push({ id, run: status.run, worker: status.worker })
    })
    return running
  }

  /** One worker, and one to three of the runs it was given first. */
  private runsOfOne(choose: Choose): [WorkerId, Array<{ readonly id: TaskId; readonly run: RunId }>] {
    const running = this.running()
    const worker = pick(running, choose)?.worker ?? this.worker(choose)
    const own = running.filter((told) => told.worker === worker).slice(0, 1 + choose(3))
    return [worker, own.map(({ id, run }) => ({ id, run }))]
  }

  private runFor({ status }: Task, choose: Choose): RunId {
    const own: Processing["run"] | undefined = "run" in status ? status.run : undefined
    return choose(3) > 0 && own !== undefined ? own : (choose(6) === 0 ? this.state.nextRun + choose(3) : choose(20)) as RunId
  }
}

const attempt: Attempt = {
  worker: "w",
  startedAtMs: 0,
  endedAtMs: 1,
  ended: "exit",
  detail: "a thread ended",
  peakMemoryBytes: Option.none(),
  logTail: []
}

/** Quicker than the iterator, which walks would spend a third of their time in. */
const toArray = <A>(vector: Vector.Vector<A>): Array<A> => {
  const values: Array<A> = []
  Vector.forEach(vector, (value) => values.push(value))
  return values
}

const pick = <A>(from: ReadonlyArray<A>, choose: Choose): A | undefined =>
  from.length === 0 ? undefined : from[choose(from.length)]

/** Whether anything in a state differs from another's, apart from the objects that hold it. */
export const differs = (a: State, b: State): boolean =>
  (Object.keys(a) as Array<keyof State>).some((field) =>
    field === "fiber" || field === "thread" || field === "counts"
      ? Object.entries(a[field]).some(([name, value]) => value !== (b[field] as unknown as Record<string, unknown>)[name])
      : a[field] !== b[field]
  )

/** The numbers of one walk. */
export const choices = (seed: number, length: number): ReadonlyArray<number> => {
  const choose = chooser(seed)
  return Array.from({ length }, () => choose(2 ** 31))
}

/**
 * Tries `attempt` with the walk of each seed. The first that throws is shortened
 * as far as it goes on throwing, and thrown again with what repeats it.
 */
export const forAllWalks = (
  seeds: number,
  length: number,
  attempt: (choices: ReadonlyArray<number>) => void
): void => {
  for (let n = firstSeed; n < firstSeed + seeds; n++) {
    const walk = choices(n, length)
    const failure = failureOf(attempt, walk)
    if (failure === undefined) continue
    const short = shorten(walk, (part) => failureOf(attempt, part) !== undefined)
    throw new Error(
      `walk ${n} of ${length} choices (WALK_SEED=${n}), shortened to [${short.join(", ")}]: ${
        String(failureOf(attempt, short) ?? failure)
      }`
    )
  }
}

const failureOf = (attempt: (choices: ReadonlyArray<number>) => void, walk: ReadonlyArray<number>): unknown => {
  try {
    attempt(walk)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.stack ?? error : error
  }
}

/** Leaves out halves, quarters, and so on to single choices, while the rest still fails. */
const shorten = (walk: ReadonlyArray<number>, fails: (walk: ReadonlyArray<number>) => boolean): ReadonlyArray<number> => {
  let short = walk
  for (let size = short.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < short.length;) {
      const part = short.toSpliced(at, size)
      if (fails(part)) short = part
      else at += size
    }
  }
  return short
}
