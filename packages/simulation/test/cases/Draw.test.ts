import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Case, Json } from "@skein/simulation/Case"
import { draw, endOf, settled } from "@skein/simulation/cases/Draw"
import { draws } from "@skein/simulation/cases/Draws"
import { shapeNames, shapes } from "@skein/simulation/cases/Shapes"
import { type FaultKind, faultKinds } from "@skein/simulation/Fault"

const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed)

describe("draws", () => {
  it("depend on their own name alone: leaving others out, or drawing in another order, changes none", () => {
    const one = draws(7)
    const inOrder = seeds(20).map((id) => one.unit("duration", id))
    const backwards = seeds(20).reverse().map((id) => draws(7).unit("duration", id)).reverse()
    assert.deepStrictEqual(backwards, inOrder)
    assert.strictEqual(draws(7).unit("duration", 19), inOrder[19])
  })

  it("of other seeds, streams, things and places are others, and spread evenly", () => {
    const values = seeds(1_000).flatMap((n) => [draws(n).unit("a"), draws(1).unit("a", n), draws(1).unit("a", 1, n), draws(2 ** 32 * n + 5).unit("a"), draws(1).unit(`a${n}`)])
    assert.isAtLeast(new Set(values).size, values.length - 5)
    const tenths = seeds(10).map((tenth) => values.filter((value) => Math.floor(value * 10) === tenth).length)
    for (const count of tenths) assert.approximately(count, values.length / 10, values.length / 50)
  })

  it("that are log-uniform reach every order of magnitude alike", () => {
    const values = seeds(3_000).map((n) => draws(3).logUniform(1, 1_000, "size", n))
    for (const least of [1, 10, 100]) assert.approximately(values.filter((value) => value >= least && value < least * 10).length, 1_000, 120)
  })
})

describe("shapes", () => {
  it("put dependencies before dependents, name none twice, and have as many tasks as they may", () => {
    for (const name of shapeNames) {
      for (const size of [1, 2, 3, 4, 17, 200]) {
        const edges = shapes[name](size, draws(size), name)
        assert.isAtLeast(edges.length, 1)
        assert.isAtMost(edges.length, size)
        edges.forEach((dependencies, i) => {
          assert.strictEqual(new Set(dependencies).size, dependencies.length, name)
          for (const dependency of dependencies) assert.isTrue(Number.isInteger(dependency) && dependency >= 0 && dependency < i, `${name} ${size}: ${dependency} → ${i}`)
        })
      }
    }
  })
})

