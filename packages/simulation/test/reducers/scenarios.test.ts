/** What went wrong in other systems, and in ours, does not go wrong in the machines alone: each under many seeds. */
import { assert, describe, it } from "@effect/vitest"
import type { Case, Scenario } from "../../src/Case.ts"
import { runSeeds } from "../../src/reducers/Batch.ts"
import { scenarios } from "../../src/reducers/Scenarios.ts"
import { run } from "../../src/reducers/Simulation.ts"

const seeds = 200

const many = ({ of }: Scenario, count: number) => runSeeds({ from: 0, count, change: ({ seed }) => of(seed) })

const named = (name: string): Scenario => {
  const found = scenarios.find((scenario) => scenario.name.includes(name))
  assert.isDefined(found, name)
  return found
}

describe("many seeds of", () => {
  for (const scenario of scenarios) {
    it(scenario.name, { timeout: 120_000 }, () => {
      const { broken } = many(scenario, seeds)
      assert.isUndefined(broken, broken === undefined ? "" : `seed ${broken.seed} at ${broken.at} ms: ${broken.invariant}: ${broken.detail}`)
    })
  }

  it("innocent neighbours of a task that ends its worker: they have their results, and it is killed", () => {
    const { marks } = many(named("always ends its worker"), 50)
    assert.strictEqual(marks["future: Killed"], 50)
    assert.strictEqual(marks["future: value"], 350)
    const { marks: beside } = many(named("given up its slot"), 50)
    assert.deepStrictEqual([beside["future: Killed"], beside["future: value"]], [50, 250])
  })

  it("results that come back do so under other ids, if keys have got others meanwhile", () => {
    assert.isAtLeast(many(named("ids of its results"), 50).marks["a result comes back under another id"] ?? 0, 10)
  })

  it("nothing at all: a case without tasks comes to rest", () => {
    assert.isUndefined(run(emptyCase).broken)
  })
})

const emptyCase: Case = {
  version: 1,
  seed: 1,
  cluster: { workers: 1, slots: 1 },
  clients: 1,
  schedule: { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 },
  network: { latency: [1, 2], fragment: 0 },
  tasks: [],
  operations: [],
  faults: [],
  healAt: 10,
  endBy: 600_000
}
