/**
 * A whole program under one seed: scheduler, clock and randomness.
 *
 * Fibers that can run wait in one bag, and the seed chooses who is next; when
 * none can, the clock jumps to the next timer. `preemption` stops fibers between
 * any two of their operations, without which races hardly ever show. Everything
 * is synchronous, so a program that hangs is found out at once.
 *
 * The same as transport's, without its hashing: tests do not import each other's.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"

/** mulberry32: small, fast, and good enough to choose who is next. */
export class Prng {
  private state: number
  constructor(seed: number) {
    this.state = seed >>> 0
  }
  /** From 0 to 1, 1 excluded. */
  next(): number {
    let t = (this.state += 0x6d2b79f5)
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  /** From 0 to `n`, `n` excluded. */
  int(n: number): number {
    return Math.floor(this.next() * n)
  }
}

export interface SimOptions {
  readonly seed: number
  /** Chance that a fiber is stopped before an operation, 0 to 0.2. @default 0 */
  readonly preemption?: number
  /** Steps after which the program counts as hung. @default 2e6 */
  readonly maxSteps?: number
}

export class Sim implements Scheduler.Scheduler {
  readonly executionMode = "async" as const
  /** Virtual milliseconds. */
  now = 0
  steps = 0
  private readonly options: SimOptions
  private readonly choices: Prng
  private readonly random: Prng
  private readonly tasks: Array<() => void> = []
  private readonly timers: Array<{ readonly at: number; readonly fire: () => void }> = []

  constructor(options: SimOptions) {
    this.options = options
    this.choices = new Prng(options.seed)
    this.random = new Prng(options.seed ^ 0x5bd1e995)
  }

  // Never before the first operation of a run: Effect 4.1.0 loses the interruption of a fiber that has not started if that very
  // step yields, and a program that forks and interrupts would seem to hang.
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= 2048 || (fiber.currentOpCount > 1 && this.choices.next() < (this.options.preemption ?? 0))
  }
  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void this.tasks.push(task), flush: () => {} }
  }

  /** Runs the program to its end. Dies if nothing can run any more, or after too many steps. */
  run<A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> {
    const nanos = () => BigInt(Math.round(this.now * 1e6))
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => this.now,
      currentTimeNanosUnsafe: nanos,
      monotonicTimeNanosUnsafe: nanos,
      currentTimeMillis: Effect.sync(() => this.now),
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.sleep(Duration.toMillis(duration))
    }
    const context = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this as Scheduler.Scheduler),
      Context.add(Clock.Clock, clock),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => this.random.next(),
        nextIntUnsafe: () => Math.floor((this.random.next() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
      })
    )
    const fiber = Effect.runForkWith(context)(effect)
    while (true) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      if (this.steps > (this.options.maxSteps ?? 2e6)) return Exit.die(new Error(`hung: ${this.steps} steps, seed ${this.options.seed}`))
      if (!this.step()) return Exit.die(new Error(`deadlock at ${this.now} ms, seed ${this.options.seed}`))
    }
  }

  private step(): boolean {
    this.steps++
    if (this.tasks.length > 0) {
      const [task] = this.tasks.splice(this.choices.int(this.tasks.length), 1)
      task!()
      return true
    }
    const timer = this.timers.shift()
    if (timer === undefined) return false
    this.now = timer.at
    timer.fire()
    return true
  }
  private sleep(ms: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (ms === Infinity) return
      const timer = { at: this.now + Math.max(0, ms), fire: () => resume(Effect.void) }
      let index = this.timers.length
      while (index > 0 && this.timers[index - 1]!.at > timer.at) index--
      this.timers.splice(index, 0, timer)
      return Effect.sync(() => {
        const index = this.timers.indexOf(timer)
        if (index >= 0) this.timers.splice(index, 1)
      })
    })
  }
}
