/**
 * A run: simulated processes in virtual time, under one seed.
 *
 * Everything is synchronous. Whatever can run waits in one queue, and the seed
 * chooses who is next; when nothing can, time jumps to the next timer, and what
 * is due then joins the queue. So equal seeds give equal runs, which a rolling
 * hash of all that happened shows; and a system that can make no progress is
 * found out at once, and says what waits.
 *
 * While a run is under way the real clock, chance, timers and I/O are wired:
 * whoever reaches for them fails with a name and a line (Tripwires.ts).
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Hashing } from "@skein/transport/Hashing"
import type { Case } from "./Case.ts"
import { Deadlock, EscapedSimulation, OutOfSteps, OutOfTime } from "./Errors.ts"
import { RunQueue } from "./RunQueue.ts"
import { processOf, SimProcess, type Surroundings } from "./SimProcess.ts"
import { hashOf, mix, Stream } from "./Stream.ts"
import { type Timer, Timers } from "./Timers.ts"
import * as Tripwires from "./node/Tripwires.ts"
import * as Waiting from "./node/Waiting.ts"
import { crc32 } from "./node/checksum.ts"

export interface WorldOptions {
  /** Equal seeds give equal runs. A safe integer from 0. */
  readonly seed: number
  /** @default any fiber next, none stopped before its time, 2048 operations before it makes room */
  readonly schedule?: Case["schedule"]
  /** @default 5,000,000 */
  readonly maxSteps?: number
  /** Virtual milliseconds after which the program counts as hung. @default none */
  readonly maxMs?: number
  /** Keeps a line for all that happened. @default false */
  readonly trace?: boolean
  /** Keeps a mark of each step, for `divergence`. @default false */
  readonly record?: boolean
  /** Whether the real clock, chance, timers and I/O are out of reach meanwhile. @default true */
  readonly tripwires?: boolean
  /** Whether the event loop has turns meanwhile, so that promises settle. @default false: whoever waits for one is told so */
  readonly promises?: boolean
  /** What the wall clocks say at the start, epoch ms. @default 2026-01-01T00:00Z */
  readonly epochMs?: number
  /** Whether errors get stacks, which differ between versions of Node and so in the hash. @default false */
  readonly stacks?: boolean
}

/** How a run ended otherwise than by its program. */
export type Stuck = Deadlock | OutOfTime | OutOfSteps

/** Whether a run ended by itself rather than by its program. */
export const isStuck = (error: unknown): error is Stuck | EscapedSimulation =>
  error instanceof Deadlock || error instanceof OutOfTime || error instanceof OutOfSteps || error instanceof EscapedSimulation

export interface Outcome<A, E> {
  readonly exit: Exit.Exit<A, E | Stuck | EscapedSimulation>
  /** Of all that happened, 16 hexadecimal digits. */
  readonly hash: string
  readonly steps: number
  /** Virtual milliseconds. */
  readonly virtualMs: number
  /** With `trace`: `   12.345 worker-1 what happened`. */
  readonly lines: ReadonlyArray<string>
  /** With `record`: a mark of each step. */
  readonly record: ReadonlyArray<string>
}

const defaultSchedule: Case["schedule"] = { strategy: "uniform", preemption: 0, opsBeforeYield: 2048 }
/** 2026-01-01T00:00Z */
const EPOCH = 1_767_225_600_000

let running: World | undefined

/** The world of the run that is under way. Throws outside of one. */
export const current = (): World => {
  if (running === undefined) throw new Error("no simulated run is under way; use World.run")
  return running
}

export class World implements Surroundings {
  readonly seed: number
  readonly epochMs: number
  readonly opsBeforeYield: number
  /** All there have been, in the order in which they began. */
  readonly processes: Array<SimProcess> = []
  steps = 0
  /** The process that may reach for the real clock, chance and timers all the same: a program that is run in the ordinary way. */
  free: SimProcess | undefined
  /** Called when there is more to do, for whoever drives the world in another way than `run`. */
  onWork: (() => void) | undefined
  #now = 0
  readonly #options: WorldOptions
  readonly #queue: RunQueue<SimProcess | undefined>
  readonly #timers = new Timers<SimProcess | undefined>()
  readonly #preemption: number
  readonly #preempting: Stream
  #untilPreemption: number
  readonly #lines: Array<string> = []
  readonly #record: Array<string> = []
  readonly #afterStep = new Set<() => void>()
  readonly #onEnded = new Set<(process: SimProcess) => void>()
  #hash: [number, number]
  #failure: { readonly error: unknown } | undefined
  #escaped: EscapedSimulation | undefined
  #over = false

