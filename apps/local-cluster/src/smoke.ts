/**
 * Once, on the real clock and real processes: the bounds in time that the tests
 * assert in virtual time, and how fast the whole path is. `npm run smoke`.
 *
 * Exits 1 if a bound is broken. Rates are shown and not judged, for they are the
 * machine's as much as ours; run it when nothing else runs.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, type Scope } from "effect"
import { mkdtempSync, rmSync, existsSync, watch } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { Client, type Future, LocalCluster } from "skein"
import * as tasks from "./smokeTasks.ts"

const N = 10_000

const now = Effect.sync(() => performance.now())
/** How long the effect takes, in milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = yield* now
    const value = yield* effect
    return [(yield* now) - start, value] as const
  })

let broken = 0
/** A line of the table; a bound that is broken counts. */
const show = (what: string, ms: number, boundMs: number) => {
  const kept = ms <= boundMs
  if (!kept) broken++
  return Console.log(`${what.padEnd(46)} ${ms.toFixed(1).padStart(9)} ms   ${kept ? "ok    " : "BROKEN"}  (at most ${boundMs} ms)`)
}
const rate = (what: string, count: number, ms: number) =>
  Console.log(`${what.padEnd(46)} ${Math.round(count / ms * 1_000).toLocaleString("en").padStart(9)} tasks/s  ${(ms * 1_000 / count).toFixed(1)} µs a task`)

/** A file that a task makes when it runs. */
const marker = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-smoke-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const file = join(directory, "begun")
  const begun = Effect.callback<void>((resume) => {
    const watcher = watch(directory, () => look())
    const look = () => {
      if (!existsSync(file)) return
      watcher.close()
      resume(Effect.void)
    }
    look()
    return Effect.sync(() => watcher.close())
  })
  return { file, begun }
})

/** Bounds of architecture.md's decisions 11 and 12. */
const bounds = Effect.gen(function*() {
  const client = yield* Client
  const interrupted = yield* marker
  const sleeping = yield* client.submit(tasks.sleeps, interrupted.file)
  yield* interrupted.begun
  yield* show("an Effect is interrupted", (yield* timed(sleeping.cancel()))[0], 100)

  const ended = yield* marker
  const spinning = yield* client.submit(tasks.spins, ended.file)
  yield* ended.begun
  yield* show("a thread that spins is ended", (yield* timed(spinning.cancel()))[0], 1_000)

  // A worker stands still for longer than its connection may be silent, and less than its grace.
  const [paused] = yield* client.inspect.workers
  const during = yield* client.map((n: number) => n + 1, Array.from({ length: 200 }, (_, n) => n))
  process.kill(paused!.pid, "SIGSTOP")
  yield* Effect.sleep("4 seconds")
  process.kill(paused!.pid, "SIGCONT")
  const values = yield* client.gather(during)
  const still = (yield* client.inspect.workers).some(({ pid }) => pid === paused!.pid)
  yield* show("a worker that stood still 4 s is resumed", still && values.length === 200 ? 4_000 : Infinity, 4_000)

  const [victim] = yield* client.inspect.workers
  yield* Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) => client.submit(tasks.later, n, 50))
  process.kill(victim!.pid, "SIGKILL")
  const gone = Effect.repeat(client.inspect.workers, { until: (workers) => !workers.some(({ pid }) => pid === victim!.pid) })
  yield* show("the loss of a killed worker is noticed", (yield* timed(gone))[0], 1_000)
  yield* client.waitForWorkers(2)
}).pipe(Effect.scoped)

type Submitting = Effect.Effect<ReadonlyArray<Future<number>>, unknown, Client | Scope.Scope>
const numbers = Array.from({ length: N }, (_, n) => n)
/** A fresh offset for each round, for equal calls would be one task. */
let round = 0

const map = (task: typeof tasks.inc): Submitting =>
  Effect.flatMap(Client, (client) => client.map(task, numbers.map((n) => n + N * round)))
const merge: Submitting = Effect.gen(function*() {
  const client = yield* Client
  const leaves = yield* client.map(tasks.inc, numbers.map((n) => n + N * round))
  return [yield* client.submit(tasks.sum, leaves), ...leaves]
})
const tree: Submitting = Effect.gen(function*() {
  const client = yield* Client
  const all: Array<Future<number>> = []
  let level: ReadonlyArray<Future<number>> = yield* client.map(tasks.inc, numbers.slice(0, N / 2).map((n) => n + N * round))
  while (level.length > 1) {
    all.push(...level)
    const next: Array<Future<number>> = []
    for (let i = 0; i + 1 < level.length; i += 2) next.push(yield* client.submit(tasks.add, level[i]!, level[i + 1]!))
    if (level.length % 2 === 1) next.push(level.at(-1)!)
    level = next
  }
  return [...level, ...all]
})

/** From the first submission to the last result known, then released. */
const run = (submitting: Submitting) =>
  Effect.gen(function*() {
    const client = yield* Client
    round++
    const [ms, futures] = yield* timed(Effect.tap(submitting, (futures) => client.wait(futures)))
    yield* Effect.forEach(futures, (future) => future.release, { discard: true })
    return ms
  })

const throughput = Effect.gen(function*() {
  yield* rate("map of 10,000, cold", N, yield* run(map(tasks.inc)))
  for (const [name, submitting] of [["map", map(tasks.inc)], ["merge", merge], ["tree", tree], ["map in threads", map(tasks.incInThread)]] as const) {
    // Warm is what has run five times: until then the compiler is still at work, in four processes on the same cores.
    for (let i = 0; i < 5; i++) yield* run(submitting)
    const rounds: Array<number> = []
    for (let i = 0; i < 5; i++) rounds.push(yield* run(submitting))
    yield* rate(`${name} of 10,000, warm, median of 5`, N, rounds.sort((a, b) => a - b)[2]!)
  }
})

const roundTrips = Effect.gen(function*() {
  const client = yield* Client
  const trips: Array<number> = []
  for (let n = 0; n < 2_000; n++) {
    const [ms, future] = yield* timed(Effect.tap(client.submit(tasks.inc, -1 - n), (future) => future.result))
    yield* future.release
    trips.push(ms)
  }
  const sorted = trips.slice(500).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!.toFixed(3)
  yield* Console.log(`${"round trip back to back: submit → result".padEnd(46)} p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`)
})

Effect.gen(function*() {
  yield* Console.log(`load before: ${loadavg().map((load) => load.toFixed(2)).join(" ")}`)
  const calledAt = yield* now
  const cluster = LocalCluster.layer({ workers: 2, threadsPerWorker: 1, tasks: new URL("./smokeTasks.ts", import.meta.url) })
  yield* Effect.gen(function*() {
    yield* Console.log(`${"cluster of 2 workers ready".padEnd(46)} ${((yield* now) - calledAt).toFixed(1).padStart(9)} ms`)
    yield* bounds
    yield* throughput
    yield* roundTrips
  }).pipe(Effect.provide(cluster))
  yield* Console.log(`load after: ${loadavg().map((load) => load.toFixed(2)).join(" ")}`)
  if (broken > 0) yield* Effect.sync(() => process.exitCode = 1)
}).pipe(Effect.scoped, NodeRuntime.runMain)
