/** The pool with real threads. The bounds in time that are asserted are the promised ones. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Deferred, Effect, Exit, Fiber, Queue, Scope } from "effect"
import type { CodeDef } from "@skein/protocol/Code"
import { RunId } from "@skein/protocol/Ids"
import * as NodeThreads from "@skein/runtime/node/NodeThreads"
import type { FromThread, ToThread } from "@skein/runtime/worker/ThreadMessages"
import * as Threads from "@skein/runtime/worker/Threads"

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const decode = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))

/** What the pool does not look at. */
const sure = { moduleFirst: false, body: "unknown" } as const

let runs = 0
const job = (text: string, args: ReadonlyArray<unknown> = [], inputs: ReadonlyArray<unknown> = []): Threads.Job => ({
  run: RunId.make(++runs),
  code: { digest: text, name: "f", kind: "function", text, module: null, isolation: "thread", version: 1, ...sure } satisfies CodeDef,
  key: `key-${runs}`,
  attempt: 1,
  args: encode(args),
  inputs: inputs.map(encode)
})

const codeModule = new URL("../fixtures/threadCode.ts", import.meta.url).href

const begin = (options: Partial<Threads.Options> = {}, module = codeModule) =>
  Threads.make({ nthreads: 1, ...options }).pipe(
    Effect.provide(NodeThreads.layer({ codeModule: module, worker: "w" }))
  )

/** The outcome's value as the body returned it. */
const valueOf = (outcome: Threads.JobOutcome): unknown => {
  assert.strictEqual(outcome._tag, "Succeeded", JSON.stringify(outcome))
  return outcome._tag === "Succeeded" ? decode(outcome.value) : undefined
}

/** Starts a job and waits until it has begun. */
const started = (threads: Threads.Threads, job: Threads.Job) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(threads.run(job))
    const begun = Effect.repeat(Effect.delay(threads.executing, 2), { until: (runs) => runs.includes(job.run) })
    const ended = Effect.flatMap(Fiber.join(fiber), (outcome) => Effect.die(`it has ended: ${JSON.stringify(outcome)}`))
    yield* Effect.raceFirst(begun, ended)
    return fiber
  })

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const since = performance.now()
    return Effect.map(effect, (value) => [value, performance.now() - since] as const)
  })

describe("running", () => {
  it.live("two thousand small jobs on two threads all give their own results", () =>
    Effect.gen(function*() {
      const threads = yield* begin({ nthreads: 2 })
      const outcomes = yield* Effect.forEach(
        Array.from({ length: 2_000 }, (_, i) => i),
        (i) => threads.run(job("(i) => i * 2", [i])),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(outcomes.map(valueOf), Array.from({ length: 2_000 }, (_, i) => i * 2))
    }))

  it.live("one thread runs jobs in the order of the calls", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const count = "() => globalThis.count = (globalThis.count ?? 0) + 1"
      const outcomes = yield* Effect.forEach(Array.from({ length: 50 }), () => threads.run(job(count)), { concurrency: "unbounded" })
      assert.deepStrictEqual(outcomes.map(valueOf), Array.from({ length: 50 }, (_, i) => i + 1))
    }))

  it.live("a job gets its arguments, its inputs and what it is", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const asked = job("(a, b, c, job) => [a, b, c, job.key, job.attempt, job.worker]", ["arg"], [{ deep: [1] }, 2])
      const value = valueOf(yield* threads.run(asked))
      assert.deepStrictEqual(value, ["arg", { deep: [1] }, 2, asked.key, 1, "w"])
    }))

  it.live("a body that throws is an outcome, and the thread lives on", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const outcome = yield* threads.run(job("() => { throw new TypeError('no') }"))
      assert.ok(outcome._tag === "Failed")
      assert.deepStrictEqual([decode(outcome.failure), outcome.retryable], ["TypeError: no", true])
      assert.strictEqual(valueOf(yield* threads.run(job("() => 1"))), 1)
      assert.strictEqual((yield* threads.counts).ending, 0)
    }))

  it.live("an asynchronous body is waited for", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      assert.strictEqual(valueOf(yield* threads.run(job("async (x) => { await null; return x }", [5]))), 5)
    }))

  it.live("what a body says of itself is heard before its end, if not at each step, and so is that it begins", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const heard: Array<readonly [run: number, done: number, total: number | undefined, note: string]> = []
      const begun: Array<number> = []
      const on: Threads.JobListener = {
        begun: (run) => void begun.push(run),
        progress: (run, { done, note, total }) => void heard.push([run, done, total, note])
      }
      const steps = "(n, job) => { for (let i = 1; i <= n; i++) job.tell(job.run, { done: i, total: i === n ? undefined : n, note: `s${i} ä` }); return n }"
      const says = { ...job(steps, [1_000]), timed: true, on }
      const silent = { ...job("() => 1"), on }
      assert.deepStrictEqual((yield* Effect.all([threads.run(says), threads.run(silent)], { concurrency: 2 })).map(valueOf), [1_000, 1])
      assert.deepStrictEqual(begun, [says.run])
      assert.isAtMost(heard.length, 200)
      assert.deepStrictEqual(heard[0], [says.run, 1, 1_000, "s1 ä"])
      assert.deepStrictEqual(heard.at(-1), [says.run, 1_000, undefined, "s1000 ä"])
      assert.deepStrictEqual(heard.map(([, done]) => done), heard.map(([, done]) => done).toSorted((a, b) => a - b))
    }))

  it.live("large values come back whole", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const text = "x".repeat(1 << 20)
      assert.strictEqual(valueOf(yield* threads.run(job("(a, b) => a + b", [text], [text]))), text + text)
    }))

  it.live("the caller keeps its bytes", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const asked = job("(a) => a", ["mine"])
      yield* threads.run(asked)
      assert.deepStrictEqual(decode(asked.args), ["mine"])
    }))
})