  constructor(options: WorldOptions) {
    const { opsBeforeYield, preemption, strategy } = options.schedule ?? defaultSchedule
    this.#options = options
    this.seed = options.seed
    this.epochMs = options.epochMs ?? EPOCH
    this.opsBeforeYield = Math.max(2, opsBeforeYield)
    this.#preemption = Math.min(0.2, preemption)
    this.#preempting = this.stream("preemption")
    this.#untilPreemption = this.#untilNext()
    this.#queue = new RunQueue(strategy, this.stream("schedule"))
    this.#hash = [mix(1, options.seed), mix(2, options.seed)]
  }

  /** Virtual milliseconds since the start of the run, to the microsecond. */
  get now(): number {
    return this.#now
  }

  /** The process of the fiber that is running; of a thread, the process it is in. Throws outside of all fibers. */
  get running(): SimProcess {
    const fiber = Fiber.getCurrent()
    if (fiber === undefined) throw new Error("no fiber is running")
    return processOf(fiber).main
  }

  /** Draws by name, which no other name's draws shift. A new one each time, from its start. */
  stream(name: string): Stream {
    return Stream.named(this.seed, name)
  }

  /** Begins a process. Its pid is its number in the run. */
  begin(name: string): SimProcess {
    const process = new SimProcess(this, name, 1000 + this.processes.length)
    this.processes.push(process)
    this.note(name, `begins as process ${process.pid}`)
    return process
  }

