/**
 * Events in few words, for stories and single tests. Times are milliseconds
 * from 0; the run of a task is given with its id, as `[id, run]`.
 */
import * as Option from "effect/Option"
import type { Command } from "@skein/core/worker/Command"
import type { Event } from "@skein/core/worker/Event"
import { broken } from "@skein/core/worker/Invariants"
import { reduce } from "@skein/core/worker/Reducer"
import { type Config, defaultConfig, empty, type State } from "@skein/core/worker/State"
import * as Story from "@skein/core/worker/Story"
import * as View from "@skein/core/worker/View"
import { CodeId, Key, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import type { Assignment, Dependency, Held, Run } from "@skein/protocol/WorkerRpcs"
import { deepFreeze } from "../utils/deepFreeze.ts"

export type Named = readonly [id: number, run: number]

export const worker = (id: number): WorkerId => WorkerId.make(id)
export const task = ([id, run]: Named): Run => ({ id: TaskId.make(id), run: RunId.make(run) })
export const held = (named: Named, nbytes = 8): Held => ({ ...task(named), nbytes })

/** An input, and the workers that hold it. */
export const input = (named: Named, whoHas: ReadonlyArray<number>, nbytes = 8): Dependency => ({
  ...held(named, nbytes),
  whoHas: whoHas.map(worker)
})

export const assignment = (named: Named, more: Partial<Assignment> = {}): Assignment => ({
  ...task(named),
  key: Key.make(`t${named[0]}`),
  code: CodeId.make(1),
  args: new Uint8Array(0),
  isolation: "fiber",
  priority: 0,
  rank: named[1],
  attempt: 1,
  alone: false,
  dependencies: [],
  ...more
})

export interface Slots {
  readonly nthreads?: number
  readonly nfibers?: number
  readonly holds?: ReadonlyArray<Held>
}

/** As worker 1, with one slot of each kind unless told otherwise. */
export const started = (slots: Slots = {}): Event => ({
  _tag: "Started",
  at: 0,
  worker: worker(1),
  nthreads: slots.nthreads ?? 1,
  nfibers: slots.nfibers ?? 1,
  holds: slots.holds ?? []
})
export const compute = (...rows: ReadonlyArray<Assignment>): Event => ({ _tag: "ComputeAsked", at: 0, rows })
export const free = (...rows: ReadonlyArray<Named>): Event => ({ _tag: "FreeAsked", at: 0, rows: rows.map(task) })
export const cancel = (...rows: ReadonlyArray<Named>): Event => ({ _tag: "CancelAsked", at: 0, rows: rows.map(task) })
export const takeBack = (...rows: ReadonlyArray<Named>): Event => ({ _tag: "TakeBackAsked", at: 0, rows: rows.map(task) })
export const holders = (named: Named, ...whoHas: ReadonlyArray<number>): Event => ({
  _tag: "HoldersTold",
  at: 0,
  rows: [{ ...task(named), whoHas: whoHas.map(worker) }]
})
export const begun = (named: Named): Event => ({ _tag: "ExecuteBegun", at: 0, ...task(named) })
export const succeeded = (named: Named, nbytes = 8, ms = 5): Event => ({
  _tag: "ExecuteSucceeded",
  at: 0,
  ...task(named),
  nbytes,
  ms,
  inline: false
})
export const failed = (named: Named): Event => ({
  _tag: "ExecuteFailed",
  at: 0,
  ...task(named),
  ms: 5,
  failure: new Uint8Array(0),
  retryable: true
})
export const exited = (named: Named): Event => ({
  _tag: "ExecuteExited",
  at: 0,
  ...task(named),
  attempt: {
    worker: "w1",
    startedAtMs: 0,
    endedAtMs: 5,
    ended: "exit",
    detail: "exit code 1",
    peakMemoryBytes: Option.none(),
    logTail: []
  }
})
export const stopped = (named: Named): Event => ({ _tag: "ExecuteStopped", at: 0, ...task(named) })
export const retracted = (named: Named, retracted = true): Event => ({ _tag: "ExecuteRetracted", at: 0, ...task(named), retracted })
export const seceded = (named: Named, waits = true): Event => ({ _tag: "ExecuteSeceded", at: 0, ...task(named), waits })
export const rejoined = (named: Named): Event => ({ _tag: "ExecuteRejoined", at: 0, ...task(named) })
export const rescheduled = (named: Named): Event => ({ _tag: "ExecuteRescheduled", at: 0, ...task(named) })
export const gathered = (
  peer: number,
  got: ReadonlyArray<Held>,
  ...missing: ReadonlyArray<Named>
): Event => ({ _tag: "GatherSucceeded", at: 0, peer: worker(peer), got, missing: missing.map(task) })
export const received = (...rows: ReadonlyArray<Held>): Event => ({ _tag: "DataReceived", at: 0, rows })
export const busy = (peer: number): Event => ({ _tag: "GatherBusy", at: 0, peer: worker(peer) })
export const unreachable = (peer: number): Event => ({ _tag: "GatherFailed", at: 0, peer: worker(peer) })
export const ticked = (at: number): Event => ({ _tag: "Ticked", at })

/** A worker to which things happen one after the other. Every state is frozen and keeps the invariants. */
export class Script {
  #state: State
  #at = 0
  readonly #lines: Array<string> = []

  constructor(config: Partial<Config> = {}) {
    this.#state = deepFreeze(empty({ ...defaultConfig, threadQueue: 0, ...config }))
  }

  get state(): State {
    return this.#state
  }

  /** What the worker wants done about this, in the words of stories. Time stands still, but for `Ticked`. */
  tell(event: Event): ReadonlyArray<string> {
    return this.commands(event).map(Story.command)
  }

  /** The same, as it is. */
  commands(event: Event): ReadonlyArray<Command> {
    this.#at = Math.max(this.#at, event.at)
    const step = reduce(this.#state, [deepFreeze({ ...event, at: this.#at })])
    this.#state = deepFreeze(step.state)
    const wrong = broken(this.#state)
    if (wrong.length > 0) throw new Error(`After "${Story.event(event)}" it is not true that: ${wrong.join("; ")}`)
    this.#lines.push(Story.event(event), ...step.commands.map((command) => `    → ${Story.command(command)}`))
    return step.commands
  }

  /** The status of a task, in one word. */
  status(id: number): string {
    return View.task(this.#state, TaskId.make(id))?.status ?? "forgotten"
  }

  /** All that happened, and what is left in the end. */
  story(): string {
    const left = View.tasks(this.#state).map(({ id, run, status }) => `t${id}/${run} ${status}`)
    return [...this.#lines, left.length === 0 ? "nothing is left" : `left: ${left.join(", ")}`, ""].join("\n")
  }
}
