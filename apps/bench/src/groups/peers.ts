/**
 * The same workloads on dask.distributed and Ray, through their public
 * interfaces, one after the other: their programs are in peers/.
 *
 * Dask with both settings of `worker-saturation`; the better one counts, and
 * which that is differs from row to row. A peer that is missing is a row that
 * says so.
 */
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Bench } from "../harness/Bench.ts"
import { absent } from "../harness/measure.ts"
import { load } from "../harness/procfs.ts"
import { lastWord, ProcessFailed } from "../harness/processes.ts"
import { peerVersions } from "../harness/python.ts"

const Line = Schema.fromJsonString(Schema.Struct({
  name: Schema.String,
  unit: Schema.String,
  values: Schema.Array(Schema.Number),
  cpu: Schema.Record(Schema.String, Schema.Number)
}))
type Line = typeof Line.Type

const program = (name: string) => fileURLToPath(new URL(`../../peers/${name}`, import.meta.url))

/** What a program found. An interruption ends it. */
const run = (python: string, args: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Line>, ProcessFailed> =>
  Effect.callback<ReadonlyArray<Line>, ProcessFailed>((resume) => {
    const env = { ...process.env, PYTHONWARNINGS: "ignore", RAY_DEDUP_LOGS: "0" }
    const child = execFile(python, [...args], { env, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error !== null) return resume(Effect.fail(new ProcessFailed({ command: args[0]!, detail: lastWord(stderr) || error.message })))
      const lines = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => Schema.decodeUnknownSync(Line)(line))
      resume(Effect.succeed(lines))
    })
    return Effect.sync(() => child.kill("SIGINT"))
  }).pipe(Effect.timeoutOrElse({
    duration: "20 minutes",
    orElse: () => Effect.fail(new ProcessFailed({ command: args[0]!, detail: "was not done after 20 minutes" }))
  }))

/** Emits what a program finds, under these names. */
const emitAll = Effect.fnUntraced(function*(what: string, nameOf: (line: Line) => string, found: Effect.Effect<ReadonlyArray<Line>, ProcessFailed>) {
  const { emit, options, wants } = yield* Bench
  const before = load()
  const lines = yield* Effect.result(found)
  if (lines._tag === "Failure") return yield* absent({ name: what, unit: "" }, lines.failure.message)
  for (const line of lines.success) {
    const name = nameOf(line)
    if (!wants(name)) continue
    yield* emit({
      group: options.group,
      name,
      unit: line.unit,
      better: "less",
      values: line.values,
      cpu: line.cpu,
      per: "task",
      load: { before, after: load() },
      note: "",
      missing: null
    })
  }
})

export const shapes = ["map 10K", "merge 10K", "tree 8191"] as const
export const saturations = ["1.1", "inf"] as const
/** The row of a Dask figure. */
export const daskName = (what: string, saturation: string, mode: "cold" | "warm") => `dask, ${what}, saturation ${saturation}, ${mode}`

const dask = Effect.gen(function*() {
  const { options: { extent, python, runs }, wants } = yield* Bench
  for (const saturation of saturations) {
    const name = (line: Line) => daskName(line.name, saturation, "warm")
    yield* emitAll(`dask, saturation ${saturation}, warm`, name, run(python, [program("on_dask.py"), saturation, "warm", String(runs)]))
    for (const shape of shapes) {
      const cold = daskName(shape, saturation, "cold")
      if (!wants(cold)) continue
      const all = Effect.map(
        Effect.forEach(Array.from({ length: runs }), () => run(python, [program("on_dask.py"), saturation, "cold", "1", shape])),
        (each): ReadonlyArray<Line> => each[0]!.map((line) => ({ ...line, values: each.flatMap((lines) => lines.flatMap(({ values }) => values)) }))
      )
      yield* emitAll(cold, () => cold, all)
    }
    if (extent === "all") yield* emitAll(`dask, merge_slow, saturation ${saturation}`, name, run(python, [program("on_dask.py"), saturation, "slow", String(runs)]))
  }
})

const ray = Effect.gen(function*() {
  const { options: { python, runs } } = yield* Bench
  yield* emitAll("ray", ({ name }) => `ray, ${name}`, run(python, [program("on_ray.py"), String(runs)]))
})

export const peers = Effect.gen(function*() {
  const { options: { against, python } } = yield* Bench
  const versions = peerVersions(python)
  for (const [peer, module, measure] of [["dask", "distributed", dask], ["ray", "ray", ray]] as const) {
    if (!against.includes(peer)) yield* absent({ name: peer, unit: "" }, "not asked for: --against dask,ray")
    else if (versions[module] === undefined) {
      yield* absent({ name: peer, unit: "" }, `${python} cannot import ${module}: apps/bench/README.md says how to install it; --dask PYTHON names the Python that has it`)
    } else yield* measure
  }
})
