/**
 * Threads under simulation.
 *
 * The pool is the product's own, and so is what it says to its threads. A
 * simulated thread runs a plain body at once, and then its outcome waits for as
 * much virtual time as the body takes: what it says itself (`spend`), or a draw.
 * Terminated, it is gone as a real one is, without finalizers, after a moment;
 * and not before its system call returns, if it says that it is in one
 * (`stuck`).
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import * as Body from "@skein/runtime/worker/Body"
import type { Around } from "@skein/runtime/worker/Code"
import { endingOf, here, inThread, toOutcome, unknown } from "@skein/runtime/worker/ThreadCode"
import { begun, type JobMessage, queued, type ToThread } from "@skein/runtime/worker/ThreadMessages"
import type { ThreadListener, ThreadSpawner } from "@skein/runtime/worker/Threads"
import { onThread, type ThreadJob } from "./Body.ts"
import { makeOrdered } from "./internal/crossing.ts"
import type { SimProcess } from "./SimProcess.ts"
import type { World } from "./World.ts"

export interface Options {
  /** Virtual milliseconds that a body takes which does not say, least and greatest. */
  readonly bodyMs: readonly [number, number]
  /** What is run in the place of a body. @default it itself */
  readonly around?: Around | undefined
}

/** Milliseconds from its start until a thread takes jobs, and from its termination until it is gone. */
const UP_MS = [5, 40] as const
const GONE_MS = [0.1, 3] as const

/** Starts threads of this process. */
export const spawner = (world: World, process: SimProcess, options: Options): ThreadSpawner["Service"] => {
  const stream = world.stream(`threads/${process.name}/${process.pid}`)
  const draws: Draws = {
    upMs: () => stream.between(...UP_MS),
    goneMs: () => stream.between(...GONE_MS),
    bodyMs: () => stream.between(...options.bodyMs),
    around: options.around ?? ((body) => body)
  }
  return { start: (claims, on) => new SimThread(world, process, claims, on, draws) }
}

interface Draws {
  readonly upMs: () => number
  readonly goneMs: () => number
  readonly bodyMs: () => number
  readonly around: Around
}

interface Waiting {
  readonly job: JobMessage
  readonly bytes: Uint8Array
  readonly offset: number
}

class SimThread {
  readonly #world: World
  readonly #process: SimProcess
  /** What is ended with the thread, and nothing else. */
  readonly #fibers: SimProcess
  readonly #claims: Int32Array<SharedArrayBuffer>
  readonly #on: ThreadListener
  readonly #draws: Draws
  readonly #toOwner: (f: () => void) => void
  readonly #toThread: (f: () => void) => void
  readonly #codes = new Map<string, CodeDef>()
  readonly #waiting: Array<Waiting> = []
  /** Runs whose beginning is to be told. */
  readonly #timed = new Set<number>()
  #isUp = false
  #working: ThreadJob | undefined
  #terminated = false
  /** Why it ended, in words. */
  #detail: string | undefined

  constructor(world: World, process: SimProcess, claims: Int32Array<SharedArrayBuffer>, on: ThreadListener, draws: Draws) {
    this.#world = world
    this.#process = process
    this.#fibers = process.thread()
    this.#claims = claims
    this.#on = on
    this.#draws = draws
    this.#toOwner = makeOrdered(world.enqueue, process)
    this.#toThread = makeOrdered(world.enqueue, this.#fibers)
    this.#fibers.onEnd(({ code }) => this.#toOwner(() => on.exit(code ?? 1, this.#detail ?? `the thread ended with code ${code}`)))
    world.setTimer(world.now + draws.upMs(), this.#fibers, () => {
      this.#isUp = true
      this.#toOwner(() => on.message({ _tag: "Up" }))
      this.#work()
    })
  }

  post(message: ToThread): void {
    this.#toThread(() => this.#take(message))
  }

  terminate(): void {
    if (this.#terminated) return
    this.#terminated = true
    const at = Math.max(this.#world.now + this.#draws.goneMs(), this.#working?.stuckUntil ?? 0)
    this.#world.setTimer(at, this.#process, () => this.#end(1, "the thread was terminated"))
  }

  #end(code: number, because: string): void {
    this.#detail ??= because
    this.#fibers.end({ code, signal: null })
  }

  #take(message: ToThread): void {
    for (const digest of message.forget) this.#codes.delete(digest)
    for (const def of message.codes) this.#codes.set(def.digest, def)
    for (const run of message.timed) this.#timed.add(run)
    let offset = 0
    for (const job of message.jobs) {
      this.#waiting.push({ job, bytes: message.bytes, offset })
      for (const length of job.parts) offset += length
    }
    this.#work()
  }

  #work(): void {
    while (this.#isUp && this.#working === undefined) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const { job } = next
      if (Atomics.compareExchange(this.#claims, job.cell, queued, begun) !== queued) {
        this.#timed.delete(job.run)
        this.#toOwner(() => this.#on.message({ _tag: "Skipped", cell: job.cell }))
        continue
      }
      const def = this.#codes.get(job.digest)
      if (def === undefined) return this.#end(1, `a job calls code ${job.digest}, which this thread was not told`)
      if (this.#timed.delete(job.run)) this.#toOwner(() => this.#on.message({ _tag: "Begun", run: job.run }))
      this.#working = { spent: undefined, exited: undefined, stuckUntil: undefined }
      this.#fibers.run(this.#job(next, def, this.#working))
    }
  }

  #job(next: Waiting, def: CodeDef, telling: ThreadJob): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const clock = yield* Clock.Clock
      const startedAtMs = clock.currentTimeMillisUnsafe()
      const since = this.#world.now
      const first = this.#begin(next, def, telling, clock)
      if (telling.exited !== undefined) return this.#end(telling.exited, `the thread ended with code ${telling.exited}`)
      const ending = Effect.isEffect(first) ? yield* first : first
      const ms = telling.spent ?? (Effect.isEffect(first) ? 0 : this.#draws.bodyMs())
      if (ms === Infinity) return yield* Effect.never
      yield* Effect.sleep(ms)
      const { attempt, run } = next.job
      const outcome = { ...toOutcome(ending, { attempt, worker: this.#process.name }, startedAtMs, clock), run, ms: this.#world.now - since }
      this.#working = undefined
      this.#toOwner(() => this.#on.message(outcome))
      this.#work()
    })
  }

  /** Virtual time passes between two steps of a body only if it waits, so none is left out. */
  readonly #tell = (run: number, said: ProgressSaid): void => this.#toOwner(() => this.#on.message({ _tag: "Progress", run, said }))

  #begin({ bytes, job, offset }: Waiting, def: CodeDef, telling: ThreadJob, clock: Clock.Clock): Body.Ending | Effect.Effect<Body.Ending> {
    let at = offset
    const [args = new Uint8Array(0), ...inputs] = job.parts.map((length) => bytes.subarray(at, at += length))
    try {
      // All modules are of this very process, so what a thread would import has been made already.
      const body = here(def)
      if (body === undefined) return endingOf(unknown(def, this.#process.name))
      return onThread(telling, () => Body.begin(this.#draws.around(body, def), args, inputs, Effect.void, clock, inThread({ ...job, worker: this.#process.name, tell: this.#tell })))
    } catch (thrown) {
      return endingOf(thrown)
    }
  }
}
