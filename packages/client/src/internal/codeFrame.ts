/**
 * The lines of a program in which a function uses names, with the names marked.
 */
import type { FunctionSource } from "../Platform.ts"
import type { Free } from "./freeVariables.ts"

/** Lines that are shown at most, and characters of each. */
const LINES = 4
const WIDTH = 110

/**
 * Where the first name is, `file:line:column`, and each line that has one of them, with marks below. `text` is the function's, in
 * which the names are.
 */
export const frameOf = (source: FunctionSource, text: string, names: ReadonlyArray<Free>): ReadonlyArray<string> => {
  const places = names.map(({ at, name }) => ({ name, ...placeIn(source, text, at) }))
  const first = places[0] ?? { line: source.line, column: source.column }
  const byLine = new Map<number, Array<typeof places[number]>>()
  for (const place of places) byLine.set(place.line, [...byLine.get(place.line) ?? [], place])
  const width = String(Math.max(...byLine.keys(), 0)).length
  const frame = [`${source.file}:${first.line}:${first.column}${source.isCompiled ? " (as compiled)" : ""}`]
  for (const [line, marked] of [...byLine].slice(0, LINES)) {
    const whole = source.lines[line - 1]
    if (whole === undefined) continue
    // A long line, of a compiler perhaps, is shown from a little before the first name.
    const cut = whole.length <= WIDTH ? 0 : Math.max(0, marked[0]!.column - 1 - 20)
    const shown = `${cut > 0 ? "…" : ""}${whole.slice(cut > 0 ? cut + 1 : 0, cut + WIDTH)}${whole.length > cut + WIDTH ? "…" : ""}`
    const marks = marked.reduce((marks, { column, name }) => {
      const at = column - 1 - cut
      return at < WIDTH ? marks.padEnd(at) + "~".repeat(Math.min(name.length, WIDTH - at)) : marks
    }, "")
    const indent = shown.length - shown.trimStart().length
    frame.push(`${String(line).padStart(width)} │ ${shown.slice(indent)}`, `${" ".repeat(width)} │ ${marks.slice(indent)}`)
  }
  return frame
}

/** Line and column, from 1, of a character of the function's text. */
const placeIn = ({ column, line }: FunctionSource, text: string, at: number): { readonly line: number; readonly column: number } => {
  const before = text.slice(0, at).split("\n")
  return before.length === 1 ? { line, column: column + at } : { line: line + before.length - 1, column: before.at(-1)!.length + 1 }
}
