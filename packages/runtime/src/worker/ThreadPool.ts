/**
 * The pool's bookkeeping: which thread holds which job, who is started, and who
 * gets what next. See Threads.ts for what it is and why it is so.
 *
 * Plain calls from one event loop, one after the other; `settle` is the one
 * place that gives out work, and is called after anything has changed.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { CodeDef } from "@skein/protocol/Code"
import type { RunId } from "@skein/protocol/Ids"
import type { Job, JobOutcome, Options, Thread, ThreadListener, ThreadSpawner } from "./Threads.ts"
import { begun, type FromThread, type JobMessage, queued, taken } from "./ThreadMessages.ts"

/** A job from its call to its outcome. */
interface Entry {
  readonly job: Job
  readonly on: (outcome: JobOutcome) => void
  /** The thread that holds it, and its cell there; none while it waits. */
  holder: Member | undefined
  cell: number
  terminated: boolean
}

/** A thread of the pool. */
interface Member {
  thread: Thread
  readonly claims: Int32Array<SharedArrayBuffer>
  status: "starting" | "up" | "ending"
  /** What it holds and has not been taken back, the first to be run first. */
  readonly held: Array<Entry>
  /** Cells not in use. That of a job taken back is free once the thread has skipped the job. */
  readonly freeCells: Array<number>
  /** Digests that it knows, in the order in which it was told them; at most `codesBound`. */
  readonly codes: Set<string>
}

/** Jobs that a thread can hold, those included that were taken back and not yet skipped; one without a free cell gets no more. */
const cellsPerThread = 256
/** Prepared functions that a thread remembers; the earliest is forgotten and, if need be, told again. */
const codesBound = 1_000
/** So many threads in a row that end before they are up: no more are started for the jobs that wait. */
const startsBound = 3

/** How the pool has something done that is not to be done now. */
export interface Later {
  /** When this turn of the event loop's owner is through. */
  readonly soon: (f: () => void) => void
  readonly after: (f: () => void, time: Duration.Duration) => void
}

export class Pool {
  readonly #options: Options
  readonly #depth: number
  readonly #start: ThreadSpawner["Service"]["start"]
  readonly #later: Later
  readonly #stuckAfter: Duration.Duration
  readonly #entries = new Map<RunId, Entry>()
  readonly #members = new Set<Member>()
  /** Those that no thread holds, the first to be run first. */
  #waiting = new Set<Entry>()
  /** `flush` is about to be called. */
  #flushing = false
  /** A job has ended, so a spare is kept. */
  #warm = false
  #failedStarts = 0
  #closed = false
  readonly #allGone = Deferred.makeUnsafe<void>()

  constructor(options: Options, start: ThreadSpawner["Service"]["start"], later: Later) {
    this.#options = options
    this.#depth = options.depth ?? 32
    this.#start = start
    this.#later = later
    this.#stuckAfter = Duration.fromInputUnsafe(options.stuckAfter ?? "1 second")
  }

