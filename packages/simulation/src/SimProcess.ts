/**
 * A simulated process: fibers that live and die together.
 *
 * It has clocks, randomness and a log of its own, and a scheduler that marks
 * whatever its fibers do with its name. Ended, it is gone as a killed process
 * is: none of its fibers takes another step, no finalizer runs, its timers never
 * fire, and its sockets are the business of the network, which is told. Stood
 * still, what would run waits, its timers as well, and what others send it piles
 * up where it would with a real one.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { Hashing } from "@skein/transport/Hashing"
import { node as nodeHashing } from "@skein/transport/node/Hashing"
import { ProcessGone } from "./Errors.ts"
import { makeCrossing } from "./internal/crossing.ts"
import type { Runnable } from "./RunQueue.ts"
import { Stream } from "./Stream.ts"
import type { Timer } from "./Timers.ts"

/** What a process has of the world around it. */
export interface Surroundings {
  readonly seed: number
  /** Virtual milliseconds since the start of the run. */
  readonly now: number
  /** What the wall clocks said then, epoch ms. */
  readonly epochMs: number
  readonly rank: () => number
  readonly enqueue: (owner: SimProcess | undefined, run: () => void, rank?: number) => void
  readonly setTimer: (at: number, owner: SimProcess | undefined, fire: () => void) => Timer<SimProcess | undefined>
  readonly cancelTimer: (timer: Timer<SimProcess | undefined>) => void
  /** Whether a fiber is to be stopped here, by chance. */
  readonly preempts: () => boolean
  readonly opsBeforeYield: number
  /** Whether the world takes a step; not while the event loop has its turn. */
  readonly isUnderWay: boolean
  readonly note: (process: string, text: string) => void
  readonly ended: (process: SimProcess) => void
}

/** How a process ended; exactly one of the two is there. */
export interface Ending {
  readonly code: number | null
  readonly signal: string | null
}

/** An effect that runs in a simulated process. */
export interface Running<A, E> {
  /** Completes when it has ended, or its process has. May be awaited from any process. */
  readonly exit: Effect.Effect<Exit.Exit<A, E | ProcessGone>>
  /** None while it runs. */
  readonly poll: () => Exit.Exit<A, E | ProcessGone> | undefined
  /** Interrupts it, in its own process. */
  readonly interrupt: () => void
}

/** Fibers that are looked at again once so many have been seen. */
const PRUNE = 512

export class SimProcess {
  readonly name: string
  readonly pid: number
  /** The process whose thread this is; itself if it is none. */
  readonly main: SimProcess
  /** Those that run in it. */
  readonly threads = new Set<SimProcess>()
  /** Set once it has ended. */
  ending: Ending | undefined
  /** What its fibers have for surroundings: scheduler, clock, randomness, hashing, log. */
  readonly context: Context.Context<Hashing>
  /** Each line that it logs or writes to its console. */
  onLine: (line: string) => void = () => {}
  /** What waits until it goes on. */
  held: Array<Runnable<SimProcess | undefined>> = []
  /** Resident memory, for `Host`, beside what tasks take. */
  memoryBytes = 64 * 1024 * 1024

  readonly #world: Surroundings
  #paused = false
  readonly #fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  #prune = PRUNE
  #pausedUntil = 0
  readonly #onEnd = new Set<(ending: Ending) => void>()
  #clock: { readonly at: number; readonly monotonic: number; readonly wall: number; readonly rate: number }

