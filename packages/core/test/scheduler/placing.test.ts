/**
 * Where tasks go that demand something of their worker, beside Dask's tests of
 * the same (dask.md §1.6 and §5).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Offers from "@skein/core/scheduler/Offers"
import { type Config, statusName } from "@skein/core/scheduler/State"
import * as View from "@skein/core/scheduler/View"
import * as Vector from "@skein/core/persistent/Vector"
import { Teller, type Wanted } from "../utils/StoryScheduler.ts"

/** A scheduler to which ann is connected. */
const ann = (config: Partial<Config> = {}): Teller => new Teller("placing", config).joins("ann")

const statusOf = (teller: Teller, name: string) => {
  const status = Vector.get(teller.state.tasks, teller.task(name))?.status
  return status === undefined ? "forgotten" : statusName[status._tag]
}

/** Where a task is processing or in memory, by name. */
const placeOf = (teller: Teller, name: string) =>
  View.task(teller.state, teller.task(name))?.workers.map((worker) => Vector.get(teller.state.workers, worker)?.name).join() ?? "forgotten"

const failureOf = (teller: Teller, name: string) => {
  const status = Vector.get(teller.state.tasks, teller.task(name))?.status
  return status?._tag === "Erred" ? status.failure : undefined
}

const numbered = (count: number, more: Omit<Wanted, "name">, prefix = "x"): ReadonlyArray<Wanted> =>
  Array.from({ length: count }, (_, n) => ({ name: `${prefix}${n}`, ...more }))

/** Finishes whatever is processing, one by one, until nothing is; tells how many of the tasks there were at a time on the worker at most. */
const finishAll = (teller: Teller, counts: (name: string) => boolean, on: string): number => {
  let most = 0
  for (;;) {
    const running = [...Vector.values(teller.state.tasks)].filter(({ status }) => status._tag === "Processing").map(({ id }) => id)
    const names = running.map((id) => teller.names.task(id))
    most = Math.max(most, names.filter((name) => counts(name) && placeOf(teller, name) === on).length)
    const [first] = names
    if (first === undefined) return most
    teller.quick(placeOf(teller, first), first)
  }
}

