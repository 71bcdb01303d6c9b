/**
 * The command line of the benchmark, and what it does.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import * as Entries from "@skein/cluster/node/Entries"
import * as Image from "@skein/runtime/node/Image"
import { groups } from "./groups.ts"
import { compare } from "./harness/compare.ts"
import * as Files from "./harness/files.ts"
import { load } from "./harness/procfs.ts"
import type { Row, Run } from "./harness/Row.ts"
import { runGroup } from "./harness/running.ts"
import { line } from "./harness/table.ts"
import { findPython, peerVersions } from "./harness/python.ts"
import { resultsFile, resultsText } from "./results.ts"
import { select } from "./selection.ts"

/** The command line asks for what cannot be. */
class BadUse extends Schema.TaggedError<BadUse>()("BadUse", { message: Schema.String }) {}

const peers = ["dask", "ray"] as const

const flags = {
  names: Argument.String("names").pipe(
    Argument.withDescription("Groups, or group/part for the rows whose names contain the part; with --compare and --write-results: files"),
    Argument.variadic()
  ),
  quick: Flag.Boolean("quick").pipe(Flag.withDefault(false), Flag.withDescription("What is worth knowing before each change, within a minute")),
  all: Flag.Boolean("all").pipe(Flag.withDefault(false), Flag.withDescription("Also the rows that take very long")),
  runs: Flag.Int("runs").pipe(
    Flag.filter((runs) => runs >= 1 && runs <= 100, () => "a number from 1 to 100"),
    Flag.withDefault(5),
    Flag.withDescription("Runs of each row")
  ),
  json: Flag.String("json").pipe(Flag.withMetavar("FILE"), Flag.withDescription("Keep the run in this file"), Flag.optional),
  against: Flag.String("against").pipe(
    Flag.withMetavar("dask,ray"),
    Flag.filter(
      (names) => names.split(",").every((name) => (peers as ReadonlyArray<string>).includes(name)),
      () => "dask, ray, or both with a comma between"
    ),
    Flag.withDescription("Measure these beside, in turn"),
    Flag.optional
  ),
  dask: Flag.String("dask").pipe(
    Flag.withMetavar("PYTHON"),
    Flag.withDescription("The Python that has distributed and ray (default: the first of python3 that can import them)"),
    Flag.optional
  ),
  compare: Flag.Boolean("compare").pipe(Flag.withDefault(false), Flag.withDescription("Show the ratios of two files that --json wrote")),
  writeResults: Flag.Boolean("write-results").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Write apps/bench/RESULTS.md from files that --json wrote, the best of them for each row")
  )
}
type Flags = Command.Command.Config.Infer<typeof flags>

const showComparison = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const [before, after] = files
  if (before === undefined || after === undefined || files.length > 2) return yield* new BadUse({ message: "--compare wants two files: --compare A.json B.json" })
  const lines = compare(yield* Files.read(before), yield* Files.read(after))
  yield* Effect.forEach(lines, (line) => Console.log(line), { discard: true })
})

const writeResults = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  if (files.length === 0) return yield* new BadUse({ message: "--write-results wants at least one file: --write-results A.json B.json" })
  const runs = yield* Effect.forEach(files, Files.read)
  yield* Files.write(resultsFile, resultsText(runs))
  yield* Console.log(`${resultsFile} is written from ${files.join(", ")}`)
})

const measure = Effect.fnUntraced(function*({ all, dask, json, names, quick, runs, ...options }: Flags) {
  if (quick && all) return yield* new BadUse({ message: "--quick and --all exclude each other" })
  const selected = yield* select(groups, names, quick)
  const against = peers.filter((peer) => Option.isSome(options.against) && options.against.value.split(",").includes(peer))
  const python = Option.getOrElse(dask, findPython)
  const run: Omit<Run, "rows"> = {
    format: "skein-bench-1",
    date: new Date().toISOString(),
    quick,
    versions: { ...Files.versions(), ...(against.length === 0 ? {} : peerVersions(python)) },
    machine: Files.machine()
  }
  yield* Console.log(
    `${run.date}  ${Object.entries(run.versions).map(([name, version]) => `${name} ${version}`).join(", ")}  ` +
      `${run.machine.cores} × ${run.machine.processor}, ${run.machine.memoryGiB} GiB  load ${load().toFixed(1)}`
  )
  // Made beside the first cluster that finds none; nothing is to run beside what is measured.
  yield* Image.make(Entries.all)
  const rows: Array<Row> = []
  const console = yield* Console.Console
  for (const { group, parts } of selected) {
    yield* Console.log(`\n${group.name}: ${group.about}`)
    const before = rows.length
    const since = performance.now()
    yield* runGroup(group, { group: group.name, parts, extent: quick ? "quick" : all ? "all" : "usual", runs, against, python }, (row) => {
      rows.push(row)
      console.log(`  ${line(row)}`)
    })
    yield* Console.log(`  (${Math.round((performance.now() - since) / 1_000)} s)`)
    if (Option.isSome(json)) yield* Files.keep(json.value, { ...run, rows })
    if (rows.length === before) return yield* new BadUse({ message: `no row of ${group.name} has a name that contains ${parts.map((part) => `"${part}"`).join(" or ")}` })
  }
  yield* Console.log(`\nload ${load().toFixed(1)}${Option.isSome(json) ? `; kept in ${json.value}` : ""}`)
})

export const bench = Command.make("bench", flags, (options) => {
  if (options.compare) return showComparison(options.names).pipe(Effect.mapError(explained))
  return (options.writeResults ? writeResults(options.names) : measure(options)).pipe(Effect.mapError(explained))
}).pipe(
  Command.withDescription(`Measures Skein. Each figure is the median of several runs. Groups:\n${groups.map(({ about, name }) => `  ${name.padEnd(14)} ${about}`).join("\n")}`),
  Command.withExamples([
    { command: "npm run bench:quick", description: "Before each change to a hot path" },
    { command: "npm run bench -- zero-worker/map latency", description: "Some rows" },
    { command: "npm run bench -- --json A.json --against dask,ray", description: "Everything, beside its peers, kept in a file" },
    { command: "npm run bench -- --compare A.json B.json", description: "What has changed" },
    { command: "npm run bench -- --write-results A.json B.json", description: "apps/bench/RESULTS.md, from the better of two runs" }
  ])
)

const explained = (error: { readonly message: string }) => new CliError.UserError({ cause: error, userMessage: error.message })
