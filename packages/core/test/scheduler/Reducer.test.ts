/**
 * What the scheduler's machine does, case by case; named after Dask's tests where it mirrors them.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "@skein/core/scheduler/Command"
import { broken } from "@skein/core/scheduler/Invariants"
import { reduce } from "@skein/core/scheduler/Reducer"
import { empty, type State } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import * as Vector from "@skein/core/persistent/Vector"
import type { ClientId, CodeId, RunId, TaskId, WorkerId } from "@skein/protocol/Ids"
import { Teller } from "../utils/StoryScheduler.ts"

const named = (...names: ReadonlyArray<string>) => names.map((name) => ({ name }))

/** A cluster of workers with one thread each, and a client called ann. */
const cluster = (...workers: ReadonlyArray<string>): Teller => {
  const teller = new Teller("test").joins("ann")
  for (const name of workers) teller.worker(name)
  return teller
}

const statusOf = (teller: Teller, name: string) => View.task(teller.state, teller.task(name))?.status

const workersOf = (teller: Teller, name: string) =>
  View.task(teller.state, teller.task(name))?.workers.map((id) => teller.names.worker(id))

/** Tasks of a kind of which one has finished, so that the kind is known to take so long. */
const learn = (teller: Teller, worker: string, code: number, ms: number): Teller => {
  teller.wants("ann", [{ name: `sample-${code}`, code }])
  teller.reports("TasksFinished", worker, [{ ...teller.runOf(`sample-${code}`), nbytes: 1, ms }])
  return teller.releases("ann", `sample-${code}`)
}