describe("resources", () => {
  it("bring a task to the worker that offers enough, and let it wait for one that does (test_resources.py::test_resource_submit)", () => {
    const teller = ann().worker("a", 1, [], { resources: { A: 5 } }).worker("b", 1, [], { resources: { A: 1, B: 1 } })
      .wants("ann", [{ name: "x", resources: { A: 3 } }, { name: "y", resources: { B: 1 } }, { name: "z", resources: { C: 2 } }])
    assert.deepStrictEqual(["x", "y"].map((name) => placeOf(teller, name)), ["a", "b"])
    assert.strictEqual(statusOf(teller, "z"), "noWorker")
    teller.worker("c", 1, [], { resources: { C: 10 } })
    assert.strictEqual(placeOf(teller, "z"), "c")
  })

  it("are never used beyond what there is, though there are threads (test_resources.py::test_submit_many_non_overlapping_2)", () => {
    const teller = ann().worker("a", 4, [], { resources: { A: 2 } }).worker("b", 4, [], { resources: { A: 1 } })
      .wants("ann", numbered(100, { resources: { A: 1 } }))
    assert.strictEqual(finishAll(teller, () => true, "a"), 2)
    assert.isTrue(numbered(100, {}).every(({ name }) => statusOf(teller, name) === "memory"))
    assert.deepStrictEqual(Array.from(Vector.values(teller.state.workers), ({ occupied }) => occupied), [[0], [0]])
  })

  it("keep tasks off workers without them (test_resources.py::test_submit_many_non_overlapping, ::test_map)", () => {
    const teller = ann().worker("a", 1, [], { resources: { A: 1 } }).worker("b", 1, [], { resources: { B: 1 } })
      .wants("ann", numbered(10, { resources: { B: 1 } }))
    finishAll(teller, () => true, "b")
    assert.isTrue(numbered(10, {}).every(({ name }) => placeOf(teller, name) === "b"))
  })

  it("go before where the data is (test_resources.py::test_move)", () => {
    const teller = ann().worker("b", 1, [], { resources: { B: 1 } }).wants("ann", [{ name: "x" }]).finished("b", "x")
      .worker("a", 1, [], { resources: { A: 1 } }).wants("ann", [{ name: "y", needs: ["x"], resources: { A: 1 } }])
    assert.strictEqual(placeOf(teller, "y"), "a")
  })

  it("are not moved away from, however long the queue (test_resources.py::test_dont_work_steal, test_steal.py::test_steal_resource_restrictions)", () => {
    const teller = ann().worker("a", 2, [], { resources: { A: 10 } }).worker("b", 2, [], { resources: { B: 1 } })
      .wants("ann", numbered(4, { resources: { A: 1 } }))
    const others = [...Vector.values(teller.state.tasks)].filter(({ status }) => status._tag === "Processing" && status.takingBackFor !== undefined)
    assert.deepStrictEqual(others, [])
    teller.worker("c", 1, [], { resources: { A: 4 } })
    const asked = [...Vector.values(teller.state.tasks)].flatMap(({ status }) => status._tag === "Processing" && status.takingBackFor !== undefined ? [status.takingBackFor] : [])
    assert.deepStrictEqual(asked.map((id) => teller.names.worker(id)), ["c"])
  })

  it("of several kinds are all needed (test_resources.py::test_minimum_resource)", () => {
    const teller = ann().worker("a", 4, [], { resources: { A: 2, B: 1 } }).wants("ann", numbered(30, { resources: { A: 1, B: 1 } }))
    assert.strictEqual(finishAll(teller, () => true, "a"), 1)
  })

  it("are shared out among workers, though one is full of other work (test_resources.py::test_balance_resources)", () => {
    const teller = ann().worker("a", 2, [], { resources: { A: 1 } }).worker("b", 2, [], { resources: { A: 1 } })
      .wants("ann", numbered(3, { on: ["a"] })).wants("ann", numbered(2, { resources: { A: 1 } }, "y"))
    assert.deepStrictEqual(["y0", "y1"].map((name) => placeOf(teller, name)).sort(), ["a", "b"])
  })

  it("leave the order as it is: what goes first does, with resources or without (test_resources.py::test_constrained_vs_ready_priority_1)", () => {
    for (const [constrained, free] of [[1, 0], [0, 1]] as const) {
      const teller = ann().wants("ann", [
        { name: "x", priority: constrained, resources: { R: 1 } },
        { name: "y", priority: free }
      ]).worker("a", 1, [], { resources: { R: 1 } })
      assert.isBelow(...(free > constrained ? [teller.run("y"), teller.run("x")] : [teller.run("x"), teller.run("y")]) as [number, number])
    }
  })

  it("that are occupied hold up nothing that needs none (test_resources.py::test_constrained_vs_ready_priority_2)", () => {
    const teller = ann().worker("a", 2, [], { resources: { R: 1 } })
      .wants("ann", [{ name: "clog", resources: { R: 1 } }]).wants("ann", [{ name: "x", priority: 1, resources: { R: 1 } }, { name: "y" }])
    assert.deepStrictEqual(["clog", "x", "y"].map((name) => statusOf(teller, name)), ["processing", "queued", "processing"])
    assert.strictEqual(placeOf(teller.finished("a", "clog"), "x"), "a")
  })

  it("go to who is first in line (test_resources.py::test_constrained_tasks_respect_priority)", () => {
    const teller = ann().worker("a", 1, [], { resources: { R: 1 } }).wants("ann", [{ name: "clog", resources: { R: 1 } }])
      .wants("ann", [{ name: "z", priority: -1, resources: { R: 1 } }, { name: "y", resources: { R: 1 } }, { name: "x", priority: 1, resources: { R: 1 } }])
    const order: Array<string> = []
    for (let running = "clog"; running !== ""; ) {
      teller.quick("a", running)
      running = ["x", "y", "z"].find((name) => statusOf(teller, name) === "processing") ?? ""
      order.push(running)
    }
    assert.deepStrictEqual(order, ["x", "y", "z", ""])
  })

  it("of a cancelled task are free once it has stopped, and not before (test_resources.py::test_cancelled_with_resources, ::test_task_cancelled_and_readded_with_resources)", () => {
    const teller = ann().worker("a", 2, [], { resources: { R: 1 } }).wants("ann", [{ name: "x", resources: { R: 1 } }])
    const run = teller.run("x")
    teller.releases("ann", "x").wants("ann", [{ name: "x", resources: { R: 1 } }])
    assert.strictEqual(statusOf(teller, "x"), "queued")
    assert.strictEqual(placeOf(teller.stopped("a", "x", run), "x"), "a")
  })

  it("come back from a worker that dies, a body that fails, and one that asks for another place", () => {
    const teller = ann().worker("a", 2, [], { resources: { R: 1 } })
      .wants("ann", [{ name: "x", resources: { R: 1 }, retries: 1 }]).failed("a", "x")
    assert.strictEqual(placeOf(teller, "x"), "a")
    teller.reports("TasksRescheduled", "a", [teller.runOf("x")])
    assert.strictEqual(placeOf(teller, "x"), "a")
    teller.dies("a", "x")
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
    assert.strictEqual(placeOf(teller.worker("b", 1, [], { resources: { R: 1 } }), "x"), "b")
  })

  it("add up exactly, to the thousandth", () => {
    const teller = ann().worker("a", 20, [], { resources: { R: 1, S: 0.3 } }).wants("ann", numbered(11, { resources: { R: 0.1 } }))
      .wants("ann", [{ name: "s1", resources: { S: 0.1 } }, { name: "s2", resources: { S: 0.2 } }])
    assert.deepStrictEqual(numbered(11, {}).map(({ name }) => statusOf(teller, name)), [...Array.from({ length: 10 }, () => "processing"), "queued"])
    assert.strictEqual(placeOf(teller, "s2"), "a")
  })

  it("are not kept free from what goes before who waits for them", () => {
    const teller = ann().worker("a", 4, [], { resources: { R: 2 } })
      .wants("ann", [{ name: "large", resources: { R: 2 } }, { name: "clog", priority: 5, resources: { R: 1 } }])
      .wants("ann", [{ name: "behind", resources: { R: 1 } }])
      .wants("ann", [{ name: "before", priority: 1, resources: { R: 1 } }])
    assert.deepStrictEqual(["large", "behind", "before"].map((name) => statusOf(teller, name)), ["queued", "queued", "processing"])
  })

  it("are given to each, however many want how much, and to what came first where there is not enough for all", () => {
    const teller = ann().worker("a", 8, [], { resources: { R: 4, S: 1 } }).worker("b", 8, [], { resources: { R: 4 } })
    teller.wants("ann", Array.from({ length: 60 }, (_, n) => ({ name: `x${n}`, resources: { R: 1 + (n * 7 % 30) / 10 } })))
      .wants("ann", [{ name: "y", resources: { S: 1 } }])
    assert.strictEqual(teller.state.demands.size, 31)
    assert.strictEqual(placeOf(teller, "y"), "a")
    const begun: Array<number> = []
    for (;;) {
      const running = [...Vector.values(teller.state.tasks)].filter(({ status }) => status._tag === "Processing").map(({ id }) => teller.names.task(id))
      for (const name of running) if (name !== "y" && !begun.includes(Number(name.slice(1)))) begun.push(Number(name.slice(1)))
      const [first] = running
      if (first === undefined) break
      teller.quick(placeOf(teller, first), first)
    }
    assert.strictEqual(begun.length, 60)
    // What is large waits a little while what is small still fits elsewhere, and is not left behind.
    for (const [place, n] of begun.entries()) assert.isBelow(place - n, 12, `x${n}`)
  })

  it("make one line of all that want the same, and nothing is left of it when they are done", () => {
    const teller = ann().worker("a", 4, [], { resources: { R: 2 } }).wants("ann", numbered(50, { resources: { R: 1 } }))
      .wants("ann", numbered(50, { resources: { R: 1 } }, "y"))
    assert.deepStrictEqual(Array.from(Vector.values(teller.state.demands), ({ queue, tasks }) => [tasks, queue.size]), [[100, 98]])
    assert.strictEqual(finishAll(teller.wants("ann", [{ name: "z", resources: { R: 2 } }]), () => true, "a"), 2)
    teller.leaves("ann")
    assert.strictEqual(teller.state.demands.size, 0)
  })
})

