/**
 * Attempts: repeated after a while, stopped when they take too long, and heard of meanwhile. The whole stack in virtual time.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Context, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { Client } from "@skein/client/Client"
import { type Future } from "@skein/client/Future"
import { type TaskError, TaskOrigin, type TaskReason } from "@skein/protocol/Failure"
import { Task } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
import { exitProcess, spend } from "@skein/simulation/Body"
import { Sim } from "@skein/simulation/testing/index"
import { it } from "@skein/simulation/testing/it"

const now = Clock.currentTimeMillis
const attemptOf = Effect.map(TaskContext, ({ attempt }) => attempt)

/** Fails at each attempt before this one. */
const succeedsAt = Task.fn("succeedsAt", (n: number) => Effect.flatMap(attemptOf, (attempt) => attempt < n ? Effect.fail(`attempt ${attempt}`) : Effect.succeed(attempt)))
const throwsBefore = Task.fn("throwsBefore", (n: number) => {
  const attempt = TaskContext.current()!.attempt
  if (attempt < n) throw new Error(`attempt ${attempt}`)
  return attempt
})
const sleeps = Task.fn("sleeps", (ms: number) => Effect.as(Effect.sleep(ms), ms))
const computes = Task.fn("computes", (ms: number) => {
  spend(ms)
  return ms
})
/** Takes long at first, and less each time. */
const hurries = Task.fn("hurries", () => Effect.flatMap(attemptOf, (attempt) => Effect.as(Effect.sleep(100 / attempt), attempt)))
/** Cleans up for a while when it is stopped. */
let cleanedUp = 0
const cleansUp = Task.fn("cleansUp", () => Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep(50), Effect.sync(() => void cleanedUp++))))
/** Will not be interrupted. */
const clings = Task.fn("clings", () => Effect.flatMap(attemptOf, (attempt) => attempt === 1 ? Effect.uninterruptible(Effect.as(Effect.sleep("1 hour"), 0)) : Effect.succeed(attempt)))
const exits = Task.fn("exits", (before: number) => {
  if (TaskContext.current()!.attempt < before) exitProcess(3)
  return "lived"
})
const counts = Task.fn("counts", (to: number) => Effect.gen(function*() {
  const task = yield* TaskContext
  for (let n = 1; n <= to; n++) {
    yield* task.progress(n, to, `at ${n}`)
    yield* Effect.sleep(50)
  }
  return to
}))
const countsInThread = Task.fn("countsInThread", (to: number) => {
  const task = TaskContext.current()!
  for (let n = 1; n <= to; n++) task.progress(n)
  spend(3_000)
  return to
})
const submitsInThread = Task.fn("submitsInThread", Effect.fnUntraced(function*() {
  const client = yield* Client
  return yield* (yield* client.submit(sleeps, 1)).result
}), { isolation: "thread" })
const asksInThread = Task.fn("asksInThread", Effect.fnUntraced(function*() {
  return (yield* (yield* TaskContext).client).id
}), { isolation: "thread" })
const sameClient = Task.fn("sameClient", () => Effect.gen(function*() {
  const { client } = yield* TaskContext
  const theirs = yield* client
  assert.strictEqual(theirs, yield* Client)
  return yield* (yield* theirs.submit(sleeps, 1)).result
}))
/** Settles with the signal, and not by the event loop, which a simulation does not see. */
const isAborted = Task.fn("isAborted", (ms: number) => {
  const { signal } = TaskContext.current()!
  return { then: (resolve: (value: string) => void) => signal.addEventListener("abort", () => resolve(`aborted ${ms}`)) }
})
const inc = Task.fn("inc", (n: number) => n + 1)

const failureOf = Effect.fnUntraced(function*<A, E>(future: Future<A, E>) {
  const exit = yield* Effect.exit(future.result)
  if (Exit.isSuccess(exit)) return yield* Effect.die(new Error("it did not fail"))
  return exit.cause
})
/** Why the cluster failed it. */
const reasonOf = <A, E>(future: Future<A, E>): Effect.Effect<TaskReason> =>
  Effect.map(failureOf(future), (cause) => (Option.getOrThrow(Cause.findErrorOption(cause)) as TaskError).reason)
const originOf = (cause: Cause.Cause<unknown>) => Option.getOrThrow(Context.getOption(Cause.annotations(cause), TaskOrigin))

const few = { seeds: 2, seed: 1, workers: 2 }

