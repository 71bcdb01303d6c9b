import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type { State } from "@skein/core/worker/State"
import * as Recent from "@skein/core/persistent/Recent"
import { table } from "../../src/worker/internal/transition.ts"
import { daskEdges, ownEdges } from "./edges.ts"
import { Walk, walk } from "./Walk.ts"

describe("worker transitions", () => {
  it("are Dask's, but for what is explained", () => {
    const expected = new Set([...daskEdges.flatMap(({ ours }) => ours ?? []), ...Object.keys(ownEdges)])
    assert.deepStrictEqual([...tableEdges(), "Released → Forgotten"].sort(), [...expected].sort())
    for (const { because, dask, ours } of daskEdges) assert.isTrue(ours !== undefined || because !== undefined, dask)
  })

  it.effect("are all taken by walks", () =>
    Effect.gen(function*() {
      const taken = new Set<string>()
      for (const choices of yield* Arbitrary.sampleEffect(Walk, { count: 60, size: 230, seed: "edges" })) {
        walk(choices, 1, ({ after, before }) => {
          for (const edge of edgesSince(before, after)) taken.add(edge)
        })
      }
      assert.deepStrictEqual([...taken].sort(), [...tableEdges(), "Released → Forgotten"].sort())
    }), 60_000)
})

const tableEdges = (): ReadonlyArray<string> =>
  Object.entries(table).flatMap(([from, edges]) => Object.keys(edges).map((to) => `${from} → ${to}`))

/** What the log has gained; in a step that logged more than the log holds, what it still holds of that. */
const edgesSince = (before: State, after: State): ReadonlyArray<string> =>
  Recent.since(after.log, before.log.count).map(({ from, to }) => `${from} → ${to}`)