describe("restrictions", () => {
  it("bring a task to the worker named, by name, address or host (test_client.py::test_restrictions_submit, ::test_restrictions_ip_port, ::test_worker_aliases)", () => {
    const teller = ann().worker("a", 4, [], { address: "tcp://10.0.0.1:1", host: "one" }).worker("b", 4, [], { address: "tcp://10.0.0.2:2", host: "two" })
      .wants("ann", [{ name: "x", on: ["b"] }, { name: "y", on: ["tcp://10.0.0.2:2"] }, { name: "z", on: ["one", "three"] }])
    assert.deepStrictEqual(["x", "y", "z"].map((name) => placeOf(teller, name)), ["b", "b", "a"])
  })

  it("hold for every item of a map (test_client.py::test_restrictions_map)", () => {
    const teller = ann().worker("a", 1).worker("b", 1).wants("ann", numbered(5, { on: ["a"] }))
    finishAll(teller, () => true, "a")
    assert.isTrue(numbered(5, {}).every(({ name }) => placeOf(teller, name) === "a"))
  })

  it("let a task wait until such a worker comes (test_scheduler.py::test_no_valid_workers, test_client.py::test_unrunnable_task_runs)", () => {
    const teller = ann().worker("a", 1).wants("ann", [{ name: "x", on: ["c"] }])
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
    assert.strictEqual(placeOf(teller.worker("c"), "x"), "c")
  })

  it("that are wishes give way where no such worker is (test_scheduler.py::test_no_valid_workers_loose_restrictions, test_client.py::test_allow_restrictions)", () => {
    const teller = ann().worker("a", 1).wants("ann", [{ name: "x", on: ["c"], loosely: true }])
    assert.strictEqual(placeOf(teller, "x"), "a")
    teller.worker("c").wants("ann", [{ name: "y", on: ["c"], loosely: true }])
    assert.strictEqual(placeOf(teller, "y"), "c")
    assert.strictEqual(placeOf(teller.lost("c", { _tag: "Closed" }), "y"), "a")
  })

  it("that are wishes do not make resources one (test_resources.py::test_resource_submit)", () => {
    const teller = ann().worker("a", 1, [], { resources: { R: 1 } }).worker("c", 1).wants("ann", [{ name: "x", on: ["c"], loosely: true, resources: { R: 1 } }])
    assert.strictEqual(placeOf(teller, "x"), "a")
  })

  it("move data to where the task may run (test_client.py::test_move_data_over_break_restrictions)", () => {
    const teller = ann().worker("a").wants("ann", [{ name: "x" }]).finished("a", "x").worker("b").wants("ann", [{ name: "y", needs: ["x"], on: ["b"] }])
    assert.strictEqual(placeOf(teller, "y"), "b")
  })

  it("hold when tasks are moved to idle workers (test_steal.py::test_steal_worker_restrictions)", () => {
    const teller = ann().worker("a", 1).wants("ann", [{ name: "x0", on: ["a"] }, { name: "x1", on: ["a"] }, { name: "y0" }]).worker("b")
    const asked = [...Vector.values(teller.state.tasks)].filter(({ status }) => status._tag === "Processing" && status.takingBackFor !== undefined)
    assert.deepStrictEqual(asked, [])
    assert.strictEqual(placeOf(teller, "y0"), "b")
  })

  it("hold again after a failure, a lost result and a lost worker", () => {
    const teller = ann().worker("a").worker("b").wants("ann", [{ name: "x", on: ["b"], retries: 1 }]).failed("b", "x").finished("b", "x")
      .lost("b", { _tag: "Closed" })
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
    assert.strictEqual(placeOf(teller.worker("b"), "x"), "b")
  })
})