describe("retries", () => {
  it.sim("are made at once, as often as was said (test_client.py::test_retries_get)", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.with({ retries: 2 }).submit(succeedsAt, 3)).result, 3)
    assert.strictEqual(yield* (yield* client.with({ retries: 2 }).submit(throwsBefore, 3)).result, 3)
  }), few)

  it.sim("end in the last failure, with its origin, if they do not suffice (test_client.py::test_compute_retries)", () => Effect.gen(function*() {
    const client = yield* Client
    const failed = yield* client.with({ retries: 1 }).submit(succeedsAt, 9)
    const cause = yield* failureOf(yield* client.submit(inc, failed as never))
    assert.deepStrictEqual(Option.getOrThrow(Cause.findErrorOption(cause)) as unknown, "attempt 2")
    const { attempt, key, task, worker } = originOf(cause)
    assert.deepStrictEqual({ attempt, key, task }, { attempt: 2, key: failed.key, task: "succeedsAt" })
    assert.match(worker, /^worker-\d$/)
    const reason = yield* reasonOf(yield* client.with({ retries: 2 }).submit(throwsBefore, 9))
    if (reason._tag !== "TaskDefect") return assert.fail(reason._tag)
    assert.deepStrictEqual(reason.attempts.map(({ detail, ended }) => `${ended}: ${detail}`), [
      "failed: the body failed or threw", "failed: the body failed or threw", "failed: Error: attempt 3"
    ])
    assert.include(reason.remoteStack, "attempt 3")
  }), few)

  it.sim("are as many for each item of a map (test_client.py::test_map_retries)", () => Effect.gen(function*() {
    const client = yield* Client
    assert.deepStrictEqual(yield* client.gather(yield* client.with({ retries: 2 }).map(succeedsAt, [1, 2, 3])), [1, 2, 3])
  }), few)

  it.sim("wait for their delay, which grows", () => Effect.gen(function*() {
    const client = yield* Client
    const from = yield* now
    const future = yield* client.with({ retries: { times: 3, delay: "1 second", factor: 3, maxDelay: "2 seconds" } }).submit(succeedsAt, 4)
    yield* Effect.sleep(500)
    assert.deepStrictEqual((yield* client.inspect.tasks([future]))[0]?.status, "waiting")
    assert.strictEqual(yield* future.result, 4)
    const took = (yield* now) - from
    assert.isAtLeast(took, 5_000)
    assert.isBelow(took, 5_500)
  }), few)

  it.sim("that wait are cancelled at once", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.with({ retries: { times: 3, delay: "1 hour" } }).submit(succeedsAt, 4)
    yield* Effect.sleep(500)
    const from = yield* now
    assert.strictEqual(yield* future.cancel(), "cancelled")
    assert.isBelow((yield* now) - from, 100)
    assert.strictEqual((yield* reasonOf(future))._tag, "TaskCancelled")
  }), few)

  it.sim("survive what a cluster promises to survive", () => Effect.gen(function*() {
    const client = yield* Client
    const delayed = client.with({ retries: { times: 5, delay: "300 millis", factor: 1 } })
    assert.deepStrictEqual(yield* client.gather(yield* delayed.map(hurriesTo, [1, 2, 3, 4])), [1, 2, 3, 4])
  }), { seeds: 5, seed: 1, workers: 3, faults: "default" })
})

/** Fails, or takes too long, a few times; ends of workers count as attempts too. */
const hurriesTo = Task.fn("hurriesTo", (n: number) => Effect.flatMap(attemptOf, (attempt) =>
  attempt >= n ? Effect.succeed(n) : Effect.andThen(Effect.sleep(50), Effect.fail("again"))))

/** Fails in a thread; and where its worker may end first. */
const failsInThread = Task.fn("failsInThread", Effect.fnUntraced(function*() {
  return yield* Effect.fail("typed")
}), { isolation: "thread" })
const failsLate = Task.fn("failsLate", () => Effect.andThen(Effect.sleep(1_000), Effect.fail("late")))