describe("threads", () => {
  it.live("are started on first use, and a spare is kept once a job has ended", () =>
    Effect.gen(function*() {
      const threads = yield* begin({ nthreads: 2 })
      assert.deepStrictEqual(yield* threads.counts, { busy: 0, idle: 0, starting: 0, ending: 0 })
      yield* Effect.all([threads.run(job("() => 1")), threads.run(job("() => 1"))], { concurrency: 2 })
      const spin = "() => { for (;;); }"
      yield* started(threads, job(spin))
      yield* started(threads, job(spin))
      yield* Effect.repeat(Effect.delay(threads.counts, 2), { until: (counts) => counts.idle === 1 })
      assert.deepStrictEqual(yield* threads.counts, { busy: 2, idle: 1, starting: 0, ending: 0 })
    }))

  it.live("an idle one takes what is queued behind a long job of another", () =>
    Effect.gen(function*() {
      const threads = yield* begin({ nthreads: 2 })
      // One thread is up and takes the endless job with the short ones behind it; the other comes up later.
      yield* threads.run(job("() => 1"))
      const fibers = yield* Effect.forEach(
        [job("() => { for (;;); }"), ...Array.from({ length: 7 }, () => job("() => 2"))],
        (job) => Effect.forkChild(threads.run(job))
      )
      const outcomes = yield* Effect.forEach(fibers.slice(1), Fiber.join)
      assert.deepStrictEqual(outcomes.map(valueOf), [2, 2, 2, 2, 2, 2, 2])
    }))

  it.live("that cannot start end the jobs that wait, instead of being started for ever", () =>
    Effect.gen(function*() {
      const threads = yield* begin({}, new URL("../fixtures/brokenCode.ts", import.meta.url).href)
      const outcome = yield* threads.run(job("() => 1"))
      assert.ok(outcome._tag === "Exited")
      assert.match(outcome.detail, /no thread starts.*this module is broken/)
      assert.deepStrictEqual(yield* threads.counts, { busy: 0, idle: 0, starting: 0, ending: 0 })
    }))

  it.live("are all gone when the scope is", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const threads = yield* Scope.provide(begin({ nthreads: 2 }), scope)
      yield* threads.run(job("() => 1"))
      const spinning = yield* started(threads, job("() => { for (;;); }"))
      const waiting = yield* Effect.forkChild(threads.run(job("() => 1")))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* threads.counts, { busy: 0, idle: 0, starting: 0, ending: 0 })
      assert.deepStrictEqual(yield* Fiber.join(spinning), { _tag: "Stopped", begun: true })
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* threads.run(job("() => 1")), { _tag: "Stopped", begun: false })
    }))
})