  submit(job: Job, on: (outcome: JobOutcome) => void): void {
    if (this.#closed) return on({ _tag: "Stopped", begun: false })
    const entry: Entry = { job, on, holder: undefined, cell: -1, terminated: false }
    this.#entries.set(job.run, entry)
    this.#waiting.add(entry)
    if (this.#flushing) return
    // The first of a turn has all of it posted, once the others have called too.
    this.#flushing = true
    this.#later.soon(() => this.#flush())
  }

  run(job: Job): Effect.Effect<JobOutcome> {
    return Effect.suspend(() => {
      const ended = Deferred.makeUnsafe<JobOutcome>()
      this.submit(job, (outcome) => void Deferred.doneUnsafe(ended, Effect.succeed(outcome)))
      return Effect.onInterrupt(Deferred.await(ended), () => this.#abandon(job.run, ended))
    })
  }

  cancel(run: RunId): void {
    const entry = this.#entries.get(run)
    if (entry !== undefined && this.#takeBack(entry)) this.#finish(entry, { _tag: "Stopped", begun: false })
  }

  terminate(run: RunId): void {
    this.cancel(run)
    const entry = this.#entries.get(run)
    if (entry === undefined || entry.holder === undefined || entry.terminated) return
    entry.terminated = true
    this.#end(entry.holder)
    this.#settle()
  }

  executing(): ReadonlyArray<RunId> {
    return [...this.#members].flatMap(({ claims, held }) =>
      held.filter((entry) => Atomics.load(claims, entry.cell) === begun).map((entry) => entry.job.run)
    )
  }

  counts() {
    const counts = { busy: 0, idle: 0, starting: 0, ending: 0 }
    for (const { held, status } of this.#members) {
      if (status === "up") counts[held.length > 0 ? "busy" : "idle"]++
      else counts[status]++
    }
    return counts
  }

  close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#closed = true
      this.#finishWaiting({ _tag: "Stopped", begun: false })
      for (const member of this.#members) {
        for (const entry of member.held) entry.terminated = true
        if (member.status !== "ending") this.#end(member)
      }
      if (this.#members.size === 0) return Effect.void
      return Effect.asVoid(Effect.timeoutOption(Deferred.await(this.#allGone), this.#stuckAfter))
    })
  }

  /** Whoever ran the job was interrupted and waits for its end, but not for ever. */
  #abandon(run: RunId, ended: Deferred.Deferred<JobOutcome>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.terminate(run)
      return Effect.asVoid(Effect.timeoutOption(Deferred.await(ended), this.#stuckAfter))
    })
  }

  #flush(): void {
    this.#flushing = false
    this.#settle()
  }

  /** Gives out what waits, and starts what threads are needed for it. Called after anything has changed, so it is quick when there is nothing to do. */
  #settle(): void {
    if (this.#closed) return
    const { nthreads } = this.#options
    let busy = 0
    let idle = 0
    let starting = 0
    let mostHeld = 0
    let wantsMore = false
    for (const { held, status } of this.#members) {
      if (status === "starting") starting++
      if (status !== "up") continue
      if (held.length > 0) busy++
      else idle++
      mostHeld = Math.max(mostHeld, held.length)
      wantsMore ||= held.length <= this.#depth / 2
    }
    const wanted = Math.min(nthreads - busy - idle - starting, this.#waiting.size - idle - starting)
    for (let i = 0; i < wanted; i++) this.#startThread()
    const moves = idle > 0 && busy < nthreads && mostHeld > 1
    if (moves || (wantsMore && this.#waiting.size > 0)) this.#assign()
    if (this.#warm && idle + starting < 2) this.#keepSpare()
  }

  /** Counts anew, for the spare may just have been taken. */
  #keepSpare(): void {
    const { busy, idle, starting } = this.counts()
    if (idle + starting === 0 && busy <= this.#options.nthreads) this.#startThread()
  }

  #startThread(): void {
    const claims = new Int32Array(new SharedArrayBuffer(4 * cellsPerThread))
    const member: Omit<Member, "thread"> = {
      claims,
      status: "starting",
      held: [],
      freeCells: Array.from({ length: cellsPerThread }, (_, cell) => cell),
      codes: new Set()
    }
    const listener: ThreadListener = {
      message: (message) => this.#onMessage(whole, message),
      exit: (code, detail) => this.#onExit(whole, code, detail)
    }
    const whole: Member = Object.assign(member, { thread: this.#start(claims, listener) })
    this.#members.add(whole)
  }

  /** Hands jobs to the threads that hold the fewest; what an idle one does not get from those that wait, it gets from a busy one. */
  #assign(): void {
    const batches = new Map<Member, Array<Entry>>()
    const give = (member: Member, entry: Entry): void => {
      this.#waiting.delete(entry)
      entry.holder = member
      entry.cell = member.freeCells.pop() ?? -1
      Atomics.store(member.claims, entry.cell, queued)
      member.held.push(entry)
      const batch = batches.get(member)
      if (batch === undefined) batches.set(member, [entry])
      else batch.push(entry)
    }
    // A thread is given more when half of what it may hold is gone, and then several at once.
    const eligible = new Set([...this.#members].filter((member) => member.held.length <= this.#depth / 2))
    for (const entry of this.#waiting) {
      const member = this.#leastBusy(eligible)
      if (member === undefined) break
      give(member, entry)
    }
    for (let idle = this.#leastBusy(this.#members); idle?.held.length === 0; idle = this.#leastBusy(this.#members)) {
      const entry = this.#takeFromBusiest()
      if (entry === undefined) break
      give(idle, entry)
    }
    for (const [member, batch] of batches) this.#post(member, batch)
  }

  /** The thread with the fewest jobs, if it has room. The spare is left alone while `nthreads` are busy. */
  #leastBusy(among: Iterable<Member>): Member | undefined {
    let least: Member | undefined
    for (const member of among) {
      if (member.status !== "up" || member.held.length >= this.#depth || member.freeCells.length === 0) continue
      if (member.held.length === 0 && this.counts().busy >= this.#options.nthreads) continue
      if (least === undefined || member.held.length < least.held.length) least = member
    }
    return least
  }

  /** The last job that has not begun, of the thread that holds the most. */
  #takeFromBusiest(): Entry | undefined {
    let busiest: Member | undefined
    for (const member of this.#members) {
      if (member.held.length > (busiest?.held.length ?? 1)) busiest = member
    }
    const entry = busiest?.held.at(-1)
    return entry !== undefined && this.#takeBack(entry) ? entry : undefined
  }

  #post(member: Member, batch: ReadonlyArray<Entry>): void {
    const parts = batch.map(({ job }) => [job.args, ...job.inputs])
    const bytes = new Uint8Array(parts.flat().reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts.flat()) {
      bytes.set(part, offset)
      offset += part.length
    }
    const codes = new Map<string, CodeDef>()
    for (const { job: { code } } of batch) if (!member.codes.has(code.digest)) codes.set(code.digest, code)
    for (const digest of codes.keys()) member.codes.add(digest)
    const jobs = batch.map(({ cell, job }, i): JobMessage => ({
      run: job.run,
      cell,
      digest: job.code.digest,
      key: job.key,
      attempt: job.attempt,
      parts: parts[i]?.map((part) => part.length) ?? []
    }))
    const timed = batch.some(({ job }) => job.timed === true) ? batch.filter(({ job }) => job.timed === true).map(({ job }) => job.run) : none
    member.thread.post({ codes: [...codes.values()], forget: this.#forget(member), jobs, timed, bytes })
  }

  /** Digests beyond the bound, except those that a job held calls. */
  #forget(member: Member): ReadonlyArray<string> {
    if (member.codes.size <= codesBound) return []
    const called = new Set(member.held.map((entry) => entry.job.code.digest))
    const forgotten = [...member.codes].filter((digest) => !called.has(digest)).slice(0, member.codes.size - codesBound)
    for (const digest of forgotten) member.codes.delete(digest)
    return forgotten
  }

  /** True if the job has not begun; it then has no holder and is in no queue. */
  #takeBack(entry: Entry): boolean {
    const { holder } = entry
    if (holder === undefined) return this.#waiting.delete(entry)
    if (Atomics.compareExchange(holder.claims, entry.cell, queued, taken) !== queued) return false
    remove(holder.held, entry)
    entry.holder = undefined
    return true
  }

  /** Terminates a thread, after moving away what it has not begun. */
  #end(member: Member): void {
    member.status = "ending"
    const moved = member.held.toReversed().filter((entry) => !entry.terminated && this.#takeBack(entry))
    this.#putFirst(moved.toReversed())
    member.thread.terminate()
    this.#later.after(() => {
      if (!this.#members.has(member)) return
      for (const entry of member.held) if (entry.terminated) this.#options.onStuck?.(entry.job.run)
    }, this.#stuckAfter)
  }

  #onMessage(member: Member, message: FromThread): void {
    if (message._tag === "Up") {
      this.#failedStarts = 0
      if (member.status === "starting") member.status = "up"
    } else if (message._tag === "Skipped") {
      member.freeCells.push(message.cell)
    } else if (message._tag === "Begun" || message._tag === "Progress") {
      // Nothing about who holds what.
      return this.#hear(member, message)
    } else {
      const entry = member.held.find((entry) => entry.job.run === message.run)
      if (entry === undefined) return
      remove(member.held, entry)
      member.freeCells.push(entry.cell)
      this.#warm = true
      this.#finish(entry, outcomeOf(message))
    }
    this.#settle()
  }

  #hear(member: Member, message: Extract<FromThread, { readonly _tag: "Begun" | "Progress" }>): void {
    const job = member.held.find((entry) => entry.job.run === message.run)?.job
    if (message._tag === "Begun") job?.on?.begun(job.run)
    else job?.on?.progress(job.run, message.said)
  }

  /**
   * A thread is gone. What it had begun is over, and has ended it unless it was
   * terminated; the rest moves. A job that began just as its neighbour was
   * terminated moves too: it is no party to that.
   */
  #onExit(member: Member, code: number, detail: string): void {
    this.#members.delete(member)
    const neverUp = member.status === "starting"
    const moved: Array<Entry> = []
    for (const entry of member.held) {
      const hasBegun = Atomics.load(member.claims, entry.cell) === begun
      if (entry.terminated) this.#finish(entry, { _tag: "Stopped", begun: hasBegun })
      else if (hasBegun && member.status !== "ending") this.#finish(entry, { _tag: "Exited", code, detail })
      else moved.push(entry)
    }
    for (const entry of moved) entry.holder = undefined
    this.#putFirst(moved)
    if (neverUp && ++this.#failedStarts >= startsBound) {
      this.#warm = false
      const because = `no thread starts: ${detail}`
      this.#finishWaiting({ _tag: "Exited", code, detail: because })
    }
    if (this.#closed && this.#members.size === 0) Deferred.doneUnsafe(this.#allGone, Effect.void)
    this.#settle()
  }

  /** Before all that waits. */
  #putFirst(entries: ReadonlyArray<Entry>): void {
    if (entries.length > 0) this.#waiting = new Set([...entries, ...this.#waiting])
  }

  #finishWaiting(outcome: JobOutcome): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const entry of waiting) this.#finish(entry, outcome)
  }

  #finish(entry: Entry, outcome: JobOutcome): void {
    this.#entries.delete(entry.job.run)
    entry.on(outcome)
  }
}

/** Almost always the first. */
const remove = (held: Array<Entry>, entry: Entry): void => {
  const at = held.indexOf(entry)
  if (at >= 0) held.splice(at, 1)
}

const none: ReadonlyArray<never> = []

const outcomeOf = (message: Extract<FromThread, { readonly _tag: "Succeeded" | "Failed" }>): JobOutcome =>
  message._tag === "Succeeded"
    ? { _tag: "Succeeded", value: message.value, ms: message.ms }
    : { _tag: "Failed", failure: message.failure, retryable: message.retryable, ms: message.ms }
