/**
 * RESULTS.md, from runs that `--json` kept: nobody writes figures by hand.
 */
import { fileURLToPath } from "node:url"
import { groups } from "./groups.ts"
import { gain } from "./harness/compare.ts"
import { median, show } from "./harness/figures.ts"
import { idOf, type Row, type Run } from "./harness/Row.ts"
import { markdown } from "./harness/table.ts"
import { judge, type Target, targets } from "./targets.ts"

/** Its path. */
export const resultsFile: string = fileURLToPath(new URL("../RESULTS.md", import.meta.url))

/** The file's text. Of several runs the best one counts, for each row and for each target. */
export const resultsText = (runs: ReadonlyArray<Run>): string => {
  const best = bestRows(runs)
  const missingGroups = groups.filter(({ name }) => !best.some(({ group }) => group === name))
  return [
    "# Results",
    "",
    "Written by `npm run bench -- --write-results`; not to be changed by hand. README.md says what is measured and how.",
    "",
    ...runs.map(headline),
    "",
    ...(runs.length > 1 ? [`The best of ${runs.length} invocations counts, for each row.`, ""] : []),
    "## The numbers to reach",
    "",
    "*The floor* is the least that can be called a scheduler: three plain processes without RPC, futures or checks, in the same run (`src/groups/floor.ts`).",
    "Where the numbers to reach were derived, it took 4 to 6 µs a task and 0.12 ms a trip; they are read beside what it takes here.",
    "",
    markdown(["what", "reach", "then go for", "found", "the floor here", ""], targets.map((target) => targetCells(target, runs))),
    "",
    ...groups.flatMap(({ about, name }) => {
      const rows = best.filter(({ group }) => group === name)
      return rows.length === 0 ? [] : [`## ${name}`, "", `${about[0]!.toUpperCase()}${about.slice(1)}.`, "", table(rows), ""]
    }),
    ...(missingGroups.length === 0 ? [] : [`Not measured: ${missingGroups.map(({ name }) => name).join(", ")}.`, ""])
  ].join("\n")
}

const headline = ({ date, machine, quick, versions }: Run): string =>
  `- ${date}${quick ? " (quick)" : ""}: ${machine.cores} × ${machine.processor}, ${machine.memoryGiB} GiB, ${machine.system}; ` +
  Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")

/** Each row once, of the run where its figure is best; rows without a figure in any run as well. */
const bestRows = (runs: ReadonlyArray<Run>): ReadonlyArray<Row> => {
  const best = new Map<string, Row>()
  for (const row of runs.flatMap(({ rows }) => rows)) {
    const known = best.get(idOf(row))
    if (known === undefined || (row.missing === null && (known.missing !== null || gain(known, row) > 1))) best.set(idOf(row), row)
  }
  return [...best.values()]
}

const targetCells = (target: Target, runs: ReadonlyArray<Run>): ReadonlyArray<string> => {
  const { floor, found, goFor, verdict } = judge(target, runs)
  const sign = target.better === "less" ? "≤" : "≥"
  const aim = (value: number | undefined) => value === undefined ? "–" : `${sign} ${show(value)} ${target.unit}`
  const figure = (value: number | undefined, missing: string) => value === undefined ? missing : `${show(value)} ${target.unit}`
  return [target.what, aim(target.reach), aim(goFor), figure(found, "–"), figure(floor, ""), verdict]
}

const table = (rows: ReadonlyArray<Row>): string =>
  markdown(["", "median", "least to most", "runs", "processor, µs", "load", ""], rows.map((row) => {
    if (row.missing !== null) return [row.name, "–", "", "", "", "", row.missing]
    const cpu = Object.entries(row.cpu).map(([process, us]) => `${process} ${show(us)}`).join(", ")
    return [
      row.name,
      `${show(median(row.values))} ${row.unit}`,
      `${show(Math.min(...row.values))} to ${show(Math.max(...row.values))}`,
      String(row.values.length),
      cpu === "" ? "" : `${cpu} (a ${row.per})`,
      `${row.load.before.toFixed(1)} → ${row.load.after.toFixed(1)}`,
      row.note
    ]
  }))
