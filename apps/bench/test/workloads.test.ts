import { assert, describe, it } from "@effect/vitest"
import * as Workloads from "../src/workloads.ts"

const of = (graph: Workloads.Graph) => {
  const { edges, longestPath, tasks } = Workloads.properties(graph)
  return [tasks, edges, longestPath]
}

/** Rows of performance.md §2a: tasks, dependencies, longest path. */
const published: ReadonlyArray<readonly [Workloads.Graph, ReadonlyArray<number>]> = [
  [Workloads.merge(10_000), [10_001, 10_000, 1]],
  [Workloads.merge(100_000), [100_001, 100_000, 1]],
  [Workloads.mergeSlow(5_000, 100), [5_001, 5_000, 1]],
  [Workloads.mergeSlow(20_000, 10), [20_001, 20_000, 1]],
  [Workloads.tree(15), [32_767, 32_766, 14]],
  [Workloads.bag("bag-25K-10", 10, 1_233, 292 * 1024), [236, 415, 6]],
  [Workloads.bag("bag-25K-50", 50, 54.9, 0), [5_458, 10_357, 7]],
  [Workloads.bag("bag-25K-100", 100, 13.9, 0), [21_631, 41_430, 8]],
  [Workloads.bag("bag-25K-200", 200, 3.6, 0), [86_116, 165_715, 9]],
  [Workloads.vectorizer(), [301, 0, 0]],
  [Workloads.wordbag(), [250, 200, 2]]
]

describe("workloads", () => {
  for (const [graph, properties] of published) {
    it(`${graph.name} has the tasks, dependencies and longest path that were published`, () => {
      assert.deepStrictEqual(of(graph), properties)
    })
  }

  it("a tree of about n tasks has at most a twentieth more", () => {
    assert.deepStrictEqual([10_000, 100_000, 1_000_000].map((n) => Workloads.treeOf(n).deps.length), [8_191, 65_535, 1_048_575])
  })

  it("the notebook is two tasks and their sum for each chain, and a tree of the sums", () => {
    assert.deepStrictEqual(of(Workloads.notebook(256)), [3 * 256 + 255, 2 * 256 + 2 * 255, 9])
  })

  it("a fan-out and a chain are as wide and as long as they say", () => {
    assert.deepStrictEqual(of(Workloads.fanOut(10)), [11, 10, 1])
    assert.deepStrictEqual(of(Workloads.chain(10)), [10, 9, 9])
  })

  it("every task needs earlier ones only", () => {
    for (const [{ deps, name }] of published) {
      assert.strictEqual(deps.findIndex((needs, task) => needs.some((need) => need < 0 || need >= task)), -1, name)
    }
  })

  it("levels hold every task once, after all it needs", () => {
    const graph = Workloads.bag("bag", 5, 0, 0)
    const levels = Workloads.levels(graph)
    const levelOf = new Map(levels.flatMap((level, depth) => level.map((task) => [task, depth] as const)))
    assert.strictEqual(levelOf.size, graph.deps.length)
    for (const [task, needs] of graph.deps.entries()) for (const need of needs) assert.isBelow(levelOf.get(need)!, levelOf.get(task)!)
  })

  it("sinks are what nothing else needs", () => {
    assert.deepStrictEqual(Workloads.sinks(Workloads.merge(3)), [3])
    assert.deepStrictEqual(Workloads.sinks(Workloads.map(3)), [0, 1, 2])
  })

  it("no schedule is shorter than the longest path, or than all work shared evenly", () => {
    assert.strictEqual(Workloads.idealMs(Workloads.mergeSlow(240, 100), 24), 1_000)
    assert.strictEqual(Workloads.idealMs({ ...Workloads.chain(5), ms: () => 10 }, 24), 50)
  })

  it("names say sizes in thousands and millions", () => {
    assert.deepStrictEqual([8_191, 10_000, 100_000, 1_000_000].map(Workloads.count), ["8191", "10K", "100K", "1M"])
  })
})
