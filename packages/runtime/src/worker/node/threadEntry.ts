/**
 * What runs in a worker's thread: one job after another, as fast as it can.
 *
 * It imports nothing of Effect, for that would cost each thread 160 ms and
 * 47 MB before its first job; what decoding needs comes with the code module.
 * It has no way to be asked to stop: it is terminated.
 */
import { performance } from "node:perf_hooks"
import { parentPort, workerData } from "node:worker_threads"
import type { CodeDef } from "@skein/protocol/Code"
import type { ProgressSaid } from "@skein/protocol/CurrentTask"
import * as ForTasks from "@skein/protocol/ForTasks"
import * as OutcomeRing from "../OutcomeRing.ts"
import {
  begun,
  type BodyOutcome,
  type FromThread,
  isWorthHandingOver,
  type JobMessage,
  type Packed,
  packReply,
  queued,
  type ThreadCode,
  type ThreadData,
  type ThreadJob,
  unpack
} from "../ThreadMessages.ts"

import * as NodeCurrentTask from "./NodeCurrentTask.ts"
import * as textImports from "./textImports.ts"

type Body = Awaited<ReturnType<ThreadCode["prepare"]>>

// Whoever starts this entry gives it this, see NodeThreads.ts.
const { claims, codeModule, outcomes, worker } = workerData as ThreadData
const ring = OutcomeRing.make(outcomes)
const code = await import(codeModule) as ThreadCode
const port = parentPort
if (port === null) throw new Error("threadEntry.ts runs in a worker thread only")

ForTasks.begin()
NodeCurrentTask.install()
textImports.install()

const waiting: Array<{ readonly job: JobMessage; readonly bytes: Uint8Array; readonly offset: number }> = []
/** Prepared, or the promise of it, by digest. */
const bodies = new Map<string, Body | Promise<Body>>()
let working = false
/** Runs whose beginning is to be told, of those that wait. */
const timed = new Set<number>()

const say = (message: FromThread): void => {
  const reply = packReply(message)
  if (ring.write(reply)) {
    if (ring.ring()) port.postMessage(null)
    return
  }
  const [kind, number, ms, bytes] = reply
  if (bytes === undefined) return port.postMessage(reply)
  const own = alone(bytes)
  port.postMessage([kind, number, ms, own], isWorthHandingOver(own) ? [own.buffer] : [])
}

/** A view copies its whole buffer when it travels. */
const alone = (bytes: Uint8Array): Uint8Array => bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice()

port.on("message", (packed: Packed) => {
  const message = unpack(packed)
  for (const digest of message.forget) bodies.delete(digest)
  for (const def of message.codes) bodies.set(def.digest, prepare(def))
  for (const run of message.timed) timed.add(run)
  let offset = 0
  for (const job of message.jobs) {
    waiting.push({ job, bytes: message.bytes, offset })
    for (const length of job.parts) offset += length
  }
  if (!working) void work()
})

const prepare = (def: CodeDef): Promise<Body> => {
  const preparing: Promise<Body> = code.prepare(def).then((body) => {
    // It may have been forgotten meanwhile.
    if (bodies.get(def.digest) === preparing) bodies.set(def.digest, body)
    return body
  })
  return preparing
}

/**
 * Runs what waits. Suspends only where code is not prepared yet or a body is
 * asynchronous. A rejection here ends the thread, and its owner hears of it.
 */
const work = async (): Promise<void> => {
  working = true
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { job, bytes, offset } = next
    const known = bodies.get(job.digest)
    if (known === undefined) throw new Error(`a job calls code ${job.digest}, which this thread was not told`)
    const body = typeof known === "function" ? known : await known
    if (Atomics.compareExchange(claims, job.cell, queued, begun) !== queued) {
      timed.delete(job.run)
      say({ _tag: "Skipped", cell: job.cell })
      continue
    }
    if (timed.size > 0 && timed.delete(job.run)) say({ _tag: "Begun", run: job.run })
    const since = performance.now()
    const result = body(toJob(job, bytes, offset))
    report(job.run, "_tag" in result ? result : await result, performance.now() - since)
  }
  working = false
}

const toJob = (job: JobMessage, bytes: Uint8Array, offset: number): ThreadJob => {
  const [args = new Uint8Array(0), ...inputs] = job.parts.map((length) => {
    const part = bytes.subarray(offset, offset + length)
    offset += length
    return part
  })
  return { run: job.run, key: job.key, attempt: job.attempt, worker, args, inputs, tell }
}

/** So many words on progress may go in a row, and one more each so many milliseconds: a body may say it at every step of its loop. */
const WORDS = 20
const WORD_EVERY_MS = 20
let words = WORDS
let countedAt = performance.now()
/** The latest of the words that did not go. There is one body at a time. */
let unsaid: { readonly run: number; readonly said: ProgressSaid } | undefined
let later: NodeJS.Timeout | undefined

const tell = (run: number, said: ProgressSaid): void => {
  unsaid = { run, said }
  const now = performance.now()
  words = Math.min(WORDS, words + (now - countedAt) / WORD_EVERY_MS)
  countedAt = now
  if (words >= 1) return sayUnsaid()
  // Comes in time only while the body waits; one that computes comes by here again, or ends.
  later ??= setTimeout(sayUnsaid, WORD_EVERY_MS).unref()
}

const sayUnsaid = (): void => {
  if (later !== undefined) clearTimeout(later)
  later = undefined
  if (unsaid === undefined) return
  words--
  say({ _tag: "Progress", ...unsaid })
  unsaid = undefined
}

const report = (run: number, outcome: BodyOutcome, ms: number): void => {
  if (unsaid !== undefined) sayUnsaid()
  say(
    outcome._tag === "Succeeded"
      ? { _tag: "Succeeded", run, value: outcome.value, ms }
      : { _tag: "Failed", run, failure: outcome.failure, retryable: outcome.retryable, ms }
  )
}

say({ _tag: "Up" })