  constructor(world: Surroundings, name: string, pid: number, main?: SimProcess) {
    this.#world = world
    this.name = name
    this.pid = pid
    this.main = main ?? this
    this.#clock = { at: world.now, monotonic: world.now, wall: world.epochMs + world.now, rate: 1 }
    const entropy = Stream.named(world.seed, `entropy/${name}/${pid}`)
    const random = Stream.named(world.seed, `random/${name}/${pid}`)
    this.context = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, new ProcessScheduler(this, world) as Scheduler.Scheduler),
      Context.add(CurrentProcess, this),
      Context.add(Clock.Clock, this.#makeClock()),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => random.next(),
        nextIntUnsafe: () => Math.floor((random.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
      }),
      Context.add(References.TracerEnabled, false),
      Context.add(Logger.CurrentLoggers, new Set([Logger.make<unknown, void>((entry) => this.#write(lineOf(entry)))])),
      Context.add(Console.Console, this.#makeConsole()),
      Context.add(Hashing, Hashing.of({ ...nodeHashing, random: (count) => Uint8Array.from({ length: count }, () => entropy.int(256)) }))
    )
  }

  get status(): "running" | "paused" | "ended" {
    if (this.ending !== undefined || this.main.ending !== undefined) return "ended"
    return this.main.#paused ? "paused" : "running"
  }

  /** A thread of it: fibers that can be ended alone, without finalizers, and otherwise share its life. */
  thread(): SimProcess {
    const thread = new SimProcess(this.#world, this.name, this.pid, this)
    this.threads.add(thread)
    return thread
  }

  /** Runs an effect in this process from its next step on. */
  run<A, E>(effect: Effect.Effect<A, E, Hashing>): Running<A, E> {
    const crossing = makeCrossing<Exit.Exit<A, E | ProcessGone>>(this.#world.enqueue)
    let fiber: Fiber.Fiber<A, E> | undefined
    let interrupted = false
    const gone = () => crossing.settle(Exit.fail(new ProcessGone({ process: this.name })))
    const forget = this.onEnd(gone)
    this.#world.enqueue(this, () => {
      fiber = Effect.runForkWith(this.context)(effect)
      fiber.addObserver((exit) => {
        forget()
        crossing.settle(exit)
      })
      if (interrupted) fiber.interruptUnsafe()
    })
    return {
      exit: crossing.settled,
      poll: crossing.poll,
      interrupt: () => {
        interrupted = true
        this.#world.enqueue(this, () => fiber?.interruptUnsafe())
      }
    }
  }

  /** Ends it at once, as SIGKILL does. Does nothing to one that has ended. */
  crash(signal = "SIGKILL"): void {
    this.end({ code: null, signal })
  }

  /** Ends it at once, however that came about. */
  end(ending: Ending): void {
    if (this.status === "ended") return
    this.ending = ending
    this.held = []
    if (this.main === this) {
      this.#world.note(this.name, `ends: ${ending.signal ?? `exit code ${ending.code}`}`)
      this.#world.ended(this)
    }
    this.main.threads.delete(this)
    for (const told of [...this.#onEnd]) told(ending)
    this.#onEnd.clear()
    this.#fibers.clear()
  }

  /** Calls back once it has ended; at once if it has. Returns the undo. */
  onEnd(told: (ending: Ending) => void): () => void {
    if (this.ending !== undefined) {
      told(this.ending)
      return () => {}
    }
    this.#onEnd.add(told)
    return () => void this.#onEnd.delete(told)
  }

  /** Lets it stand still, its sockets open, for so many virtual milliseconds from now; the longest of several counts. */
  pause(forMs: number): void {
    if (this.status === "ended") return
    this.#paused = true
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#world.now + forMs)
    this.#world.setTimer(this.#world.now + forMs, undefined, () => {
      if (this.#world.now >= this.#pausedUntil) this.resume()
    })
  }

  /** Lets it go on if it stands still. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#pausedUntil = 0
    const held = this.held
    this.held = []
    for (const { owner, rank, run } of held) this.#world.enqueue(owner, run, rank)
  }

  /** Its wall clock jumps by so many milliseconds. */
  jump(byMs: number): void {
    this.#clock = { ...this.#clock, wall: this.#clock.wall + byMs }
  }

  /** Its clocks run at this rate from now on. Timers that are set already keep their time. */
  skew(rate: number): void {
    this.#clock = { at: this.#world.now, monotonic: this.#monotonic(), wall: this.#wall(), rate }
  }

  /** Fibers that have been seen to run and have not ended. */
  liveFibers(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return [...this.#fibers].filter((fiber) => fiber.pollUnsafe() === undefined)
  }

  /** A fiber of it is about to take a step. */
  seen(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#fibers.add(fiber)
    if (this.#fibers.size < this.#prune) return
    for (const each of this.#fibers) if (each.pollUnsafe() !== undefined) this.#fibers.delete(each)
    this.#prune = Math.max(PRUNE, this.#fibers.size * 2)
  }

  #monotonic(): number {
    const { at, monotonic, rate } = this.main.#clock
    return monotonic + (this.#world.now - at) * rate
  }
  #wall(): number {
    const { at, rate, wall } = this.main.#clock
    return wall + (this.#world.now - at) * rate
  }

  #makeClock(): Clock.Clock {
    const millis = () => Math.floor(this.#wall())
    const nanos = (ms: number) => BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.floor((ms % 1) * 1e6))
    const wall = () => nanos(this.#wall())
    const monotonic = () => nanos(this.#monotonic())
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeNanosUnsafe: wall,
      monotonicTimeNanosUnsafe: monotonic,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(wall),
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) =>
        Effect.callback<void>((resume) => {
          const ms = Duration.toMillis(duration)
          if (ms === Infinity) return
          const timer = this.#world.setTimer(this.#world.now + Math.max(0, ms) / this.main.#clock.rate, this, () => resume(Effect.void))
          return Effect.sync(() => this.#world.cancelTimer(timer))
        })
    }
  }

  #makeConsole(): Console.Console {
    const write = (...args: ReadonlyArray<unknown>) => this.#write(args.map(String).join(" "))
    const nothing = () => {}
    return {
      assert: nothing, clear: nothing, count: nothing, countReset: nothing, dir: nothing, dirxml: nothing, group: nothing,
      groupCollapsed: nothing, groupEnd: nothing, table: nothing, time: nothing, timeEnd: nothing, timeLog: nothing, trace: nothing,
      debug: write, error: write, info: write, log: write, warn: write
    }
  }

  #write(text: string): void {
    if (this.status === "ended") return
    for (const line of text.split("\n")) {
      this.#world.note(this.name, `writes ${line}`)
      this.onLine(line)
    }
  }
}

/** As `Logger.formatLogFmt`, without the time, which is the line's, and the fiber's id, which counts over all runs of this process. */
const lineOf = ({ cause, logLevel, message }: Logger.Options<unknown>): string => {
  const said = (Array.isArray(message) ? message : [message]).map(String).join(" ")
  return `level=${logLevel.toUpperCase()} message=${said}${cause.reasons.length === 0 ? "" : ` cause=${withoutIds(Cause.pretty(cause))}`}`
}

const withoutIds = (text: string): string => text.replace(/#\d+/g, "#")

/** Which simulated process a fiber is of. */
export const CurrentProcess = Context.Reference<SimProcess>("@skein/simulation/CurrentProcess", {
  defaultValue: () => {
    throw new Error("this effect runs outside of a simulated process; run it with World.run")
  }
})

export const processOf = (fiber: Fiber.Fiber<unknown, unknown>): SimProcess => fiber.getRef(CurrentProcess)

/**
 * Hands what the fibers of one process would run to the world's queue.
 *
 * A fiber is never stopped before its first operation: Effect 4.1.0 loses the interruption of a fiber that has not started if that
 * very step yields, and a program that forks and interrupts would seem to hang. A process that has ended stops at every operation.
 * So does a fiber that goes on outside of the world's steps, which only a promise can have it do.
 */
class ProcessScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async" as const
  readonly #process: SimProcess
  readonly #world: Surroundings

  constructor(process: SimProcess, world: Surroundings) {
    this.#process = process
    this.#world = world
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.#process.status === "ended") return true
    const ops = fiber.currentOpCount
    if (ops <= 1) {
      this.#process.seen(fiber)
      // What a promise has resumed waits for its turn in the world.
      return !this.#world.isUnderWay
    }
    return ops >= this.#world.opsBeforeYield || this.#world.preempts()
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const rank = this.#world.rank()
    return { scheduleTask: (task) => this.#world.enqueue(this.#process, task, rank), flush: () => {} }
  }
}