describe("stopping", () => {
  for (
    const [what, text] of [
      ["a spinning loop", "() => { for (;;); }"],
      ["a spinning regular expression", "() => /^(a+)+$/.test('a'.repeat(40) + 'b')"],
      ["a wait for nothing", "() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"]
    ] as const
  ) {
    it.live(`${what} is ended within a second, and the jobs behind it run on the spare`, () =>
      Effect.gen(function*() {
        const threads = yield* begin()
        yield* threads.run(job("() => 1"))
        const endless = job(text)
        const fiber = yield* started(threads, endless)
        const behind = yield* Effect.forEach([1, 2, 3, 4, 5], (i) => Effect.forkChild(threads.run(job("(i) => i", [i]))))
        const [outcome, ms] = yield* timed(Effect.andThen(Effect.sync(() => threads.terminate(endless.run)), Fiber.join(fiber)))
        assert.deepStrictEqual(outcome, { _tag: "Stopped", begun: true })
        assert.isBelow(ms, 1_000)
        assert.deepStrictEqual((yield* Effect.forEach(behind, Fiber.join)).map(valueOf), [1, 2, 3, 4, 5])
      }))
  }

  it.live("a job queued behind an endless one is cancelled at once, and never begins", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      yield* threads.run(job("() => 1"))
      const endless = job("() => { for (;;); }")
      const spinning = yield* started(threads, endless)
      const queued = job("() => globalThis.ran = true")
      const fiber = yield* Effect.forkChild(threads.run(queued), { startImmediately: true })
      yield* Effect.yieldNow
      threads.cancel(queued.run)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Stopped", begun: false })
      threads.cancel(endless.run)
      assert.isUndefined(spinning.pollUnsafe())
      threads.terminate(endless.run)
      yield* Fiber.join(spinning)
    }))

  it.live("a job that waits for a thread is cancelled before there is one", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const waiting = job("() => 1")
      const fiber = yield* Effect.forkChild(threads.run(waiting), { startImmediately: true })
      threads.cancel(waiting.run)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Stopped", begun: false })
    }))

  it.live("execSync cannot be stopped by ending its thread: it is reported as stuck, and others go on", () =>
    Effect.gen(function*() {
      const stuck = yield* Deferred.make<RunId>()
      const threads = yield* begin({
        stuckAfter: "100 millis",
        onStuck: (run) => Deferred.doneUnsafe(stuck, Effect.succeed(run))
      })
      yield* threads.run(job("() => 1"))
      // Terminated any earlier than in the system call, it would end like any other.
      const inside = join(mkdtempSync(join(tmpdir(), "skein-test-")), "inside")
      const blocked = job("(inside) => require('node:child_process').execSync(`touch ${inside}; sleep 1`)", [inside])
      const fiber = yield* started(threads, blocked)
      yield* Effect.repeat(Effect.delay(Effect.sync(() => existsSync(inside)), 2), { until: (there) => there })
      rmSync(dirname(inside), { recursive: true })
      const [run, ms] = yield* timed(Effect.andThen(Effect.sync(() => threads.terminate(blocked.run)), Deferred.await(stuck)))
      assert.strictEqual(run, blocked.run)
      assert.isBelow(ms, 1_000)
      assert.strictEqual(valueOf(yield* threads.run(job("() => 1"))), 1)
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual((yield* threads.counts).ending, 1)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Stopped", begun: true })
    }))

  it.live("interrupting the caller terminates the job", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const fiber = yield* started(threads, job("() => { for (;;); }"))
      const [, ms] = yield* timed(Fiber.interrupt(fiber))
      assert.isBelow(ms, 1_000)
      assert.strictEqual(valueOf(yield* threads.run(job("() => 1"))), 1)
    }))
})

describe("a thread that ends", () => {
  it.live("by process.exit is the end of that job alone", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      yield* threads.run(job("() => 1"))
      const fibers = yield* Effect.forEach(
        [job("() => process.exit(7)"), job("() => 2"), job("() => 3")],
        (job) => Effect.forkChild(threads.run(job))
      )
      const [exited, ...others] = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(exited, { _tag: "Exited", code: 7, detail: "the thread ended with code 7" })
      assert.deepStrictEqual(others.map(valueOf), [2, 3])
    }))

  it.live("of an error that nobody caught says which", () =>
    Effect.gen(function*() {
      const threads = yield* begin()
      const text = "() => { setTimeout(() => { throw new RangeError('late') }); return new Promise(() => {}) }"
      const outcome = yield* threads.run(job(text))
      assert.ok(outcome._tag === "Exited")
      assert.strictEqual(outcome.detail, "the thread ended with an uncaught RangeError: late")
    }))
})

