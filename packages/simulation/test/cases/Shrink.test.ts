import { assert, describe, it } from "@effect/vitest"
import type { Case } from "@skein/simulation/Case"
import { draw } from "@skein/simulation/cases/Draw"
import { shrink, weight, withTasks } from "@skein/simulation/cases/Shrink"

/** Drives the shrinker with a predicate; the smallest case, and what it cost. */
const drive = (failing: Case, fails: (of: Case) => boolean) => {
  const shrinking = shrink(failing)
  let runs = 0
  let step = shrinking.next()
  while (step.done !== true) {
    runs++
    assert.isBelow(runs, 2_000, "runs")
    step = shrinking.next(fails(step.value))
  }
  return { smallest: step.value, runs }
}

/** The first drawn case, from this seed on, that fails. */
const failing = (fails: (of: Case) => boolean, from = 0): Case => {
  for (let seed = from;; seed++) {
    const drawn = draw(seed, "full")
    if (fails(drawn)) return drawn
  }
}

/** Whether task `id` depends on the task of this body, through whatever many. */
const reaches = (of: Case, from: (task: Case["tasks"][number]) => boolean, to: (task: Case["tasks"][number]) => boolean): boolean => {
  const reached = new Set<number>()
  for (const task of of.tasks) if (from(task) || task.dependencies.some((id) => reached.has(id))) reached.add(task.id)
  return of.tasks.some((task) => reached.has(task.id) && to(task) && !from(task))
}

describe("the shrinker", () => {
  it("comes to one task and one worker for a failure that needs no more", () => {
    const fails = (of: Case) => of.tasks.some(({ body }) => body._tag === "Exits")
    const { smallest } = drive(failing(fails), fails)
    assert.strictEqual(smallest.tasks.length, 1)
    assert.strictEqual(smallest.cluster.workers, 1)
    assert.deepStrictEqual(smallest.faults, [])
    assert.deepStrictEqual(smallest.operations, [])
    assert.strictEqual(smallest.clients, 1)
    assert.deepStrictEqual(smallest.schedule, { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 })
  })

  it("keeps the two faults, the three tasks and the two workers that a failure needs, within 2,000 runs", () => {
    const fails = (of: Case) =>
      of.faults.some(({ _tag }) => _tag === "WorkerCrash") && of.faults.some(({ _tag }) => _tag === "Partition") && of.tasks.length >= 3 && of.cluster.workers >= 2
    const { smallest } = drive(failing(fails, 100), fails)
    assert.deepStrictEqual(smallest.faults.map(({ _tag }) => _tag).sort(), ["Partition", "WorkerCrash"])
    assert.strictEqual(smallest.tasks.length, 3)
    assert.strictEqual(smallest.cluster.workers, 2)
    for (const fault of smallest.faults) if ("forMs" in fault) assert.isAtMost(fault.forMs, 1)
  })

  it("keeps dependencies that a failure needs", () => {
    const fails = (of: Case) => reaches(of, ({ body }) => body._tag === "Fails", ({ body }) => body._tag === "Dies")
    const { smallest } = drive(failing(fails), fails)
    assert.isAtMost(smallest.tasks.length, 10)
    assert.isTrue(fails(smallest))
  })

  it("reaches its target though the failure hides under two of three seeds", () => {
    const fails = (of: Case) => of.seed % 3 !== 1 ? of.tasks.length >= 2 && of.faults.length >= 1 : false
    const { smallest } = drive(failing(fails), fails)
    assert.strictEqual(smallest.tasks.length, 2)
    assert.strictEqual(smallest.faults.length, 1)
  })

  it("proposes only cases of less weight than what it has, and never the same as the last", () => {
    const start = draw(5, "light")
    const shrinking = shrink(start)
    let step = shrinking.next()
    while (step.done !== true) {
      assert.isAtMost(weight(step.value), weight(start))
      step = shrinking.next(false)
    }
    assert.strictEqual(step.value, start)
  })

  it("leaves out a task with all that is done to it, and its dependents do without it", () => {
    const drawn = draw(3, "full")
    const kept = drawn.tasks.filter(({ id }) => id % 2 === 0)
    const half = withTasks(drawn, kept)
    const known = new Set(half.tasks.map(({ id }) => id))
    for (const task of half.tasks) for (const id of task.dependencies) assert.isTrue(known.has(id))
    for (const operation of half.operations) {
      const named = operation._tag === "Submit" ? operation.tasks : "task" in operation ? [operation.task] : []
      for (const id of named) assert.isTrue(known.has(id))
    }
  })
})
