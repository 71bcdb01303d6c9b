/**
 * When the next attempt at a task is made, and what is remembered of those before.
 */
import { assert, describe, it } from "@effect/vitest"
import * as View from "@skein/core/scheduler/View"
import * as Vector from "@skein/core/persistent/Vector"
import type { AttemptRules } from "@skein/protocol/Graph"
import { ProcessId } from "@skein/protocol/Ids"
import * as Option from "effect/Option"
import { Teller } from "../utils/StoryScheduler.ts"

const rules = (more: Partial<AttemptRules>): AttemptRules => ({ timeoutMs: Infinity, delayMs: 0, factor: 2, maxDelayMs: Infinity, ...more })

/** Ann's cluster of two workers with a thread each, and her task x. */
const cluster = (retries: number, more: Partial<AttemptRules>): Teller =>
  new Teller("test").joins("ann").worker("a").worker("b").wants("ann", [{ name: "x", retries, rules: rules(more) }])

const view = (teller: Teller, name = "x") => View.task(teller.state, teller.task(name))
const tasks = (teller: Teller) => [...Vector.values(teller.state.tasks)]
const until = (teller: Teller, name = "x") => View.delayedUntil(teller.state, teller.task(name))
const workerOf = (teller: Teller, name = "x") => teller.names.worker(view(teller, name)!.workers[0]!)

describe("the delay after a failed attempt", () => {
  const delays = (more: Partial<AttemptRules>, attempts: number): ReadonlyArray<number> => {
    const teller = cluster(attempts, more)
    return Array.from({ length: attempts }, () => {
      teller.failed(workerOf(teller), "x")
      const delay = (until(teller) ?? teller.at) - teller.at
      if (delay > 0) teller.pass(delay).ticks()
      return delay
    })
  }

  it("grows by its factor, up to its bound", () => {
    assert.deepStrictEqual(delays({ delayMs: 100 }, 4), [100, 200, 400, 800])
    assert.deepStrictEqual(delays({ delayMs: 100, factor: 1 }, 3), [100, 100, 100])
    assert.deepStrictEqual(delays({ delayMs: 100, factor: 10, maxDelayMs: 500 }, 3), [100, 500, 500])
    assert.deepStrictEqual(delays({ delayMs: 0, maxDelayMs: 500 }, 3), [0, 0, 0])
  })
})