/** Threads of which the test is every one; they keep what they are posted. */
describe("with threads that the test plays", () => {
  const play = Effect.gen(function*() {
    const cast = yield* Queue.unbounded<Actor>()
    const layer = Threads.ThreadSpawner.of({
      start: (claims, on) => {
        const actor: Actor = { claims, say: on.message, exit: on.exit, posted: [], terminated: false, obedient: true }
        Queue.offerUnsafe(cast, actor)
        return {
          post: (message) => void actor.posted.push(message),
          terminate: () => {
            actor.terminated = true
            if (actor.obedient) on.exit(1, "terminated")
          }
        }
      }
    })
    const threads = yield* Effect.provideService(Threads.make({ nthreads: 1 }), Threads.ThreadSpawner, layer)
    return { threads, next: Queue.take(cast) }
  })
  interface Actor {
    readonly claims: Int32Array<SharedArrayBuffer>
    readonly say: (message: FromThread) => void
    readonly exit: (code: number, detail: string) => void
    readonly posted: Array<ToThread>
    terminated: boolean
    /** Ends as soon as it is terminated. */
    obedient: boolean
  }

  it.effect("what is given in one turn goes in one message, and code is told once", () =>
    Effect.gen(function*() {
      const { threads, next } = yield* play
      const jobs = Array.from({ length: 4 }, () => job("same"))
      const fibers = yield* Effect.forEach(jobs, (job) => Effect.forkChild(threads.run(job)))
      const actor = yield* next
      actor.say({ _tag: "Up" })
      assert.deepStrictEqual(actor.posted.map((message) => [message.codes.length, message.jobs.length]), [[1, 4]])
      for (const { run } of jobs) actor.say({ _tag: "Succeeded", run, value: encode(1), ms: 0 })
      yield* Fiber.joinAll(fibers)
      yield* Effect.forkChild(threads.run(job("same")), { startImmediately: true })
      yield* Effect.repeat(Effect.yieldNow, { until: () => actor.posted.length > 1 })
      assert.strictEqual(actor.posted[1]?.codes.length, 0)
    }))

  it.effect("a cancelled job's place is used again once its thread has skipped it", () =>
    Effect.gen(function*() {
      const { threads, next } = yield* play
      const first = yield* Effect.forkChild(threads.run(job("a")))
      const actor = yield* next
      actor.say({ _tag: "Up" })
      for (let round = 0; round < 300; round++) {
        const { cell, run } = actor.posted.at(-1)!.jobs[0]!
        threads.cancel(RunId.make(run))
        actor.say({ _tag: "Skipped", cell })
        yield* Effect.forkChild(threads.run(job("a")))
        yield* Effect.repeat(Effect.yieldNow, { until: () => actor.posted.length === round + 2 })
      }
      assert.deepStrictEqual(yield* Fiber.join(first), { _tag: "Stopped", begun: false })
    }))

  it.effect("what is queued in a thread that is terminated does not wait for its end", () =>
    Effect.gen(function*() {
      const { threads, next } = yield* play
      const [stuck, behind] = [job("a"), job("b")]
      yield* Effect.forkChild(threads.run(stuck))
      yield* Effect.forkChild(threads.run(behind))
      const actor = yield* next
      actor.say({ _tag: "Up" })
      Atomics.store(actor.claims, actor.posted[0]!.jobs[0]!.cell, 1)
      actor.obedient = false
      threads.terminate(stuck.run)
      const other = yield* next
      other.say({ _tag: "Up" })
      assert.deepStrictEqual(other.posted[0]?.jobs.map((job) => job.run), [behind.run])
      actor.exit(1, "terminated")
    }))

  it.effect("a job that began just as its neighbour was terminated is run again, without blame", () =>
    Effect.gen(function*() {
      const { threads, next } = yield* play
      const [target, neighbour] = [job("a"), job("b")]
      const first = yield* Effect.forkChild(threads.run(target))
      const second = yield* Effect.forkChild(threads.run(neighbour))
      const actor = yield* next
      actor.say({ _tag: "Up" })
      // The thread has finished the first, which nobody here knows yet, and begun the second.
      for (const { cell } of actor.posted[0]!.jobs) Atomics.store(actor.claims, cell, 1)
      actor.obedient = false
      threads.terminate(target.run)
      assert.isTrue(actor.terminated)
      actor.say({ _tag: "Succeeded", run: target.run, value: encode(1), ms: 0 })
      actor.exit(1, "terminated")
      assert.strictEqual((yield* Fiber.join(first))._tag, "Succeeded")
      const other = yield* next
      other.say({ _tag: "Up" })
      assert.deepStrictEqual(other.posted[0]?.jobs.map((job) => job.run), [neighbour.run])
      other.say({ _tag: "Succeeded", run: neighbour.run, value: encode(2), ms: 0 })
      assert.strictEqual(valueOf(yield* Fiber.join(second)), 2)
    }))
})
