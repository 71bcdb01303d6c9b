/** What measurements say, for tests. */
import { Effect } from "effect"
import { Bench, wants } from "../../src/harness/Bench.ts"
import type { Row } from "../../src/harness/Row.ts"

/** What a measurement emits, as in a benchmark that was told to make so many runs. */
export const emitted = Effect.fnUntraced(function*(measurement: Effect.Effect<void, never, Bench>, runs = 3, parts: ReadonlyArray<string> = []) {
  const found: Array<Row> = []
  const options = { group: "g", parts, extent: "usual", runs, against: [], python: "python3" } as const
  yield* Effect.provideService(measurement, Bench, {
    options,
    wants: (name) => wants(parts, name),
    emit: (row) => Effect.sync(() => void found.push(row))
  })
  return found
})