describe("a drawn case", () => {
  it("is the same for the same seed, is what its schema says, and is read as it was written", () => {
    for (const seed of seeds(50)) {
      const light = draw(seed, "light")
      assert.deepStrictEqual(draw(seed, "light"), light)
      const text = Schema.encodeSync(Json)(light)
      assert.deepStrictEqual(Schema.decodeSync(Json)(text), light)
    }
    assert.throws(() => Schema.decodeUnknownSync(Json)("{\"version\":2}"))
    assert.throws(() => Schema.decodeUnknownSync(Case)({ ...draw(1, "light"), schedule: { strategy: "fifo", preemption: 0.5, opsBeforeYield: 1 } }))
  })

  it("keeps the bounds of its profile", () => {
    for (const seed of seeds(200)) {
      const light = draw(seed, "light")
      assert.isAtMost(light.tasks.length, 30)
      assert.isAtMost(light.cluster.workers, 3)
    }
    for (const seed of seeds(60)) {
      const full = draw(seed, "full")
      // The shapes may have a few tasks less than they were asked for.
      assert.isAtLeast(full.tasks.length, 120)
      assert.isAtMost(full.tasks.length, 2_000)
      assert.isAtLeast(full.cluster.workers, 4)
    }
  })

  it("names only what it has, and dependencies of the same client", () => {
    for (const seed of seeds(200)) {
      const { clients, operations, tasks } = draw(seed, "light")
      const known = new Map(tasks.map((task) => [task.id, task]))
      assert.strictEqual(known.size, tasks.length)
      for (const task of tasks) {
        assert.isBelow(task.client, clients)
        for (const id of task.dependencies) assert.strictEqual(known.get(id)?.client, task.client)
      }
      for (const operation of operations) {
        const named = operation._tag === "Submit" ? operation.tasks : "task" in operation ? [operation.task] : []
        for (const id of named) assert.isTrue(known.has(id))
      }
    }
  })

  it("is calm in a tenth of all runs, and has every kind of fault in about half of the others", () => {
    const cases = seeds(400).map((seed) => draw(seed, "full"))
    const calm = cases.filter(({ faults }) => faults.length === 0)
    assert.approximately(calm.length, 40, 20)
    const kinds = new Map<FaultKind, number>()
    for (const { faults } of cases) for (const kind of new Set(faults.map(({ _tag }) => _tag))) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    for (const kind of faultKinds) {
      const isEnding = kind === "SchedulerCrash" || kind === "ClientCrash"
      assert.isAtLeast(kinds.get(kind) ?? 0, isEnding ? 12 : 120, kind)
    }
    const mean = cases.reduce((sum, { faults }) => sum + faults.length, 0) / cases.length
    assert.isAtLeast(mean, 10, "faults drawn for a full run")
  })

  it("has a journal wherever the disk is to be faulty, for nothing else is written to one", () => {
    const cases = seeds(200).map((seed) => draw(seed, "light"))
    const faulty = cases.filter(({ faults }) => faults.some(({ _tag }) => _tag === "Disk"))
    assert.isAtLeast(faulty.length, 40)
    for (const { faults, journal } of faulty) {
      assert.isTrue(journal)
      for (const fault of faults) if (fault._tag === "Disk") assert.strictEqual(fault.part, "scheduler")
    }
  })

  it("has limits of time that are clearly met or missed, data on which others build, and tasks under the keys of others", () => {
    const tasks = seeds(200).flatMap((seed) => draw(seed, "light").tasks)
    const limited = tasks.filter(({ timeoutMs }) => timeoutMs !== undefined)
    assert.isAtLeast(limited.length, 20)
    for (const { body, durationMs, timeoutMs = 0 } of limited) assert.isTrue(body._tag === "NeverEnds" || Math.abs(durationMs - timeoutMs) > 90)
    assert.isAtLeast(tasks.filter(({ body }) => body._tag === "Scattered").length, 50)
    assert.isAtLeast(tasks.filter(({ under }) => under !== undefined).length, 30)
  })

  it("has bodies that give up their slots in each way, of all that can, and none that wants one again within a limit of time", () => {
    const tasks = seeds(200).flatMap((seed) => draw(seed, "light").tasks).filter(({ secedes }) => secedes !== undefined)
    for (const how of ["forGood", "forAWhile", "toWait"]) assert.isAtLeast(tasks.filter(({ secedes }) => secedes === how).length, 10, how)
    for (const body of ["Succeeds", "Fails", "NeverEnds"]) assert.isAtLeast(tasks.filter(({ body: { _tag } }) => _tag === body).length, 1, body)
    for (const { isolation, secedes, timeoutMs } of tasks) assert.isTrue(isolation === "fiber" && (timeoutMs === undefined || secedes === "forGood"))
  })

  it("keeps its other faults and tasks as they are when one is left out", () => {
    const { faults, ...rest } = draw(11, "full")
    assert.isAtLeast(faults.length, 2)
    const fewer = settled({ ...rest, faults: faults.slice(1) })
    assert.deepStrictEqual(fewer.faults, faults.slice(1))
    assert.deepStrictEqual(fewer.tasks, rest.tasks)
  })

  it("is healed after all that is done to it, and has time to end then", () => {
    for (const seed of seeds(100)) {
      const drawn = draw(seed, "full")
      for (const fault of drawn.faults) assert.isAtMost(endOf(fault), drawn.healAt)
      for (const { at } of drawn.operations) assert.isAtMost(at, drawn.healAt)
      assert.isAbove(drawn.endBy, drawn.healAt)
    }
  })
})
