/** The reducers alone, under chance: what must hold in every run, and that these runs can fail. */
import { assert, describe, it } from "@effect/vitest"
import type { Case } from "../../src/Case.ts"
import { type Batch, runSeeds } from "../../src/reducers/Batch.ts"
import { draw } from "../../src/reducers/Generate.ts"
import { shrink } from "../../src/reducers/Shrink.ts"
import { run } from "../../src/reducers/Simulation.ts"
import { canary, lying } from "./canary.ts"

/** Fails with what is needed to see it again. */
const assertWhole = ({ broken }: Batch): void =>
  assert.isUndefined(broken, broken === undefined ? "" : `seed ${broken.seed} at ${broken.at} ms: ${broken.invariant}: ${broken.detail}`)

/** Kinds of faults that reach down to the reducers. */
const kinds = ["WorkerCrash", "MemoryPressure", "Pause", "Partition", "ConnectionLoss", "Latency", "SpawnFailure", "ClientCrash"]

const paths = [
  "scheduler at healing: busy",
  "scheduler at healing: idle",
  "future: value",
  "future: Raised",
  "future: Cancelled",
  "future: Killed",
  "a body secedes, for good",
  "a body secedes, for a while",
  "a body is placed again",
  "a body ends its process",
  "a process is ended because a body would not stop",
  "a result comes back under another id"
]

describe("the reducers with a message network", () => {
  it("keep every promise in 500 light runs, in which every fault is met and every path is taken", { timeout: 120_000 }, () => {
    const batch = runSeeds({ from: 0, count: 500 })
    assertWhole(batch)
    for (const kind of kinds) assert.isAbove(batch.faults[kind] ?? 0, 5, kind)
    for (const path of paths) assert.isAbove(batch.marks[path] ?? 0, 5, path)
  })

  it("keep every promise in 3 full runs", { timeout: 120_000 }, () => {
    assertWhole(runSeeds({ from: 0, count: 3, size: "full", recountEvery: 2_000 }))
  })

  it("keep every invariant after every single batch", { timeout: 120_000 }, () => {
    assertWhole(runSeeds({ from: 50_000, count: 30, recountEvery: 1 }))
  })

  it("fail where they must: a lie is found out", () => {
    assert.isTrue(canary())
  })

  it("give equal runs for equal cases, and other runs for other seeds", () => {
    const told = (theCase: Case): string => {
      const lines: Array<string> = []
      run(theCase, { trace: (line) => lines.push(line) })
      return lines.join("\n")
    }
    for (const seed of [3, 4, 5]) {
      const theCase = draw(seed)
      assert.strictEqual(told(theCase), told(draw(seed)))
      assert.notStrictEqual(told(theCase), told({ ...theCase, seed: seed + 100 }))
    }
  })

  it("go on as they did when what has nothing to do with them is left out", () => {
    // A client that does nothing changes nothing for the other.
    const theCase: Case = { ...draw(11), faults: [], operations: [] }
    const lone = run(theCase)
    const beside = run({ ...theCase, faults: [{ _tag: "WorkerCrash", at: 1, worker: "worker-99" }] })
    assert.deepStrictEqual({ ...lone, marks: {} }, { ...beside, marks: {} })
  })

  it("a failing case shrinks to what it takes", () => {
    const seed = [1, 2, 3, 4, 5, 6, 7, 8].find((seed) => draw(seed).tasks.length > 10)
    assert.isDefined(seed)
    const theCase = { ...lying(seed), faults: draw(seed).faults, operations: draw(seed).operations }
    const shrunk = shrink(theCase, (theCase) => run(theCase).broken?.invariant)
    assert.isDefined(shrunk)
    assert.isTrue(shrunk.case.tasks.length <= 2 && shrunk.case.faults.length === 0 && shrunk.case.operations.length === 0, JSON.stringify(shrunk.case))
    assert.strictEqual(run(shrunk.case).broken?.invariant, shrunk.invariant)
  })

  it("a case that breaks nothing is not shortened", () => {
    assert.isUndefined(shrink(draw(1), () => undefined))
  })
})
