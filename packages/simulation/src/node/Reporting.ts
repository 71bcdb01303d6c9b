/**
 * What a simulation session and a failing run look like in lines.
 */
import type { Case } from "../Case.ts"
import type { Violation } from "../cases/Checks.ts"
import { catalogue } from "../cases/Marks.ts"
import type { Outcome } from "../cases/Run.ts"
import { tellCase } from "../cases/Tell.ts"
import { faultKinds } from "../Fault.ts"
import type { Tally } from "./Batch.ts"
import { meanFaults } from "./Gate.ts"
import type { Shrunk } from "./Shrinking.ts"

/** A session: what was run, broken, and reached. `wallMs`: of the whole; `processes`: how many ran side by side. */
export const tellTally = (tally: Tally, wallMs: number): ReadonlyArray<string> => {
  const { cpuMs, runs } = tally
  const speed = (profile: "light" | "full") =>
    runs[profile] === 0 ? "none" : `${runs[profile]} (${(runs[profile] / (cpuMs[profile] / 1_000)).toFixed(1)} per second and core)`
  const missing = catalogue.filter(({ name }) => !(name in tally.reached))
  const faults = faultKinds.map((kind) => `${kind} ${tally.faults[kind] ?? 0}`)
  return [
    `runs           light ${speed("light")}, full ${speed("full")}, in ${(wallMs / 1_000).toFixed(0)} s`,
    `               ${tally.tasks} tasks, ${tally.steps} steps, ${tally.doubled} runs made twice, ${tally.canaries} canaries caught`,
    ...(tally.reducers.seeds === 0 ? [] : [
      `machines alone ${tally.reducers.seeds} cases, ${tally.reducers.events} events (${(tally.reducers.events / tally.reducers.cpuMs).toFixed(0)} thousand per second and core)`
    ]),
    ...(tally.explored.configurations === 0 ? [] : [`all states     ${tally.explored.states} of ${tally.explored.configurations} small clusters`]),
    `virtual time   ${duration(tally.virtualMs)}`,
    `faults         ${sum(Object.values(tally.faults))}: ${faults.join(", ")}`,
    ...tellHistogram(tally.histogram),
    `coverage       ${catalogue.length - missing.length} of ${catalogue.length} marks, ${Object.keys(tally.cells).length} cells of event and transition`,
    ...missing.map(({ name, rare }) => `  not reached  ${name}${rare === undefined ? "" : ` (rare: ${rare})`}`)
  ]
}

/** Faults during activity, over full runs. */
const tellHistogram = (histogram: Tally["histogram"]): ReadonlyArray<string> => {
  const entries = Object.entries(histogram).map(([faults, runs]) => ({ faults: Number(faults), runs }))
  const runs = sum(entries.map((entry) => entry.runs))
  if (runs === 0) return []
  const bins = [[0, 0], [1, 2], [3, 5], [6, 10], [11, 20], [21, Infinity]] as const
  return [
    `               during activity in a full run, on average ${meanFaults({ histogram }).toFixed(1)}:`,
    ...bins.map(([least, most]) => {
      const share = sum(entries.filter(({ faults }) => faults >= least && faults <= most).map((entry) => entry.runs)) / runs
      const name = least === most ? `${least}` : most === Infinity ? `${least} and more` : `${least} to ${most}`
      return `${name.padStart(22)}  ${"▇".repeat(Math.round(share * 40))} ${(share * 100).toFixed(0)} %`
    })
  ]
}

/** A failing run made small: what failed, the story, and how to see it again. */
export const tellFailure = (original: Case, shrunk: Shrunk<Outcome>, file: string): ReadonlyArray<string> => {
  const { ms, outcome, runs, smallest } = shrunk
  const { tasks } = smallest
  return [
    `FAILED  ${outcome.violation?.id}`,
    `  saw     ${outcome.violation?.saw}`,
    `  seed    ${original.seed}`,
    `  shrunk  ${original.tasks.length} tasks, ${original.cluster.workers} workers, ${original.faults.length} faults, ${original.operations.length} operations`,
    `       to ${tasks.length} tasks, ${smallest.cluster.workers} workers, ${smallest.faults.length} faults, ${smallest.operations.length} operations, in ${runs} runs and ${(ms / 1_000).toFixed(1)} s`,
    "  story",
    ...tellCase(smallest).map((line) => `    ${line}`),
    `    ${outcome.violation?.atMs.toFixed(3).padStart(12)} ms  ${outcome.violation?.id} fails`,
    `  again   npm run simulate -- --replay ${file}`
  ]
}

/** A failure of the machines alone, made small. */
export const tellReducerFailure = (original: Case, smallest: Case, violation: Violation, runs: number, file: string): ReadonlyArray<string> => [
  `FAILED  ${violation.id} (the machines alone)`,
  `  saw     ${violation.saw}`,
  `  seed    ${original.seed}`,
  `  shrunk  ${original.tasks.length} tasks to ${smallest.tasks.length}, ${original.faults.length} faults to ${smallest.faults.length}, in ${runs} runs`,
  "  story",
  ...tellCase(smallest).map((line) => `    ${line}`),
  `  again   npm run simulate -- --replay ${file} --level reducers`
]

/** One run, for a replay. */
export const tellOutcome = (of: Case, outcome: Outcome): ReadonlyArray<string> => [
  ...tellCase(of),
  `${outcome.steps} steps, ${outcome.virtualMs.toFixed(3)} ms of virtual time, hash ${outcome.hash}`,
  outcome.violation === undefined ? "all checks hold" : `FAILED  ${outcome.violation.id}: ${outcome.violation.saw} (at ${outcome.violation.atMs.toFixed(3)} ms)`
]

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, n) => total + n, 0)

const duration = (ms: number): string => {
  const hours = ms / 3_600_000
  return hours >= 48 ? `${(hours / 24).toFixed(1)} days` : hours >= 1 ? `${hours.toFixed(1)} hours` : `${(ms / 60_000).toFixed(1)} minutes`
}