  /** Remembers what happened, in the trace and the hash. */
  readonly note = (process: string, text: string): void => {
    this.#mix(hashOf(process))
    this.#mix(hashOf(text))
    if (this.#options.trace === true || this.#options.record === true) this.#lines.push(`${this.#now.toFixed(3).padStart(12)} ${process.padEnd(10)} ${text}`)
  }

  /** Bytes go on their way. */
  sent(link: string, bytes: Uint8Array): void {
    this.#mix(crc32(bytes) ^ bytes.length)
    if (this.#options.trace === true || this.#options.record === true) this.#lines.push(`${this.#now.toFixed(3).padStart(12)} ${link} ${bytes.length} bytes`)
  }

  /** Calls back after every step, until undone. */
  afterStep(f: () => void): () => void {
    this.#afterStep.add(f)
    return () => void this.#afterStep.delete(f)
  }

  /** Calls back when a process has ended, for whatever reason. */
  onEnded(f: (process: SimProcess) => void): void {
    this.#onEnded.add(f)
  }

  /** Calls back at a virtual time, outside of all processes. Returns the undo. */
  at(ms: number, f: () => void): () => void {
    const timer = this.setTimer(Math.max(ms, this.#now), undefined, f)
    return () => this.cancelTimer(timer)
  }

  /** Ends the run with this defect after the present step: a check has failed. The first counts. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Ends the run after the present step: code under simulation has reached for the real world. The first counts. Gives the error, to be thrown. */
  escaped(error: EscapedSimulation): EscapedSimulation {
    this.#escaped ??= error
    return error
  }

  /** Whether promises settle meanwhile. */
  get promises(): boolean {
    return this.#options.promises === true
  }

  /** Timers that are set in a process. */
  timersOf(process: SimProcess): number {
    return this.#timers.waiting().filter(({ owner }) => owner === process).length
  }

  readonly rank = (): number => this.#queue.rank()

  readonly enqueue = (owner: SimProcess | undefined, run: () => void, rank = 0): void => {
    if (this.#over || owner?.status === "ended") return
    if (owner?.status === "paused") owner.main.held.push({ owner, rank, run })
    else this.#queue.push({ owner, rank, run })
    this.onWork?.()
  }

  readonly setTimer = (at: number, owner: SimProcess | undefined, fire: () => void): Timer<SimProcess | undefined> => {
    this.onWork?.()
    return this.#timers.set(Math.round(at * 1000) / 1000, owner, fire)
  }

  readonly cancelTimer = (timer: Timer<SimProcess | undefined>): void => this.#timers.cancel(timer)

  readonly preempts = (): boolean => {
    if (--this.#untilPreemption > 0) return false
    this.#untilPreemption = this.#untilNext()
    return true
  }

  readonly ended = (process: SimProcess): void => {
    for (const f of this.#onEnded) f(process)
  }

  /** With `trace`: what has happened so far. */
  get lines(): ReadonlyArray<string> {
    return this.#lines
  }

  /** Whether it is the one that takes steps; not while the event loop has its turn. */
  get isUnderWay(): boolean {
    return running === this
  }

  /** Whether anything can run before time goes on. */
  get ready(): boolean {
    return this.#queue.size > 0
  }

  /** Takes one step. False: nothing can run, and no timer is set. */
  step(): boolean {
    while (this.#queue.size > 0) {
      const { owner, rank, run } = this.#queue.take()
      if (owner !== undefined && owner.status !== "running") {
        if (owner.status === "paused") owner.main.held.push({ owner, rank, run })
        continue
      }
      this.steps++
      this.#mix(owner === undefined ? 0 : owner.pid)
      run()
      if (this.#options.record === true) this.#record.push(`${this.#hash[0]} ${this.#now.toFixed(3)} ms ${owner?.name ?? "the network"}: ${this.#lines.at(-1)?.trim() ?? ""}`)
      for (const f of this.#afterStep) f()
      return true
    }
    return this.#advance() && this.step()
  }

  /** Jumps to the next timer's time; what is due can run. */
  #advance(): boolean {
    while (true) {
      const at = this.#timers.nextAt()
      if (at === undefined) return false
      if (at > this.#now) this.#now = at
      while (true) {
        const next = this.#timers.nextAt()
        if (next === undefined || next > this.#now) break
        const { fire, owner } = this.#timers.pop()!
        this.enqueue(owner, fire)
      }
      if (this.#queue.size > 0) {
        this.#mix(Math.floor(this.#now * 1000) % 4294967296)
        return true
      }
    }
  }

  /** Mean 1 / preemption, without logarithms, which differ between machines. */
  #untilNext(): number {
    return this.#preemption <= 0 ? Infinity : 1 + this.#preempting.int(2 / this.#preemption - 1)
  }

  #mix(value: number): void {
    this.#hash[0] = mix(this.#hash[0], value)
    this.#hash[1] = mix(this.#hash[1] ^ 0x5bd1e995, this.#hash[0])
  }

  /** Whether the run must end now, and how. */
  verdict(): Exit.Exit<never, Stuck | EscapedSimulation> | undefined {
    const { maxMs = Infinity, maxSteps = 5_000_000, seed } = this.#options
    if (this.#escaped !== undefined) return Exit.fail(this.#escaped)
    if (this.#failure !== undefined) return Exit.die(this.#failure.error)
    if (this.#now > maxMs) return Exit.fail(new OutOfTime({ seed, limitMs: maxMs, waiting: this.waiting() }))
    if (this.steps > maxSteps) return Exit.fail(new OutOfSteps({ seed, steps: this.steps, atMs: this.#now, waiting: this.waiting() }))
    return undefined
  }

  deadlock(): Exit.Exit<never, Deadlock> {
    return Exit.fail(new Deadlock({ seed: this.seed, atMs: this.#now, waiting: this.waiting() }))
  }

  /** What each fiber waits for, as far as Effect lets it be known. */
  waiting(): ReadonlyArray<string> {
    return this.processes.filter(({ status }) => status !== "ended").flatMap((process) =>
      Waiting.describe(process.name, [process, ...process.threads].flatMap((each) => each.liveFibers())))
  }

  outcome<A, E>(exit: Exit.Exit<A, E | Stuck | EscapedSimulation>): Outcome<A, E> {
    this.#over = true
    const [a, b] = this.#hash
    return {
      exit,
      hash: a.toString(16).padStart(8, "0") + b.toString(16).padStart(8, "0"),
      steps: this.steps,
      virtualMs: this.#now,
      lines: this.#options.trace === true ? this.#lines : [],
      record: this.#record
    }
  }

  /** Makes this the world of the run that is under way, while `f` runs. */
  during<A>(f: () => A): A {
    if (running !== undefined) throw new Error("a simulated run is under way already; runs cannot be nested")
    running = this
    const undo = Tripwires.set({ tripwires: this.#options.tripwires !== false, promises: this.promises, stacks: this.#options.stacks === true, world: this })
    try {
      return f()
    } finally {
      undo()
      running = undefined
    }
  }
}

/** The process that the program of a run is in; no fault reaches it. */
export const DRIVER = "driver"

/** Runs a program to its end, in a process of its own, in virtual time. */
export const run = <A, E>(options: WorldOptions, effect: Effect.Effect<A, E, Scope.Scope | Hashing>): Outcome<A, E> => {
  const world = new World(options)
  return world.during((): Outcome<A, E> => {
    const program = world.begin(DRIVER).run(Effect.scoped(effect))
    while (true) {
      const exit = program.poll() ?? world.verdict()
      // The driver's process ends with the run only.
      if (exit !== undefined) return world.outcome<A, E>(exit as Exit.Exit<A, E>)
      if (!world.step()) return world.outcome<A, E>(world.verdict() ?? world.deadlock())
    }
  })
}

/** The first step at which two runs of the same options differ; undefined: in none. */
export interface Divergence {
  readonly step: number
  readonly first: string
  readonly second: string
}

/** Runs twice what is to give equal runs, and finds the first step at which they differ. */
export const divergence = (once: (options: Pick<WorldOptions, "record">) => Outcome<unknown, unknown>): Divergence | undefined => {
  const first = once({ record: true })
  const second = once({ record: true })
  const length = Math.max(first.record.length, second.record.length)
  for (let step = 0; step < length; step++) {
    if (first.record[step] !== second.record[step]) return { step, first: first.record[step] ?? "it has ended", second: second.record[step] ?? "it has ended" }
  }
  return undefined
}