describe("the scheduler's reducer", () => {
  it("does not let a failing task hold up others (test_client.py::test_errors_dont_block)", () => {
    const teller = cluster("a").wants("ann", named("bad", "good")).failed("a", "bad").finished("a", "good")
    assert.strictEqual(statusOf(teller, "bad"), "erred")
    assert.strictEqual(statusOf(teller, "good"), "memory")
  })

  it("computes a key again that was released and is submitted again (test_client.py::test_recompute_released_key)", () => {
    const teller = cluster("a").wants("ann", named("x")).finished("a", "x").releases("ann", "x").wants("ann", named("x"))
    assert.strictEqual(statusOf(teller, "x"), "processing")
    assert.strictEqual(teller.run("x"), 1)
  })

  it("counts retries down with each failure, and gives them back on a retry (test_scheduler.py::test_retries)", () => {
    const teller = cluster("a").wants("ann", [{ name: "x", retries: 3 }]).failed("a", "x").failed("a", "x")
    assert.strictEqual(Vector.get(teller.state.tasks, 0)?.trials.retriesLeft, 1)
    teller.failed("a", "x").failed("a", "x").retries("ann", "x")
    assert.strictEqual(Vector.get(teller.state.tasks, 0)?.trials.retriesLeft, 3)
    assert.strictEqual(statusOf(teller, "x"), "processing")
  })

  it("runs the higher priority first, then what was submitted first (test_priorities.py::test_submit)", () => {
    const teller = cluster("a").wants("ann", named("busy-1", "busy-2"))
      .wants("ann", named("first", "second")).wants("ann", [{ name: "urgent", priority: 5 }])
      .finished("a", "busy-1")
    assert.strictEqual(statusOf(teller, "urgent"), "processing")
    teller.finished("a", "busy-2")
    assert.strictEqual(statusOf(teller, "first"), "processing")
    assert.strictEqual(statusOf(teller, "second"), "queued")
  })

  it("finishes a chain that it has begun before it begins the next", () => {
    const chains = [1, 2, 3, 4].flatMap((n) => [{ name: `a${n}` }, { name: `b${n}`, needs: [`a${n}`] }])
    // In another order than that of the chains: all heads, then all ends.
    const tasks = [...chains.filter(({ needs }) => needs === undefined), ...chains.filter(({ needs }) => needs !== undefined)]
    const teller = cluster("a").wants("ann", tasks).finished("a", "a1")
    assert.strictEqual(statusOf(teller, "b1"), "processing")
    assert.strictEqual(statusOf(teller, "a3"), "queued")
  })

  it("has nothing left of what was cancelled, once it has stopped and been released (test_client.py::test_cancel_clears_processing)", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).cancels("ann", ["x", "y"])
      .stopped("a", "x", 0).stopped("a", "y", 1).releases("ann", "x", "y").leaves("ann")
    assert.deepStrictEqual(View.totals(teller.state), { tasks: 0, workers: 1, clients: 0, stopping: 0, questions: 0 })
    assert.strictEqual(View.worker(teller.state, 0)?.occupancyMs.thread, 0)
  })

  it("answers a cancellation only when the last run has stopped, and asks once under one number", () => {
    const teller = cluster("a").wants("ann", named("x", "y"))
    const ask = { _tag: "CancelAsked", at: 0, client: 0 as ClientId, ask: 7 as never, ids: [0, 1] as Array<TaskId>, note: null, force: false } as const
    teller.tell(ask)
    assert.deepStrictEqual(reduce(teller.state, [ask]).commands, [])
    const first = reduce(teller.state, [{ _tag: "TasksStopped", at: 0, worker: 0 as WorkerId, rows: [teller.ran("x", 0)] }])
    assert.deepStrictEqual(first.commands.filter(isReply), [])
    const second = reduce(first.state, [{ _tag: "TasksStopped", at: 0, worker: 0 as WorkerId, rows: [teller.ran("y", 1)] }])
    assert.deepStrictEqual(second.commands.filter(isReply), [{
      _tag: "Reply",
      client: 0 as ClientId,
      ask: 7 as never,
      answer: { _tag: "Cancelled", outcomes: ["cancelled", "cancelled"] }
    }])
  })

  it("answers a cancellation only when an earlier run of the key has stopped too, that was released while it ran", () => {
    const teller = cluster("a").wants("ann", named("x")).releases("ann", "x").wants("ann", named("x")).cancels("ann", ["x"]).stopped("a", "x", 1)
    assert.notInclude(teller.text, "answer 0, cancelled")
    assert.include(teller.stopped("a", "x", 0).text, "answer 0, cancelled")
  })

  it("lets go on what another client would miss, though it is a dependent that it wants", () => {
    const teller = cluster("a").joins("bob").wants("ann", named("x")).wants("bob", [{ name: "x" }, { name: "y", needs: ["x"] }])
      .releases("bob", "x").cancels("ann", ["x"])
    assert.strictEqual(statusOf(teller, "x"), "processing")
    assert.include(teller.text, "answer 0, shared")
  })

  it("ends a task at one death more than is allowed (test_scheduler.py::test_allowed_failures_config)", () => {
    for (const allowedFailures of [0, 1, 3]) {
      const teller = new Teller("test", { allowedFailures }).joins("ann").wants("ann", named("x"))
      for (let death = 0; death <= allowedFailures; death++) {
        assert.notStrictEqual(statusOf(teller, "x"), "erred")
        teller.worker(`w${death}`).dies(`w${death}`, "x")
      }
      assert.strictEqual(statusOf(teller, "x"), "erred")
    }
  })

  it("says of a killed task how each of its attempts ended (test_scheduler.py::test_KilledWorker_informative_message)", () => {
    const teller = new Teller("test", { allowedFailures: 0 }).joins("ann").worker("a").pass(50).wants("ann", named("x")).pass(25).lost("a")
    const status = Vector.get(teller.state.tasks, 0)?.status
    assert.isTrue(status?._tag === "Erred" && status.failure._tag === "Killed")
    if (status?._tag !== "Erred" || status.failure._tag !== "Killed") return
    assert.deepStrictEqual(
      status.failure.attempts.map(({ endedAtMs, ended, startedAtMs, worker }) => ({ endedAtMs, ended, startedAtMs, worker })),
      [{ worker: "a", startedAtMs: 50, endedAtMs: 5_075, ended: "heartbeat" }]
    )
  })

  it("does not blame a suspect that had not been started, when the nanny knows", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).dies("a").worker("b").wants("ann", named("z"))
    // x, y and z: only the suspects are at b, which has two places. It dies of something else.
    teller.dies("b").worker("c")
    assert.strictEqual(Vector.get(teller.state.tasks, teller.task("x"))?.trials.deaths.length, 1)
    assert.strictEqual(Vector.get(teller.state.tasks, teller.task("y"))?.trials.deaths.length, 1)
  })

  it("blames a suspect that gave up its slot and ran on, unless another was executing", () => {
    const deaths = (teller: Teller, name: string) => Vector.get(teller.state.tasks, teller.task(name))?.trials.deaths.length
    const seceded = () => {
      const teller = cluster("a").wants("ann", named("x", "y")).dies("a").worker("b")
      return teller.reports("TasksSeceded", "b", [teller.runOf("x")])
    }
    const alone = seceded().dies("b")
    assert.deepStrictEqual([deaths(alone, "x"), deaths(alone, "y")], [2, 1])
    const beside = seceded().dies("b", "y")
    assert.deepStrictEqual([deaths(beside, "x"), deaths(beside, "y")], [1, 2])
  })

  it("never ends a suspect for what may have been a body that ran on beside it, and suspects both", () => {
    const taskOf = (teller: Teller, name: string) => Vector.get(teller.state.tasks, teller.task(name))
    const teller = cluster("w0").wants("ann", named("x")).dies("w0").worker("w1").wants("ann", named("z"))
    for (let n = 1; n < 6; n++) teller.dies(`w${n}`, "x", "z").worker(`w${n + 1}`)
    assert.deepStrictEqual(["x", "z"].map((name) => [statusOf(teller, name), taskOf(teller, name)?.trials.suspect]), [["processing", true], ["processing", true]])
    // From the fourth on each would be ended by the next that is its own.
    assert.deepStrictEqual(teller.dies("w6", "z") && ["x", "z"].map((name) => statusOf(teller, name)), ["noWorker", "erred"])
  })

  it("blames a suspect beside which a cancelled body ran, and does not end it for that", () => {
    const teller = cluster("w0").wants("ann", named("x")).dies("w0")
    for (let n = 1; n < 6; n++) {
      teller.worker(`w${n}`).wants("ann", named(`z${n}`))
      const { run } = teller.runOf(`z${n}`)
      teller.releases("ann", `z${n}`).dies(`w${n}`, "x", run)
    }
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
  })

  it("remembers the deaths of a task that was forgotten, and ends it at the fourth though it was a new one each time", () => {
    const deaths = (teller: Teller) => Vector.get(teller.state.tasks, teller.task("x"))?.trials.deaths.length
    const teller = cluster("a")
    for (let n = 0; n < 4; n++) {
      teller.wants("ann", named("x"))
      assert.strictEqual(deaths(teller), n)
      teller.dies("a", ...(n === 0 ? [] : ["x"])).worker("a")
      if (n < 3) teller.releases("ann", "x")
    }
    assert.strictEqual(statusOf(teller, "x"), "erred")
    // Whoever asks again gives it another chance.
    teller.releases("ann", "x").wants("ann", named("x"))
    assert.deepStrictEqual([statusOf(teller, "x"), deaths(teller)], ["processing", 0])
  })

  it("tells at once of a task that was killed while all who wanted it had gone with its worker", () => {
    const killed = () => {
      const teller = cluster("a").joins("bob").wants("bob", named("x"))
      for (let n = 0; n < 4; n++) teller.dies("a", ...(n === 0 ? [] : ["x"])).worker("a")
      assert.strictEqual(statusOf(teller, "x"), "erred")
      return teller
    }
    // Those who can have heard of it ask for it to be computed.
    assert.strictEqual(statusOf(killed().leaves("bob").joins("bob").wants("bob", named("x")), "x"), "processing")
    assert.strictEqual(statusOf(killed().pass(20_000).leaves("bob", 15_000).joins("bob").wants("bob", named("x")), "x"), "processing")
    const teller = killed().pass(15_000).leaves("bob", 15_000).joins("bob").wants("bob", named("x"))
    assert.strictEqual(statusOf(teller, "x"), "erred")
    teller.releases("bob", "x").wants("bob", named("x"))
    assert.strictEqual(statusOf(teller, "x"), "processing")
  })

  it("remembers them by the call and its inputs, for ten minutes, and not of what finished or was cancelled", () => {
    const graph = [{ name: "w" }, { name: "x", needs: ["w"] }]
    const dead = () => {
      const teller = cluster("a").wants("ann", graph).finished("a", "w").dies("a")
      return teller.worker("a")
    }
    const deaths = (teller: Teller) => Vector.get(teller.state.tasks, teller.task("x"))?.trials.deaths.length
    assert.strictEqual(deaths(dead()), 1)
    assert.strictEqual(deaths(dead().releases("ann", "x", "w").wants("ann", graph)), 1)
    assert.strictEqual(deaths(dead().releases("ann", "x", "w").wants("ann", [{ name: "v", args: 7 }, { name: "x", needs: ["v"] }])), 0)
    assert.strictEqual(deaths(dead().releases("ann", "x", "w").pass(600_000).wants("ann", graph)), 0)
    assert.strictEqual(deaths(dead().finished("a", "w").finished("a", "x").releases("ann", "x", "w").wants("ann", graph)), 0)
    assert.strictEqual(deaths(dead().cancels("ann", ["x"]).releases("ann", "x", "w").wants("ann", graph)), 0)
  })

  it("clears a suspect that finishes", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).dies("a").worker("b").finished("b", "x")
    const task = Vector.get(teller.state.tasks, teller.task("x"))
    assert.deepStrictEqual([task?.trials.suspect, task?.trials.deaths.length], [false, 0])
  })

  it("places a task where most of its data is (test_scheduler.py::test_decide_worker_*)", () => {
    const teller = cluster("a", "b").wants("ann", named("small", "large"))
    teller.reports("TasksFinished", "a", [{ ...teller.runOf("small"), nbytes: 10, ms: 100 }])
    teller.reports("TasksFinished", "b", [{ ...teller.runOf("large"), nbytes: 10_000_000, ms: 100 }])
    teller.wants("ann", [{ name: "sum", needs: ["small", "large"] }])
    assert.deepStrictEqual(workersOf(teller, "sum"), ["b"])
    assert.strictEqual(View.worker(teller.state, teller.idOf("b"))?.occupancyMs.thread, 100)
  })

  it("counts a dependency once that fills two holes", () => {
    const teller = cluster("a").wants("ann", named("x")).finished("a", "x").wants("ann", [{ name: "twice", needs: ["x", "x"] }])
    assert.strictEqual(statusOf(teller, "twice"), "processing")
    teller.finished("a", "twice").releases("ann", "x", "twice")
    assert.strictEqual(View.totals(teller.state).tasks, 0)
  })

  it("gives a worker two tasks for each slot, and more only of short ones", () => {
    const many = (code: number) => Array.from({ length: 200 }, (_, n) => ({ name: `${code}-${n}`, code }))
    assert.strictEqual(cluster("a").wants("ann", many(1)).state.counts.processing, 2)
    assert.strictEqual(learn(cluster("a"), "a", 1, 1_000).wants("ann", many(1)).state.counts.processing, 2)
    assert.strictEqual(learn(cluster("a"), "a", 1, 5).wants("ann", many(1)).state.counts.processing, 4)
    assert.strictEqual(learn(cluster("a"), "a", 1, 0.01).wants("ann", many(1)).state.counts.processing, 64)
  })

  it("expects an unknown task to take as long as configured, and learns half of each new sample (test_scheduler.py::test_unknown_task_duration_config)", () => {
    const teller = new Teller("test", { unknownDurationMs: 70 }).joins("ann").worker("a").wants("ann", named("x"))
    assert.strictEqual(View.worker(teller.state, 0)?.occupancyMs.thread, 70)
    teller.finished("a", "x").wants("ann", named("y"))
    assert.strictEqual(View.worker(teller.state, 0)?.occupancyMs.thread, 100)
    teller.reports("TasksFinished", "a", [{ ...teller.runOf("y"), nbytes: 1, ms: 50 }])
    assert.strictEqual(Vector.get(teller.state.kinds, 0)?.meanMs, 75)
  })

  it("leaves tasks where they are when asking takes longer than waiting (test_steal.py::test_dont_steal_fast_tasks_compute_time)", () => {
    const teller = learn(cluster("a"), "a", 1, 1).wants("ann", [{ name: "x", code: 1 }, { name: "y", code: 1 }]).worker("b")
    assert.notInclude(teller.text, "give back")
  })

  it("leaves a task where its data is when fetching takes longer than waiting (test_steal.py::test_dont_steal_expensive_data_fast_computation)", () => {
    const teller = learn(cluster("a"), "a", 1, 100).wants("ann", named("big"))
    teller.reports("TasksFinished", "a", [{ ...teller.runOf("big"), nbytes: 1e9, ms: 1 }])
    teller.wants("ann", [{ name: "x", needs: ["big"], code: 1 }, { name: "y", needs: ["big"], code: 1 }]).worker("b")
    assert.notInclude(teller.text, "give back")
  })

  it("does not ask a task back that it has just moved (test_steal.py::test_do_not_ping_pong)", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).worker("b").answers("a", "y", true).finished("a", "x")
    assert.deepStrictEqual(workersOf(teller, "y"), ["b"])
    assert.strictEqual(teller.text.split("give back").length, 2)
  })

  it("forgets whom a task was asked back for when that worker leaves", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).worker("b").lost("b").answers("a", "y", true)
    assert.deepStrictEqual(workersOf(teller, "y"), ["a"])
    assert.deepStrictEqual(View.worker(teller.state, 0)?.processing, 2)
  })

  /** Found by simulation: the answer met nobody, and the task stayed for ever with a worker that did not have it. */
  it("places a task again that is given back when whom it was asked back for has left", () => {
    const teller = cluster("a").wants("ann", named("x", "y")).worker("b").lost("b").answers("a", "y", true)
    assert.strictEqual(teller.run("y"), 2)
    assert.deepStrictEqual(workersOf(teller, "y"), ["a"])
  })

  it("starts fibers and threads beside each other, each in slots of its own", () => {
    const teller = cluster("a").wants("ann", [...named("t1", "t2", "t3"), { name: "f", isolation: "fiber" }])
    assert.strictEqual(statusOf(teller, "t3"), "queued")
    assert.strictEqual(statusOf(teller, "f"), "processing")
  })

  it("gives the id back of a task whose inputs are gone, and says so", () => {
    const teller = cluster("a").wants("ann", [{ name: "y", needs: ["never"] }])
    assert.include(teller.text, "y failed: Lost")
    assert.include(teller.text, "y is forgotten")
    assert.strictEqual(View.totals(teller.state).tasks, 0)
  })

  it("is not troubled by a chain of 30 000, forwards or backwards", { timeout: 60_000 }, () => {
    const length = 30_000
    const tasks = Array.from({ length }, (_, n) => newTask(n, n === 0 ? [] : [n - 1]))
    const client = 0 as ClientId
    let state = withClient()
    const tell = (...events: Parameters<typeof reduce>[1]): ReadonlyArray<Command> => {
      const step = reduce(state, events)
      state = step.state
      return step.commands
    }
    tell({ _tag: "TasksSubmitted", at: 0, client, tasks, last: true })
    assert.deepStrictEqual([state.counts.noWorker, state.counts.waiting], [1, length - 1])
    const ids = tasks.map(({ id }) => id)
    tell({ _tag: "CancelAsked", at: 0, client, ask: 0 as never, ids: ids.slice(0, 1), note: null, force: false })
    assert.strictEqual(state.counts.erred, length)
    tell({ _tag: "RetryAsked", at: 0, client, ids: ids.slice(-1) })
    assert.strictEqual(state.counts.waiting, length - 1)
    tell({ _tag: "ClientLeft", at: 0, client })
    assert.strictEqual(state.tasks.size, 0)
  })

  it("is not troubled by a task with 30 000 dependents, nor by one with as many dependencies", { timeout: 60_000 }, () => {
    const count = 30_000
    const tasks = [
      newTask(0, []),
      ...Array.from({ length: count }, (_, n) => newTask(n + 1, [0])),
      newTask(count + 1, Array.from({ length: count }, (_, n) => n + 1))
    ]
    let state = withClient()
    const tell = (...events: Parameters<typeof reduce>[1]) => void (state = reduce(state, events).state)
    tell({ _tag: "TasksSubmitted", at: 0, client: 0 as ClientId, tasks, last: true })
    tell({ _tag: "WorkerJoined", at: 0, worker: 0 as WorkerId, name: "a", nthreads: 1_000_000, nfibers: 1, holds: [] })
    tell({ _tag: "TasksFinished", at: 0, worker: 0 as WorkerId, rows: [{ id: 0 as TaskId, run: 0 as RunId, nbytes: 1, ms: 1 }] })
    const rows = Array.from({ length: count }, (_, n) => ({ id: (n + 1) as TaskId, run: (n + 1) as RunId, nbytes: 1, ms: 1 }))
    tell({ _tag: "TasksFinished", at: 0, worker: 0 as WorkerId, rows })
    assert.deepStrictEqual([state.counts.memory, state.counts.processing], [count + 1, 1])
    tell({ _tag: "WorkerLeft", at: 0, worker: 0 as WorkerId, leaving: { _tag: "Closed" } })
    assert.deepStrictEqual([state.counts.noWorker, state.counts.waiting], [1, count + 1])
    tell({ _tag: "ClientLeft", at: 0, client: 0 as ClientId })
    assert.strictEqual(state.tasks.size, 0)
  })

  it("keeps every invariant when ids are senseless", () => {
    let state = reduce(cluster("a").wants("ann", named("x")).state, []).state
    for (const id of [-1, 1.5, NaN, Infinity, 2 ** 31, 2 ** 53, 99]) {
      const task = { ...newTask(id, []), code: id as CodeId, priority: NaN, retries: NaN }
      state = reduce(state, [
        { _tag: "TasksSubmitted", at: 0, client: 0 as ClientId, tasks: [task], last: true },
        { _tag: "TasksSubmitted", at: 0, client: id as ClientId, tasks: [task], last: false },
        { _tag: "KeysReleased", at: 0, client: 0 as ClientId, ids: [id as TaskId] },
        { _tag: "ClientJoined", at: 0, client: (id === 99 ? -1 : id) as ClientId, name: "" },
        { _tag: "TasksFinished", at: 0, worker: id as WorkerId, rows: [{ id: 0 as TaskId, run: 0 as RunId, nbytes: 1, ms: 1 }] },
        { _tag: "CodesForgotten", at: 0, codes: [id as CodeId] }
      ]).state
      assert.deepStrictEqual(broken(state), [])
    }
    assert.strictEqual(state.tasks.size, 1)
  })
})

const isReply = (command: Command): boolean => command._tag === "Reply"

const withClient = (): State => reduce(empty(), [{ _tag: "ClientJoined", at: 0, client: 0 as ClientId, name: "ann" }]).state

const newTask = (id: number, dependencies: ReadonlyArray<number>) => ({
  id: id as TaskId,
  code: 0 as CodeId,
  args: new Uint8Array(),
  dependencies: dependencies as ReadonlyArray<TaskId>,
  priority: 0,
  retries: 0,
  isolation: "thread" as const
})