describe("the origin of a failure", () => {
  it.sim("is told from a thread, after retries, after the end of a worker, and to whoever depends on it", () => Effect.gen(function*() {
    const client = yield* Client
    const sim = yield* Sim
    const inThread = yield* client.with({ retries: 1 }).submit(failsInThread)
    const late = yield* client.submit(failsLate)
    yield* Effect.sleep(100)
    const [{ workers } = { workers: [] }] = yield* client.inspect.tasks([late])
    yield* sim.kill(workers[0]!)
    yield* late.await
    const timed = yield* client.with({ timeout: 10, retries: 12 }).submit(sleeps, 3_600_000)
    const expected = [[inThread, "failsInThread", 2], [late, "failsLate", 2], [timed, "sleeps", 13]] as const
    for (const [future, name, number] of expected) {
      for (const asked of [future, yield* client.submit(inc, future as never)]) {
        const { attempt, key, remoteStack, task, worker } = originOf(yield* failureOf<unknown, unknown>(asked))
        assert.deepStrictEqual({ attempt, key, task }, { attempt: number, key: future.key, task: name })
        assert.match(worker, /^worker-\d$/)
        assert.isString(remoteStack)
      }
    }
  }), { seeds: 2, seed: 1, workers: 2 })
})

describe("a timeout", () => {
  it.sim("ends a fiber and a thread that run on, and says so with each attempt", () => Effect.gen(function*() {
    const client = yield* Client
    for (const task of [sleeps, computes]) {
      const from = yield* now
      const reason = yield* reasonOf(yield* client.with({ timeout: "2 seconds", retries: 1, pure: false }).submit(task, 3_600_000))
      if (reason._tag !== "TaskTimeout") return assert.fail(reason._tag)
      assert.strictEqual(Duration.toMillis(reason.limit), 2_000)
      assert.deepStrictEqual(reason.attempts.map(({ ended }) => ended), ["timeout", "timeout"])
      for (const { endedAtMs, startedAtMs, worker } of reason.attempts) {
        assert.isAtLeast(endedAtMs - startedAtMs, 2_000)
        assert.isBelow(endedAtMs - startedAtMs, 2_100)
        assert.match(worker, /^worker-\d$/)
      }
      assert.isBelow((yield* now) - from, 4_500)
    }
    // Their slots are free again.
    assert.deepStrictEqual(yield* client.gather(yield* client.with({ pure: false }).map(computes, [1, 2, 3, 4])), [1, 2, 3, 4])
  }), few)

  it.sim("leaves what ends in time alone, however long it waits to begin", () => Effect.gen(function*() {
    const client = yield* Client
    const limited = client.with({ timeout: "1 second", pure: false })
    assert.deepStrictEqual(yield* client.gather(yield* limited.map(computes, Array.from({ length: 12 }, () => 900))), Array.from({ length: 12 }, () => 900))
  }), { ...few, workers: 1, threadsPerWorker: 1 })

  it.sim("counts for each attempt anew", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.with({ timeout: 40, retries: 5 }).submit(hurries)).result, 3)
  }), few)

  it.sim("lets the body clean up, as a cancellation does", () => Effect.gen(function*() {
    cleanedUp = 0
    const client = yield* Client
    assert.strictEqual((yield* reasonOf(yield* client.with({ timeout: 100 }).submit(cleansUp)))._tag, "TaskTimeout")
    yield* Effect.sleep(200)
    assert.strictEqual(cleanedUp, 1)
  }), few)

  it.sim("costs a worker its process if nothing less helps, and the task is repeated", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.with({ timeout: 100, retries: 1 }).submit(clings)).result, 2)
    yield* Effect.sleep("30 seconds")
    assert.strictEqual((yield* client.inspect.workers).length, 2)
  }), few)

  it.sim("is told before the end of an async body that is asked to stop", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.with({ timeout: 100 }).submit(isAborted, 1)
    assert.strictEqual((yield* reasonOf(future))._tag, "TaskTimeout")
    const cancelled = yield* client.submit(isAborted, 2)
    yield* Effect.sleep(100)
    assert.strictEqual(yield* cancelled.cancel(), "cancelled")
  }), few)
})

describe("a task that ends what runs it", () => {
  it.sim("is repeated three times, and stopped at the fourth (test_scheduler.py::test_bad_tasks_fail)", () => Effect.gen(function*() {
    const client = yield* Client
    const cause = yield* failureOf(yield* client.submit(exits, 99))
    const error = Option.getOrThrow(Cause.findErrorOption(cause)) as TaskError
    if (error.reason._tag !== "KilledWorker") return assert.fail(error.reason._tag)
    const { attempts } = error.reason
    assert.deepStrictEqual(attempts.map(({ detail, ended }) => `${ended}: ${detail}`), Array.from({ length: 4 }, () => "exit: the thread ended with code 3"))
    for (const { endedAtMs, startedAtMs } of attempts) assert.isAtLeast(endedAtMs, startedAtMs)
    assert.match(error.message, /^SKEIN3002 exits-\w+ was stopped after 4 attempts, each ended its worker \(allowedFailures: 3\)\n {2}# {2}worker {4}ran {2,}ended\n {2}1 {2}worker-\d/)
    const { attempt, task, worker } = originOf(cause)
    assert.deepStrictEqual({ attempt, task, worker }, { attempt: 4, task: "exits", worker: attempts[3]!.worker })
  }), few)

  it.sim("finishes if it does not do so for ever", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.submit(exits, 4)).result, "lived")
  }), few)

  it.sim("is told apart from those that merely ran beside it (test_failed_workers.py::test_broken_worker_during_computation)", () => Effect.gen(function*() {
    const client = yield* Client
    const sim = yield* Sim
    const long = yield* client.submit(sleeps, 3_000)
    yield* Effect.sleep(100)
    const [{ workers } = { workers: [] }] = yield* client.inspect.tasks([long])
    yield* sim.kill(workers[0]!)
    assert.strictEqual(yield* long.result, 3_000)
  }), few)
})

