/**
 * A failing run of a program, told in lines.
 */
import type { Case } from "../Case.ts"
import { tellFault } from "../cases/Tell.ts"
import type { Outcome } from "./Run.ts"

export interface Telling {
  /** As the seed had it. */
  readonly of: Case
  readonly smallest: Case
  /** Of the smallest. */
  readonly outcome: Outcome
  /** That it took to make it small. */
  readonly runs: number
  readonly again: string
  readonly file: string
}

/** Which seed, what failed, what little is needed for it, and what happened then. */
export const tell = ({ again, file, of, outcome, runs, smallest }: Telling): ReadonlyArray<string> => {
  const { faults } = smallest
  return [
    `${outcome.violation?.id} failed under seed ${of.seed}`,
    ...indented("saw", (outcome.violation?.saw ?? "").split("\n")),
    ...indented("needs", [
      `${smallest.cluster.workers === 1 ? "1 worker" : `${smallest.cluster.workers} workers`}, ${faults.length === 0 ? "no fault" : faults.length === 1 ? "this fault:" : `these ${faults.length} faults:`}`,
      ...faults.map((fault) => `${fault.at.toFixed(3).padStart(10)} ms  ${tellFault(fault)}`)
    ]),
    `  shrunk  from ${of.cluster.workers} workers and ${of.faults.length} faults, in ${runs} runs`,
    ...indented("story", story(outcome.lines)),
    `  case    ${file}`,
    `  again   ${again}`
  ]
}

const indented = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line, n) => `  ${(n === 0 ? title : "").padEnd(8)}${line}`)

/** Lines of a story, at most: its beginning, and most of its end. */
const LINES = 60
const FIRST = 15

const isTraffic = /^ *[\d.]+ \S+->\S+ \d+ bytes$/
const isStack = /^ *[\d.]+ \S+ +writes +at /
/** What the cluster's owner passes on has been told already, of whom it is from. */
const isPassedOn = /^ *[\d.]+ owner +writes +\[/

/** What processes did and wrote, and what was done to them; not what went over the network. */
export const story = (lines: ReadonlyArray<string>, most: number = LINES): ReadonlyArray<string> => {
  const told = lines.filter((line) => !isTraffic.test(line) && !isStack.test(line) && !isPassedOn.test(line)).map((line) => line.trimEnd())
  if (told.length <= most) return told
  return [...told.slice(0, FIRST), `${"".padStart(13)}… ${told.length - most} more lines …`, ...told.slice(FIRST - most)]
}