describe("a task whose next attempt is delayed", () => {
  it("waits, on no worker and for nothing else, until its time", () => {
    const teller = cluster(2, { delayMs: 100 }).pass(7).failed("a", "x")
    assert.deepStrictEqual([view(teller)?.status, view(teller)?.workers, view(teller)?.waitingOn], ["waiting", [], []])
    assert.strictEqual(until(teller), 107)
    assert.strictEqual(teller.state.wakeAt, 107)
    teller.pass(99).ticks()
    assert.strictEqual(view(teller)?.status, "waiting")
    assert.strictEqual(teller.state.wakeAt, 107)
    teller.pass(1).ticks()
    assert.strictEqual(view(teller)?.status, "processing")
    assert.strictEqual(until(teller), undefined)
    teller.failed(workerOf(teller), "x")
    assert.strictEqual(until(teller), teller.at + 200)
  })

  it("leaves its slot to others, and goes before them by its rank when its time has come", () => {
    const teller = new Teller("test").joins("ann").worker("a").wants("ann", [
      { name: "x", retries: 1, rules: rules({ delayMs: 100 }) },
      { name: "y" }
    ])
    teller.failed("a", "x").wants("ann", [{ name: "z" }])
    assert.deepStrictEqual([view(teller, "y")?.status, view(teller)?.status], ["processing", "waiting"])
  })

  it("waits for the rest of its time beside its inputs, when one of these is lost meanwhile", () => {
    const teller = new Teller("test").joins("ann").worker("a").wants("ann", [
      { name: "w" },
      { name: "x", needs: ["w"], retries: 1, rules: rules({ delayMs: 100 }) }
    ])
    teller.finished("a", "w").failed("a", "x").lost("a").worker("b")
    assert.strictEqual(view(teller)?.waitingOn.length, 1)
    teller.finished("b", "w")
    assert.deepStrictEqual([view(teller)?.status, until(teller)], ["waiting", 100])
    teller.pass(100).ticks()
    assert.strictEqual(view(teller)?.status, "processing")
  })

  it("is not placed before its inputs are there, though its time has come", () => {
    const teller = new Teller("test").joins("ann").worker("a").wants("ann", [
      { name: "w" },
      { name: "x", needs: ["w"], retries: 1, rules: rules({ delayMs: 100 }) }
    ])
    teller.finished("a", "w").failed("a", "x").lost("a").pass(100).ticks().worker("b")
    assert.deepStrictEqual([view(teller)?.status, until(teller)], ["waiting", undefined])
    teller.finished("b", "w")
    assert.strictEqual(view(teller)?.status, "processing")
  })

  it("can be cancelled and released, and is not remembered", () => {
    const cancelled = cluster(1, { delayMs: 100 }).failed("a", "x").cancels("ann", ["x"])
    assert.deepStrictEqual([view(cancelled)?.status, cancelled.state.delays.size, cancelled.state.delayed.size], ["erred", 0, 0])
    const released = cluster(1, { delayMs: 100 }).failed("a", "x").releases("ann", "x")
    assert.deepStrictEqual([view(released), released.state.delays.size, released.state.tried.size], [undefined, 0, 0])
    // The tick that was asked for still comes.
    assert.strictEqual(view(released.pass(100).ticks()), undefined)
  })

  it("is wanted again at once by who retries it after it failed for good, with all its retries", () => {
    const teller = cluster(1, { delayMs: 100 }).failed("a", "x").pass(100).ticks()
    teller.failed(workerOf(teller), "x").retries("ann", "x")
    assert.deepStrictEqual([view(teller)?.status, until(teller)], ["processing", undefined])
    teller.failed(workerOf(teller), "x")
    assert.strictEqual(until(teller), teller.at + 100)
  })

  it("goes on at its own time, in the order of their times", () => {
    const teller = new Teller("test").joins("ann").worker("a", 3).wants("ann", [300, 100, 200].map((delayMs) => ({
      name: `after-${delayMs}`,
      retries: 1,
      rules: rules({ delayMs })
    })))
    for (const ms of [300, 100, 200]) teller.failed("a", `after-${ms}`)
    const waiting = () => [100, 200, 300].filter((ms) => view(teller, `after-${ms}`)?.status === "waiting")
    teller.pass(100).ticks()
    assert.deepStrictEqual(waiting(), [200, 300])
    teller.pass(100).ticks()
    assert.deepStrictEqual(waiting(), [300])
    teller.pass(100).ticks()
    assert.deepStrictEqual(waiting(), [])
  })
})

describe("an attempt that took too long", () => {
  const isStopping = (teller: Teller) => teller.state.stopping.size === 1

  it("is stopped, and repeated while there are retries", () => {
    const teller = cluster(1, { timeoutMs: 50 })
    const first = teller.run("x")
    teller.pass(50).timedOut("a", "x", 50)
    assert.deepStrictEqual([view(teller)?.status, isStopping(teller)], ["processing", true])
    assert.notStrictEqual(teller.run("x"), first)
    teller.stopped("a", "x", first)
    assert.isFalse(isStopping(teller))
  })

  it("fails its task when there are none left, with all attempts there were", () => {
    const teller = cluster(2, { timeoutMs: 50 }).pass(50).timedOut("a", "x", 50)
    teller.pass(10).failed(workerOf(teller), "x")
    teller.pass(60).timedOut(workerOf(teller), "x", 55)
    const status = tasks(teller)[0]?.status
    if (status?._tag !== "Erred" || status.failure._tag !== "TimedOut") return assert.fail("it did not fail by its limit")
    assert.strictEqual(status.failure.limitMs, 50)
    assert.deepStrictEqual(
      status.failure.attempts.map(({ detail, ended, endedAtMs, startedAtMs }) => ({ ended, detail, startedAtMs, endedAtMs })),
      [
        { ended: "timeout", detail: "ran longer than its limit of 50 ms", startedAtMs: 0, endedAtMs: 50 },
        { ended: "failed", detail: "the body failed or threw", startedAtMs: 59, endedAtMs: 60 },
        { ended: "timeout", detail: "ran longer than its limit of 50 ms", startedAtMs: 65, endedAtMs: 120 }
      ]
    )
    assert.deepStrictEqual(status.failure.attempts.map(({ peakMemoryBytes }) => peakMemoryBytes), [Option.none(), Option.none(), Option.none()])
  })

  it("costs its worker its process if it does not stop, and nobody is blamed for that", () => {
    const teller = cluster(1, { timeoutMs: 50 }).pass(50).timedOut("a", "x", 50).pass(2_000).ticks()
    assert.include(teller.text, "→ end a: a cancelled task did not stop")
    teller.dies("a")
    assert.isFalse(isStopping(teller))
    assert.deepStrictEqual(tasks(teller).map(({ trials }) => [trials.deaths.length, trials.suspect]), [[0, false]])
  })

  it("is old news once the task has been given up or has finished", () => {
    const teller = cluster(1, { timeoutMs: 50 })
    const run = teller.runOf("x")
    teller.finished("a", "x").reports("TasksTimedOut", "a", [{ ...run, ms: 50 }])
    assert.strictEqual(view(teller)?.status, "memory")
    assert.strictEqual(teller.state.tried.size, 0)
  })
})