describe("nobody connected who may run it", () => {
  it("fails a task after a while, if that was asked for (test_scheduler.py::test_no_workers_timeout_bad_restrictions)", () => {
    const teller = ann({ noWorkersTimeoutMs: 60_000 }).worker("a", 1, [], { resources: { R: 2 } })
      .wants("ann", [{ name: "x", on: ["c", "d"], resources: { R: 1 } }, { name: "y", resources: { R: 4 } }]).pass(59_999).ticks()
    assert.deepStrictEqual(["x", "y"].map((name) => statusOf(teller, name)), ["noWorker", "noWorker"])
    teller.pass(1).ticks()
    assert.deepStrictEqual(failureOf(teller, "x"), { _tag: "Unrunnable", wanted: "{ R: 1 } on \"c\" or \"d\"", offers: ["a { R: 2 }"] })
    assert.deepStrictEqual(failureOf(teller, "y"), { _tag: "Unrunnable", wanted: "{ R: 4 }", offers: ["a { R: 2 }"] })
  })

  it("fails what was queued too, where the last worker has left (test_scheduler.py::test_no_workers_timeout_queued)", () => {
    const teller = ann({ noWorkersTimeoutMs: 1_000 }).worker("a").wants("ann", numbered(4, {})).lost("a", { _tag: "Closed" })
    assert.isTrue(numbered(4, {}).every(({ name }) => statusOf(teller, name) === "noWorker"))
    teller.pass(1_000).ticks()
    assert.deepStrictEqual(failureOf(teller, "x3"), { _tag: "Unrunnable", wanted: "a thread", offers: [] })
  })

  it("leaves alone what runs, and what is only behind others (test_scheduler.py::test_no_workers_timeout_processing)", () => {
    const teller = ann({ noWorkersTimeoutMs: 1_000 }).worker("a", 1, [], { resources: { R: 1 } })
      .wants("ann", [{ name: "x", resources: { R: 1 } }, { name: "y", resources: { R: 1 } }]).pass(100_000).ticks()
    assert.deepStrictEqual(["x", "y"].map((name) => statusOf(teller, name)), ["processing", "queued"])
  })

  it("is counted anew when a worker has been there", () => {
    const teller = ann({ noWorkersTimeoutMs: 1_000 }).wants("ann", [{ name: "x" }]).pass(900).worker("a").lost("a", { _tag: "Closed" }).pass(900).ticks()
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
    assert.strictEqual(statusOf(teller.pass(100).ticks(), "x"), "erred")
  })

  it("may be tried again, and then waits again", () => {
    const teller = ann({ noWorkersTimeoutMs: 1_000 }).wants("ann", [{ name: "x", on: ["c"] }]).pass(1_000).ticks().retries("ann", "x")
    assert.strictEqual(statusOf(teller, "x"), "noWorker")
    assert.strictEqual(placeOf(teller.worker("c"), "x"), "c")
  })

  it("is told once of all that want the same, and of what comes later no sooner than ten seconds after", () => {
    const teller = ann().worker("a", 1, [], { resources: { R: 1 } })
    const warned = (text: string) => text.split("\n").filter((line) => line.includes("warn"))
    teller.wants("ann", numbered(3, { resources: { R: 2 } })).pass(5_000).wants("ann", [{ name: "y", on: ["c"] }, { name: "z", resources: { R: 2 } }]).pass(5_000).ticks()
    assert.deepStrictEqual(warned(teller.text), ["    → warn: x0 and 2 others lacked { R: 2 } for 10000 ms"])
    teller.pass(5_000).ticks()
    assert.strictEqual(warned(teller.text).length, 1)
    teller.pass(5_000).ticks().pass(60_000).ticks()
    assert.deepStrictEqual(warned(teller.text).slice(1), [
      "    → warn: y lacked a thread on \"c\" for 15000 ms",
      "    → warn: z lacked { R: 2 } for 15000 ms"
    ])
  })

  it("says what there is and who has it", () => {
    const teller = ann().worker("w0").worker("w1", 2, [], { resources: { GPU: 1, disk: 2.5 } }).wants("ann", [{ name: "holder", resources: { GPU: 1, disk: 1 } }])
    for (const [ms, since] of [[1_500, "1 s"], [180_000, "3 min"], [7_300_000, "2 h"]] as const) {
      assert.deepStrictEqual(Offers.print(Offers.offers(teller.state), ms, teller.names.task), [
        "w0 { }",
        `w1 { GPU: 0 of 1 free — held by holder since ${since}, disk: 1.5 of 2.5 free — held by holder since ${since} }`
      ])
    }
    for (let n = 2; n < 20; n++) teller.worker(`w${n}`)
    const texts = Offers.print(Offers.offers(teller.state), 0)
    assert.deepStrictEqual([texts.length, texts[1], texts.at(-1)], [17, "w1 { GPU: 0 of 1 free, disk: 1.5 of 2.5 free }", "and 4 more"])
  })
})
