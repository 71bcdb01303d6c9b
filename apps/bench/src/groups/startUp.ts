/**
 * From the call of `LocalCluster.layer` with two workers until both have
 * registered, each time from a new process.
 *
 * *cold*: with an empty compile cache, as after an installation; *warm*: as at
 * every later start.
 */
import { Effect } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { coldRun } from "../harness/cold.ts"
import { Bench } from "../harness/Bench.ts"
import { row } from "../harness/measure.ts"
import { folder } from "../harness/processes.ts"

const started = (env: Readonly<Record<string, string>>) => Effect.map(coldRun(null, "fiber", env), ({ startMs }) => startMs)

export const startUp = Effect.scoped(Effect.gen(function*() {
  const cache = join(yield* folder, "cache")
  const env = { NODE_COMPILE_CACHE: cache }
  const measured = { unit: "ms", processes: () => ({}) }
  const { options } = yield* Bench
  const emptied = Effect.sync(() => rmSync(cache, { recursive: true, force: true }))
  if (options.extent !== "quick") {
    yield* row({ ...measured, name: "LocalCluster of two processes ready, cold compile cache", round: Effect.andThen(emptied, started(env)) })
  }
  yield* row({ ...measured, name: "LocalCluster of two processes ready, warm compile cache", warm: 2, round: started(env) })
}))