describe("past attempts", () => {
  it("are told with the failure that ends the task, the last ten of them, and forgotten when it finishes", () => {
    const teller = cluster(12, {})
    for (let n = 0; n < 13; n++) teller.failed(workerOf(teller), "x")
    const status = tasks(teller)[0]?.status
    if (status?._tag !== "Erred" || status.failure._tag !== "Raised") return assert.fail("it has not failed")
    assert.strictEqual(status.failure.before?.length, 10)
    const finished = cluster(1, {}).failed("a", "x")
    assert.strictEqual(finished.state.tried.size, 1)
    finished.finished(workerOf(finished), "x")
    assert.strictEqual(finished.state.tried.size, 0)
  })
})

describe("allowed failures", () => {
  it("are how many workers or threads a task may end, and none if that is said (test_scheduler.py::test_bad_tasks_fail)", () => {
    for (const allowedFailures of [0, 1, 5]) {
      const teller = new Teller("test", { allowedFailures }).joins("ann").worker("a").wants("ann", [{ name: "x" }])
      for (let n = 0; n < allowedFailures; n++) teller.killed("a", "x")
      assert.strictEqual(view(teller)?.status, "processing")
      teller.killed("a", "x")
      const status = tasks(teller)[0]?.status
      assert.isTrue(status?._tag === "Erred" && status.failure._tag === "Killed" && status.failure.attempts.length === allowedFailures + 1)
    }
  })

  it("are told with what the nanny knew: how long the suspect ran, what memory it took and might have taken", () => {
    const teller = new Teller("test", { allowedFailures: 1 }).joins("ann").worker("a").wants("ann", [{ name: "x" }]).dies("a").worker("a").pass(1_000)
    const run = teller.run("x")
    teller.lost("a", {
      _tag: "Died",
      startedAt: 0,
      report: {
        process: ProcessId.make("p"), ended: "memory-limit", detail: "too much", peakMemoryBytes: 96, memoryLimitBytes: 100, logTail: ["last"], started: [run], ranMs: [200]
      }
    })
    const status = tasks(teller)[0]?.status
    assert.deepStrictEqual(status?._tag === "Erred" && status.failure._tag === "Killed" && status.failure.attempts.slice(1), [{
      worker: "a", startedAtMs: 800, endedAtMs: 1_000, ended: "memory-limit", detail: "too much", peakMemoryBytes: Option.some(96), memoryLimitBytes: 100, logTail: ["last"]
    }])
  })
})

describe("workers that fall silent", () => {
  const silent = { _tag: "Silent", silentMs: 5_000 } as const

  it("are blamed on what had reached them, and not on what was given to them since", () => {
    const teller = new Teller("test", { allowedFailures: 1 }).joins("ann")
    for (const name of ["a", "b", "c", "d"]) teller.worker(name)
    teller.wants("ann", [{ name: "x" }]).pass(8_000)
    const deaths = () => tasks(teller)[0]?.trials.deaths.length
    // A partition: all at once.
    for (let n = 1; n <= 3; n++) {
      teller.lost(workerOf(teller), silent)
      assert.deepStrictEqual([view(teller)?.status, deaths()], ["processing", 1])
      teller.pass(1)
    }
    teller.pass(4_998).lost(workerOf(teller), silent)
    assert.strictEqual(deaths(), 1)
  })

  it("are blamed on a task that keeps them silent, again and again", () => {
    const teller = new Teller("test", { allowedFailures: 1 }).joins("ann").worker("a").worker("b").wants("ann", [{ name: "x" }])
    for (let n = 0; n < 2; n++) teller.pass(5_000).lost(workerOf(teller), silent)
    assert.strictEqual(view(teller)?.status, "erred")
  })
})
