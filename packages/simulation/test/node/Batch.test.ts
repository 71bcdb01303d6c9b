/**
 * What keeps a batch honest, with runs that are made up.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Case } from "@skein/simulation/Case"
import { catalogue, Marks } from "@skein/simulation/cases/Marks"
import type { Outcome } from "@skein/simulation/cases/Run"
import { addTallies, canaryCase, emptyTally, type Job, runBatch, type Tally } from "@skein/simulation/node/Batch"
import { unmet } from "@skein/simulation/node/Gate"
import { jobsOf, type Plan } from "@skein/simulation/node/Plan"
import { tellFailure, tellTally } from "@skein/simulation/node/Reporting"

const fine: Outcome = {
  violation: undefined, hash: "0", steps: 10, virtualMs: 1_000, injected: new Map([["WorkerCrash", 2]]), duringActivity: 1, marks: new Marks(),
  answers: [], executions: [], lines: [], record: []
}
const jobs = (count: number): ReadonlyArray<Job> => Array.from({ length: count }, (_, seed) => ({ seed, profile: seed % 2 === 0 ? "light" : "full" }))
const isCanary = (of: Case) => of.tasks.some(({ body }) => body._tag === "Lies")
const caught = (of: Case): Outcome => isCanary(of) ? { ...fine, violation: { id: "C2", saw: "a wrong value", atMs: 1 } } : fine

/** What a batch came to, and how it failed. */
const batch = async (count: number, run: (of: Case) => Outcome) => {
  let tally: Tally = emptyTally()
  const failure = await runBatch({ jobs: jobs(count), tell: (more) => void (tally = addTallies(tally, more)), reducersFrom: 1, explores: false, run })
  return { tally, failure }
}

describe("a batch", () => {
  it("counts runs, faults and time, each once", async () => {
    const { failure, tally } = await batch(30, caught)
    assert.isUndefined(failure)
    assert.deepStrictEqual(tally.runs, { light: 15, full: 15 })
    assert.deepStrictEqual(tally.faults, { WorkerCrash: 60 })
    assert.deepStrictEqual(tally.histogram, { 1: 15 })
    assert.strictEqual(tally.virtualMs, 30_000)
    assert.strictEqual(tally.canaries, 1)
    assert.strictEqual(tally.doubled, 2)
  })

  it("fails when the canary is not caught, or for another reason than its wrong value", async () => {
    assert.strictEqual((await batch(1, () => fine)).failure?.violation.id, "canary")
    const other = (of: Case): Outcome => isCanary(of) ? { ...fine, violation: { id: "L1", saw: "", atMs: 1 } } : fine
    assert.strictEqual((await batch(1, other)).failure?.violation.id, "canary")
  })

  it("stops at the first run that fails a check, and hands its case over", async () => {
    const { failure, tally } = await batch(30, (of) => of.seed === 7 && !isCanary(of) ? { ...fine, violation: { id: "X1", saw: "", atMs: 3 } } : caught(of))
    assert.isDefined(failure)
    assert.strictEqual(failure.violation.id, "X1")
    assert.strictEqual("case" in failure ? failure.case.seed : undefined, 7)
    assert.strictEqual(tally.runs.light + tally.runs.full, 8)
  })

  it("fails when the same case gives another run", async () => {
    let runs = 0
    const { failure } = await batch(1, (of) => isCanary(of) ? caught(of) : { ...fine, hash: `${runs++}` })
    assert.strictEqual(failure?.violation.id, "D")
  })
})

describe("the canary", () => {
  it("is calm, and has one task with a wrong value", () => {
    for (let seed = 0; seed < 50; seed++) {
      const { faults, operations, tasks } = canaryCase(seed)
      assert.deepStrictEqual([faults, operations], [[], []])
      assert.strictEqual(tasks.filter(({ body }) => body._tag === "Lies").length, 1)
    }
  })
})

describe("a plan", () => {
  const plan: Plan = { seed: 100, process: 0, of: 2, profile: "mixed", runs: 22, forMs: undefined, explores: false }

  it("gives each process its own seeds, and all of them together the runs that were asked for", () => {
    const all = [0, 1].flatMap((process) => [...jobsOf({ ...plan, process }, () => 0)])
    assert.deepStrictEqual(all.map(({ seed }) => seed).sort((a, b) => a - b), Array.from({ length: 22 }, (_, n) => 100 + n))
    assert.strictEqual(all.filter(({ profile }) => profile === "full").length, 2)
  })

  it("ends when its time is over", () => {
    let now = 0
    const timed = [...jobsOf({ ...plan, runs: undefined, forMs: 5 }, () => now++)]
    assert.isAtMost(timed.length, 6)
    assert.isAtLeast(timed.length, 4)
  })
})

describe("the gate", () => {
  const usual = catalogue.filter(({ rare }) => rare === undefined).map(({ name }) => name)
  const reached = Object.fromEntries(usual.map((name) => [name, 1]))

  it("asks for five faults a run and for every mark that is not rare", () => {
    assert.deepStrictEqual(unmet({ histogram: { 0: 1, 10: 1 }, reached }), [])
    assert.deepStrictEqual(unmet({ histogram: { 0: 1, 9: 1 }, reached }), ["a full run had 4.5 faults during activity on average, and 5 are asked"])
    const [first, ...others] = usual
    assert.deepStrictEqual(unmet({ histogram: { 5: 1 }, reached: Object.fromEntries(others.map((name) => [name, 1])) }), [`never reached: ${first}`])
  })

  it("knows every place that is reached, and says why some are rare", () => {
    assert.deepStrictEqual(unmet({ histogram: { 5: 1 }, reached: { ...reached, "worker Ready → Mars": 1 } }), ["reached, and not in the catalogue of marks: worker Ready → Mars"])
    for (const { rare } of catalogue) assert.isTrue(rare === undefined || rare.length > 20)
  })
})

describe("the report", () => {
  it("says what was run, broken and reached, and what was not", () => {
    const [first] = catalogue
    const lines = tellTally({
      ...emptyTally(), runs: { light: 10, full: 2 }, cpuMs: { light: 500, full: 1_000 }, virtualMs: 7_200_000, faults: { Pause: 3 }, histogram: { 0: 1, 7: 1 },
      reached: { [first!.name]: 1 }
    }, 1_000).join("\n")
    assert.include(lines, "light 10 (20.0 per second and core), full 2 (2.0 per second and core)")
    assert.include(lines, "2.0 hours")
    assert.include(lines, "Pause 3")
    assert.include(lines, "on average 3.5")
    assert.include(lines, `1 of ${catalogue.length} marks`)
    assert.notInclude(lines, `not reached  ${first!.name}\n`)
  })

  it("of a failure names the check, the seed, the story and the command that shows it again", () => {
    const of = canaryCase(3)
    const lines = tellFailure(of, { smallest: of, outcome: { ...fine, violation: { id: "C2", saw: "a wrong value", atMs: 12 } }, runs: 9, ms: 1_500 }, "case.json").join("\n")
    for (const part of ["FAILED  C2", "seed    3", "gives a wrong value", "npm run simulate -- --replay case.json", "9 runs and 1.5 s"]) assert.include(lines, part)
  })
})
