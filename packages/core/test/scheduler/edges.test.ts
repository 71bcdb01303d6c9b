/**
 * The edges of the scheduler's transition table, beside those of Dask's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Recent from "@skein/core/persistent/Recent"
import { statusName, type State } from "@skein/core/scheduler/State"
import { table } from "../../src/scheduler/internal/transition.ts"
import { forAllWalks, World } from "../utils/WalkScheduler.ts"

/** dask.md §2.1, table of scheduler transitions; Dask's `no-worker` is our noWorker. */
const dask = [
  "released → waiting",
  "released → erred",
  "released → forgotten",
  "waiting → processing",
  "waiting → queued",
  "waiting → noWorker",
  "waiting → memory",
  "waiting → released",
  "noWorker → processing",
  "noWorker → released",
  "noWorker → erred",
  "queued → processing",
  "queued → released",
  "queued → erred",
  "processing → memory",
  "processing → released",
  "processing → erred",
  "memory → released",
  "memory → forgotten",
  "memory → erred",
  "erred → released"
]

/** Dask's that we do without. */
const omitted: Record<string, string> = {
  "waiting → memory": "a race in Dask, of a result whose run was cancelled; a run number makes such a report harmless",
  "memory → forgotten": "goes through released: what is dropped is released first, also in Dask in all cases but pure data",
  "memory → erred": "only actors, whose worker left"
}

/** Ours that Dask lacks. */
const added: Record<string, string> = {
  "released → memory": "a worker joined that has the result; Dask refuses workers with data",
  "queued → noWorker": "the last worker left that may run it; in Dask it stays queued, and fails of a want of workers all the same",
  "noWorker → queued": "a worker joined, but has no room for all that waited for one; Dask's workers take in any number"
}

describe("the scheduler's transition table", () => {
  it("has Dask's edges, but for those that are explained", () => {
    const expected = [...dask.filter((edge) => !(edge in omitted)), ...Object.keys(added)]
    assert.deepStrictEqual([...edgesOfTable()].sort(), expected.sort())
    for (const edge of Object.keys(omitted)) assert.include(dask, edge)
    for (const edge of Object.keys(added)) assert.notInclude(dask, edge)
  })

  it("is walked along every edge, and along no other", { timeout: 300_000 }, () => {
    const walked = new Set<string>()
    forAllWalks(100, 200, (choices) => {
      const world = new World()
      for (const choice of choices) {
        const before = world.state.log.count
        world.apply([world.next(choice)])
        for (const edge of edgesSince(world.state, before)) walked.add(edge)
      }
    })
    assert.deepStrictEqual([...walked].sort(), [...edgesOfTable()].sort())
  })
})

const edgesOfTable = (): ReadonlyArray<string> =>
  Object.entries(table).flatMap(([from, edges]) =>
    Object.keys(edges).map((to) =>
      `${statusName[from as keyof typeof statusName]} → ${to === "Forgotten" ? "forgotten" : statusName[to as keyof typeof statusName]}`
    )
  )

/** The changes of status that the log has since it had `logged` of them, as far back as it reaches. */
const edgesSince = (state: State, logged: number): ReadonlyArray<string> =>
  Recent.since(state.log, logged).map(({ from, to }) => `${from} → ${to}`)
