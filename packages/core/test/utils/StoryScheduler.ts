/**
 * Tells stories of the scheduler's machine: events by the names of tasks, workers
 * and clients, each line followed by the commands that it led to.
 */
import { assert } from "@effect/vitest"
import type { Event, Leaving } from "@skein/core/scheduler/Event"
import { broken } from "@skein/core/scheduler/Invariants"
import { reduce } from "@skein/core/scheduler/Reducer"
import { type Config, empty, type State } from "@skein/core/scheduler/State"
import * as Story from "@skein/core/scheduler/Story"
import * as Vector from "@skein/core/persistent/Vector"
import type { AttemptRules } from "@skein/protocol/Graph"
import type { Terms } from "@skein/protocol/Terms"
import { type AskId, type ClientId, type CodeId, type Isolation, ProcessId, type RunId, type TaskId, type WorkerId } from "@skein/protocol/Ids"
import * as Option from "effect/Option"
import { deepFreeze } from "./deepFreeze.ts"

/** A task to submit: its name, and what it needs. */
export interface Wanted {
  readonly name: string
  readonly needs?: ReadonlyArray<string>
  readonly code?: number
  readonly args?: number
  readonly priority?: number
  readonly retries?: number
  readonly isolation?: Isolation
  readonly rules?: AttemptRules
  readonly resources?: Terms["resources"]
  /** Of the workers where it is to run. */
  readonly on?: ReadonlyArray<string>
  /** Others will do if none of these is there. */
  readonly loosely?: boolean
}

export class Teller {
  state: State
  at = 0
  private readonly lines: Array<string>
  private readonly tasks: Array<string> = []
  private readonly workers: Array<string> = []
  private readonly clients: Array<string> = []
  private asks = 0

  constructor(title: string, config: Partial<Config> = {}) {
    this.state = empty(config)
    this.lines = [`# ${title}`]
  }

  /** The whole story. */
  get text(): string {
    return `${this.lines.join("\n")}\n`
  }

  readonly names: Story.Names = {
    task: (id) => this.tasks[id] ?? `task ${id}`,
    worker: (id) => this.workers[id] ?? `worker ${id}`,
    client: (id) => this.clients[id] ?? `client ${id}`
  }

  tell(event: Event): this {
    const step = reduce(this.state, [event])
    this.state = deepFreeze(step.state)
    this.lines.push(Story.event(event, this.names))
    for (const command of step.commands) this.lines.push(`    → ${Story.command(command, this.names)}`)
    assert.deepStrictEqual(broken(this.state), [])
    return this
  }

  /** A remark. */
  note(text: string): this {
    this.lines.push(`# ${text}`)
    return this
  }

  /** What the log knows of a task. */
  history(name: string): this {
    this.lines.push(`# the history of ${name}`)
    for (const { line } of Story.history(this.state, this.task(name), this.names)) this.lines.push(`    ${line}`)
    return this
  }

  /** Lets time go by. */
  pass(ms: number): this {
    this.at += ms
    return this
  }

  joins(client: string): this {
    return this.tell({ _tag: "ClientJoined", at: this.at, client: this.client(client), name: client })
  }

  /** `silentMs`: it was not heard of for so long, and so is taken to be gone. */
  leaves(client: string, silentMs?: number): this {
    return this.tell({ _tag: "ClientLeft", at: this.at, client: this.client(client), ...(silentMs === undefined ? {} : { silentMs }) })
  }

  worker(
    name: string,
    nthreads = 1,
    holds: ReadonlyArray<{ readonly name: string; readonly run: number }> = [],
    offers: { readonly resources?: Terms["resources"]; readonly address?: string; readonly host?: string } = {}
  ): this {
    this.workers.push(name)
    return this.tell({
      _tag: "WorkerJoined",
      at: this.at,
      worker: (this.workers.length - 1) as WorkerId,
      name,
      nthreads,
      nfibers: 1,
      ...offers,
      holds: holds.map(({ name, run }) => ({ id: this.task(name), run: run as RunId, nbytes: 8 }))
    })
  }

  /** By default nobody has heard of it for five seconds. */
  lost(worker: string, leaving?: Leaving): this {
    if (leaving === undefined) return this.pass(5_000).lost(worker, { _tag: "Silent", silentMs: 5_000 })
    return this.tell({ _tag: "WorkerLeft", at: this.at, worker: this.idOf(worker), leaving })
  }

  /** Its process ended while these suspects were executing, and what the nanny had noted beside them: tasks, or runs of some that are no more. */
  dies(worker: string, ...executing: ReadonlyArray<string | RunId>): this {
    const started = executing.map((one) => typeof one === "string" ? this.run(one) : one)
    return this.lost(worker, {
      _tag: "Died",
      startedAt: 0,
      report: { process: ProcessId.make("p"), ended: "exit", detail: "1", peakMemoryBytes: null, logTail: [], started }
    })
  }

  wants(client: string, tasks: ReadonlyArray<Wanted>, last = true): this {
    return this.tell({
      _tag: "TasksSubmitted",
      at: this.at,
      client: this.client(client),
      last,
      tasks: tasks.map(({ args = 0, code = 0, isolation = "thread", loosely = false, name, needs = [], on = [], priority = 0, resources = {}, retries = 0, rules }) => ({
        id: this.task(name),
        code: code as CodeId,
        args: new Uint8Array([args]),
        dependencies: needs.map((need) => this.task(need)),
        priority,
        retries,
        isolation,
        ...(rules === undefined ? {} : { rules }),
        ...(on.length + Object.keys(resources).length === 0
          ? {}
          : { terms: { resources, workers: on, allowOtherWorkers: loosely, span: "", annotations: new Uint8Array() } })
      }))
    })
  }

