/**
 * Rows as lines of text.
 */
import { median, show } from "./figures.ts"
import type { Row } from "./Row.ts"

/** One row: its figure with least and most, the processor time of each process, the load around it. */
export const line = (row: Row): string => {
  const name = row.name.padEnd(58)
  if (row.missing !== null) return `${name} ${"–".padStart(9)}  ${row.missing}`
  const figure = `${show(median(row.values)).padStart(9)} ${row.unit}`.padEnd(26)
  const range = `${show(Math.min(...row.values))} to ${show(Math.max(...row.values))}`
  const cpu = Object.entries(row.cpu).map(([process, us]) => `${process} ${show(us)}`).join(", ")
  const parts = [
    `${name} ${figure} (${range}; ${row.values.length} runs)`,
    cpu === "" ? "" : `processor: ${cpu} µs a ${row.per}`,
    `load ${row.load.before.toFixed(1)} → ${row.load.after.toFixed(1)}`,
    row.note
  ]
  return parts.filter((part) => part !== "").join("  ")
}

/** A table in Markdown. */
export const markdown = (head: ReadonlyArray<string>, body: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n")
