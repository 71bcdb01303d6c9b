/**
 * From the call of `LocalCluster.layer` with two workers until both have
 * registered, each time from a new process.
 *
 * *cold*: with nothing in the user's cache, neither compiled sources nor the
 * image of what children run, as after an installation; *warm*: as at every
 * later start.
 */
import { Effect } from "effect"
import * as Entries from "@skein/cluster/node/Entries"
import * as Image from "@skein/runtime/node/Image"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Bench } from "../harness/Bench.ts"
import { coldRun } from "../harness/cold.ts"
import { type Figure, row } from "../harness/measure.ts"
import { folder } from "../harness/processes.ts"

const started = (env: Readonly<Record<string, string>>) => Effect.map(coldRun(null, "fiber", env), ({ startMs }) => startMs)

const coldFigure: Figure = { name: "LocalCluster of two processes ready, cold compile cache", unit: "ms" }
const warmFigure: Figure = { name: "LocalCluster of two processes ready, warm compile cache", unit: "ms" }

export const startUp = Effect.scoped(Effect.gen(function*() {
  const { wants } = yield* Bench
  const cache = join(yield* folder, "cache")
  const env = { XDG_CACHE_HOME: cache }
  // Where `Image.make` puts it; this process starts nothing else.
  Object.assign(process.env, env)
  const emptied = Effect.sync(() => rmSync(cache, { recursive: true, force: true }))
  const processes = () => ({})
  // The image that a first start leaves to be made is waited for, or it would be made beside the next run.
  yield* row({ ...coldFigure, processes, round: Effect.andThen(emptied, Effect.tap(started(env), () => Image.make(Entries.all))) })
  if (!wants(warmFigure.name)) return
  yield* Image.make(Entries.all)
  yield* row({ ...warmFigure, processes, warm: 2, round: started(env) })
}))
