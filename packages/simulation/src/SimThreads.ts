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
import { encodeRaised } from "@skein/protocol/Raised"
import * as Registry from "@skein/protocol/TaskRegistry"
import * as Body from "@skein/runtime/worker/Body"
import type { Around } from "@skein/runtime/worker/Code"
import { fromText } from "@skein/runtime/worker/LoadFunction"
import { begun, type BodyOutcome, type JobMessage, queued, type ToThread } from "@skein/runtime/worker/ThreadMessages"
import { type Thread, type ThreadListener, ThreadSpawner } from "@skein/runtime/worker/Threads"
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
  return {
    start: (claims, on) => start(world, process, claims, on, {
        up: stream.between(...UP_MS),
        gone: stream.between(...GONE_MS),
        bodyMs: () => stream.between(...options.bodyMs),
        around: options.around ?? ((body) => body)
      })
  }
}

interface Draws {
  readonly up: number
  readonly gone: number
  readonly bodyMs: () => number
  readonly around: Around
}

interface Waiting {
  readonly job: JobMessage
  readonly bytes: Uint8Array
  readonly offset: number
}

const start = (world: World, process: SimProcess, claims: Int32Array<SharedArrayBuffer>, on: ThreadListener, draws: Draws): Thread => {
  const thread = process.thread()
  const toOwner = makeOrdered(world.enqueue, process)
  const toThread = makeOrdered(world.enqueue, thread)
  const codes = new Map<string, CodeDef>()
  const waiting: Array<Waiting> = []
  let isUp = false
  let working: ThreadJob | undefined
  let terminated = false

  let detail: string | undefined
  thread.onEnd(({ code }) => toOwner(() => on.exit(code ?? 1, detail ?? `the thread ended with code ${code}`)))
  const end = (code: number, because: string) => {
    detail ??= because
    thread.end({ code, signal: null })
  }
  const take = (message: ToThread) => {
    for (const digest of message.forget) codes.delete(digest)
    for (const def of message.codes) codes.set(def.digest, def)
    let offset = 0
    for (const job of message.jobs) {
      waiting.push({ job, bytes: message.bytes, offset })
      for (const length of job.parts) offset += length
    }
    work()
  }
  const work = () => {
    while (isUp && working === undefined) {
      const next = waiting.shift()
      if (next === undefined) return
      const { job } = next
      if (Atomics.compareExchange(claims, job.cell, queued, begun) !== queued) {
        toOwner(() => on.message({ _tag: "Skipped", cell: job.cell }))
        continue
      }
      const def = codes.get(job.digest)
      if (def === undefined) return end(1, `a job calls code ${job.digest}, which this thread was not told`)
      run(next, def)
    }
  }
  const run = (next: Waiting, def: CodeDef) => {
    const telling: ThreadJob = working = { spent: undefined, exited: undefined, stuckUntil: undefined }
    const finish = (outcome: BodyOutcome, ms: number) => {
      working = undefined
      const { run } = next.job
      toOwner(() => on.message(outcome._tag === "Succeeded" ? { ...outcome, run, ms } : { ...outcome, run, ms }))
      work()
    }
    thread.run(Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const startedAtMs = clock.currentTimeMillisUnsafe()
      const since = world.now
      const { args, inputs } = partsOf(next)
      const found = bodyOf(def)
      const first = found === undefined
        ? undecided(def)
        : onThread(telling, () => Body.begin(draws.around(found, def), args, inputs, Effect.void, clock))
      if (telling.exited !== undefined) return end(telling.exited, `the thread ended with code ${telling.exited}`)
      const ending = Effect.isEffect(first) ? yield* first : first
      const ms = telling.spent ?? (Effect.isEffect(first) ? 0 : draws.bodyMs())
      if (ms === Infinity) return yield* Effect.never
      yield* Effect.sleep(ms)
      const { attempt } = next.job
      const outcome: BodyOutcome = ending._tag === "Succeeded" ? ending : ending.raised._tag === "Error" && ending.raised.error instanceof Body.GivesEffect
        ? { _tag: "Failed", failure: new Uint8Array(0), retryable: false }
        : {
          _tag: "Failed",
          failure: encodeRaised(ending.raised, { worker: process.name, attempt, startedAtMs, endedAtMs: clock.currentTimeMillisUnsafe() }),
          retryable: ending.retryable
        }
      finish(outcome, world.now - since)
    }))
  }

  world.setTimer(world.now + draws.up, thread, () => {
    isUp = true
    toOwner(() => on.message({ _tag: "Up" }))
    work()
  })
  return {
    post: (message) => toThread(() => take(message)),
    terminate: () => {
      if (terminated) return
      terminated = true
      world.setTimer(Math.max(world.now + draws.gone, working?.stuckUntil ?? 0), process, () => end(1, "the thread was terminated"))
    }
  }
}

const partsOf = ({ bytes, job, offset }: Waiting) => {
  let at = offset
  const [args = new Uint8Array(0), ...inputs] = job.parts.map((length) => bytes.subarray(at, at += length))
  return { args, inputs }
}

/** All modules are of this very process, so what a thread would import has been made already. */
const bodyOf = (def: CodeDef): Body.Body | undefined => {
  const effects = def.body === "effect" ? "run" : "refuse"
  if (!def.moduleFirst && def.text !== null) return Body.ofFunction(fromText(def.text), effects)
  const named = Array.from(Registry.entries()).filter((entry) => entry.name === def.name && entry.module === def.module?.url)
  const same = named.find((entry) => entry.text === def.text) ?? (named.length === 1 ? named[0] : undefined)
  return same === undefined ? undefined : Body.ofTask(same, effects)
}

const undecided = (def: CodeDef): Body.Ending => ({
  _tag: "Failed",
  raised: { _tag: "Defect", defect: new Error(`SKEIN1002 no code for task "${def.name}" in a thread`) },
  retryable: false,
  ms: 0
})
