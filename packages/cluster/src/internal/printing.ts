/**
 * What of a cluster's lines is printed, and under which name.
 *
 * All lines are kept for `logs`; printed are those from a level on. A line that
 * names no level is a body's own on standard output, and belongs to the line
 * before it on standard error: the rest of a stack, mostly.
 */
import * as LogLevel from "effect/LogLevel"
import type { LogLine } from "@skein/runtime/nanny/Nanny"
import type { LogsFrom } from "../Options.ts"

/** What bodies print says as much as a line of level "Info". */
const OF_STDOUT = "Info"
/** What a process writes before its log has begun is about why it cannot. */
const OF_STDERR = "Error"

const levels = new Map(LogLevel.values.map((level) => [level.toUpperCase(), level]))

/** Whether lines of one process are to be printed, asked for each, in order. */
export const makeFilter = (from: LogsFrom): (line: Pick<LogLine, "source" | "text">) => boolean => {
  let latest: LogLevel.LogLevel = OF_STDERR
  return ({ source, text }) => {
    const level = levelIn(text)
    if (source === "stderr") latest = level ?? latest
    return isFrom(from, source === "stderr" ? latest : level ?? OF_STDOUT)
  }
}

/** Whether what is of this level is printed. */
export const isFrom = (from: LogsFrom, level: LogLevel.LogLevel): boolean => from !== "None" && LogLevel.isGreaterThanOrEqualTo(level, from)

/**
 * A line as people read it: what logfmt has folded into one, such as a warning with its fix, in its own lines again. One that
 * names no level is left as it is.
 */
export const unfolded = (text: string): string =>
  levelIn(text) === undefined
    ? text
    : text.replace(/"((?:[^"\\]|\\.)*)"/g, (quoted, inside: string) => inside.includes("\\n") ? unescaped(inside) : quoted)

const unescaped = (inside: string): string => inside.replace(/\\([n"\\])/g, (_, escaped: string) => escaped === "n" ? "\n" : escaped)

/** The level that a line of logfmt names. */
const levelIn = (text: string): LogLevel.LogLevel | undefined => {
  const name = /(?:^|\s)level=([A-Za-z]+)(?:\s|$)/.exec(text)?.[1]
  return name === undefined ? undefined : levels.get(name.toUpperCase())
}