  releases(client: string, ...tasks: ReadonlyArray<string>): this {
    return this.tell({ _tag: "KeysReleased", at: this.at, client: this.client(client), ids: tasks.map((name) => this.task(name)) })
  }

  cancels(client: string, tasks: ReadonlyArray<string>, force = false, note: string | null = null): this {
    const ids = tasks.map((name) => this.task(name))
    const ask = this.asks++ as AskId
    return this.tell({ _tag: "CancelAsked", at: this.at, client: this.client(client), ask, ids, note, force })
  }

  retries(client: string, ...tasks: ReadonlyArray<string>): this {
    return this.tell({ _tag: "RetryAsked", at: this.at, client: this.client(client), ids: tasks.map((name) => this.task(name)) })
  }

  restarts(client: string, workers: number): this {
    return this.tell({ _tag: "RestartAsked", at: this.at, client: this.client(client), ask: this.asks++ as AskId, workers })
  }

  /** Data of this many bytes each, which the client will send itself. */
  announces(client: string, data: Readonly<Record<string, number>>, { broadcast = false, workers = [] as ReadonlyArray<string> } = {}): this {
    const tasks = Object.keys(data).map((name) => ({
      id: this.task(name),
      code: 9 as CodeId,
      args: new Uint8Array([1]),
      dependencies: [],
      priority: 0,
      retries: 0,
      isolation: "fiber" as const
    }))
    return this.tell({
      _tag: "DataAnnounced", at: this.at, client: this.client(client), ask: this.asks++ as AskId, tasks, sizes: Object.values(data), workers, broadcast
    })
  }

  /** The worker has data that was sent to it. */
  receives(worker: string, name: string, run: number, nbytes = 8): this {
    return this.reports("ReplicasAdded", worker, [{ id: this.task(name), run, nbytes }])
  }

  awaits(client: string, count: number): this {
    return this.tell({ _tag: "WorkersAwaited", at: this.at, client: this.client(client), ask: this.asks++ as AskId, count })
  }

  finished(worker: string, ...tasks: ReadonlyArray<string>): this {
    return this.reports("TasksFinished", worker, tasks.map((name) => ({ ...this.runOf(name), nbytes: 8, ms: 100 })))
  }

  /** Finished in no time. */
  quick(worker: string, ...tasks: ReadonlyArray<string>): this {
    return this.reports("TasksFinished", worker, tasks.map((name) => ({ ...this.runOf(name), nbytes: 8, ms: 0 })))
  }

  failed(worker: string, task: string, retryable = true): this {
    return this.reports("TasksFailed", worker, [{ ...this.runOf(task), ms: 1, failure: new Uint8Array(), retryable }])
  }

  timedOut(worker: string, task: string, ms: number): this {
    return this.reports("TasksTimedOut", worker, [{ ...this.runOf(task), ms }])
  }

  killed(worker: string, task: string): this {
    const attempt = {
      worker,
      startedAtMs: 0,
      endedAtMs: this.at,
      ended: "exit" as const,
      detail: "thread ended",
      peakMemoryBytes: Option.none(),
      logTail: []
    }
    return this.reports("TasksKilled", worker, [{ ...this.runOf(task), attempt }])
  }

  answers(worker: string, task: string, returned: boolean): this {
    return this.reports("TakeBacksAnswered", worker, [{ ...this.runOf(task), returned }])
  }

  stopped(worker: string, task: string, run: number): this {
    return this.reports("TasksStopped", worker, [{ id: this.task(task), run: run as RunId }])
  }

  /** Any other report: its rows as they are. */
  reports<Tag extends Event["_tag"]>(tag: Tag, worker: string, rows: ReadonlyArray<unknown>): this {
    // The cast: reports differ in their rows alone, which the methods above build.
    return this.tell({ _tag: tag, at: this.at, worker: this.idOf(worker), rows } as unknown as Event)
  }

  ticks(): this {
    return this.tell({ _tag: "Ticked", at: this.at })
  }

  /** The present run of a task. */
  run(name: string): RunId {
    const status = Vector.get(this.state.tasks, this.task(name))?.status
    if (status?._tag === "Processing" || status?._tag === "Memory") return status.run
    throw new Error(`${name} has no run`)
  }

  runOf(name: string): { readonly id: TaskId; readonly run: RunId } {
    return { id: this.task(name), run: this.run(name) }
  }

  /** An earlier run of a task. */
  ran(name: string, run: number): { readonly id: TaskId; readonly run: RunId } {
    return { id: this.task(name), run: run as RunId }
  }

  task(name: string): TaskId {
    return place(this.tasks, name) as TaskId
  }

  idOf(worker: string): WorkerId {
    return this.workers.lastIndexOf(worker) as WorkerId
  }

  private client(name: string): ClientId {
    return place(this.clients, name) as ClientId
  }
}

const place = (names: Array<string>, name: string): number => {
  const at = names.indexOf(name)
  return at < 0 ? names.push(name) - 1 : at
}