describe("workers that cannot be reached", () => {
  it.sim("are given up after a while, and their tasks are computed elsewhere (test_scheduler.py::test_worker_time_to_live)", () => Effect.gen(function*() {
    const client = yield* Client
    const sim = yield* Sim
    const future = yield* client.submit(sleeps, 1_000)
    yield* Effect.sleep(100)
    const [{ workers } = { workers: [] }] = yield* client.inspect.tasks([future])
    const from = yield* now
    yield* sim.pause(workers[0]!, "10 minutes")
    assert.strictEqual(yield* future.result, 1_000)
    assert.isBelow((yield* now) - from, 15_000)
  }), few)
})

describe("progress", () => {
  const heard = (future: Future<number, never>) => Stream.runCollect(Stream.map(future.progress, ({ done, note, total }) => [done, Option.getOrUndefined(total), note] as const))

  it.sim("is heard while the task runs, the latest now and then, and the last before it ends", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.submit(counts, 40)
    const watching = yield* Effect.forkChild(heard(future), { startImmediately: true })
    assert.strictEqual(yield* future.result, 40)
    const words = yield* Fiber.join(watching)
    assert.deepStrictEqual(words.at(-1), [40, 40, "at 40"])
    // Two seconds, at five words a second and one more at each end.
    assert.isAtLeast(words.length, 5)
    assert.isAtMost(words.length, 13)
    for (const [n, [done]] of words.entries()) if (n > 0) assert.isAbove(done, words[n - 1]![0])
  }), few)

  it.sim("is heard by who comes later, and by several", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.submit(counts, 40)
    yield* Effect.sleep(1_000)
    const first = yield* Stream.runHead(future.progress)
    assert.isAbove(Option.getOrThrow(first).done, 5)
    const [a, b] = yield* Effect.all([heard(future), heard(future)], { concurrency: 2 })
    assert.deepStrictEqual(a, b)
    assert.deepStrictEqual(a.at(-1), [40, 40, "at 40"])
    assert.deepStrictEqual(yield* heard(future), [])
  }), few)

  it.sim("comes from threads too", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.submit(countsInThread, 500)
    const words = yield* heard(future)
    assert.strictEqual(yield* future.result, 500)
    assert.isAtMost(words.length, 2)
    assert.deepStrictEqual(words.at(-1), [500, undefined, ""])
  }), few)

  it.sim("survives what a cluster promises to survive", () => Effect.gen(function*() {
    const client = yield* Client
    const future = yield* client.submit(counts, 20)
    const watching = yield* Effect.forkChild(heard(future), { startImmediately: true })
    assert.strictEqual(yield* future.result, 20)
    yield* Fiber.join(watching)
  }), { seeds: 4, seed: 1, workers: 2, faults: "default" })
})

describe("the client of a body", () => {
  it.sim("is its task's own", () => Effect.gen(function*() {
    const client = yield* Client
    assert.strictEqual(yield* (yield* client.submit(sameClient)).result, 1)
  }), few)

  it.sim("is refused in a thread, by name", () => Effect.gen(function*() {
    const client = yield* Client
    for (const future of [yield* client.submit(submitsInThread), yield* client.submit(asksInThread)]) {
      const reason = yield* reasonOf<unknown, unknown>(future)
      if (reason._tag !== "TaskDefect") return assert.fail(reason._tag)
      assert.match(
        (reason.cause as Error).message,
        /^the task \w+-\w+ runs in a thread, and there is no client in a thread\n {2}fix {2}`isolation: "fiber"`, which is what Effects have if nothing is said$/
      )
    }
  }), few)
})
