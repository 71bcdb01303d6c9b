/**
 * Two runs side by side.
 */
import { median, show } from "./figures.ts"
import { idOf, type Row, type Run } from "./Row.ts"

/** For each row that either run has: both figures, and how many times as good the second is. */
export const compare = (before: Run, after: Run): ReadonlyArray<string> => {
  const old = new Map(before.rows.map((row) => [idOf(row), row]))
  const now = new Map(after.rows.map((row) => [idOf(row), row]))
  return [...new Set([...old.keys(), ...now.keys()])].map((id) => `${id.padEnd(72)} ${ratioOf(old.get(id), now.get(id))}`)
}

/** How many times as good; above 1 is better, whichever way the figure goes. */
export const gain = (before: Row, after: Row): number =>
  before.better === "less" ? median(before.values) / median(after.values) : median(after.values) / median(before.values)

const ratioOf = (before: Row | undefined, after: Row | undefined): string => {
  if (before === undefined) return "only in the second run"
  if (after === undefined) return "only in the first run"
  if (before.missing !== null || after.missing !== null) return `no figure: ${before.missing ?? after.missing}`
  const figures = `${show(median(before.values)).padStart(9)} → ${show(median(after.values)).padStart(9)} ${after.unit}`
  const cpu = Object.keys(after.cpu).filter((process) => before.cpu[process] !== undefined)
    .map((process) => `${process} ${show(before.cpu[process]!)} → ${show(after.cpu[process]!)}`)
  return `${figures.padEnd(40)} ×${gain(before, after).toFixed(2)} as good${cpu.length === 0 ? "" : `  (processor: ${cpu.join(", ")})`}`
}
