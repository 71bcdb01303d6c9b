/**
 * Where a function was called.
 *
 * The language has no word for it, but every runtime writes it into the stack of
 * an error: `at name (file:///path/module.ts:10:20)`. Where the stack looks
 * otherwise the answer is null, and whoever asked must do without.
 */

/** Not in the language's own library; Node, Deno, Bun and Chrome have it. */
const limited = Error as { stackTraceLimit?: number }

/** A place in a module's source. Line and column count from 1. */
export interface Place {
  readonly url: string
  readonly line: number
  readonly column: number
}

/**
 * The first place on the stack that is not in one of `skip`: files by whose
 * path's end they are known.
 */
export const callerPlace = (skip: ReadonlyArray<string>): Place | null => {
  const limit = limited.stackTraceLimit
  try {
    // Effect sets it to 0 now and then, to save time.
    limited.stackTraceLimit = 16
    return firstPlace(new Error().stack, skip)
  } catch {
    return null
  } finally {
    if (limit !== undefined) limited.stackTraceLimit = limit
  }
}

/** The same, of a stack that somebody has. */
export const firstPlace = (stack: unknown, skip: ReadonlyArray<string>): Place | null => {
  if (typeof stack !== "string") return null
  for (const entry of stack.split("\n").slice(1)) {
    const found = /(?:\(|\bat (?:async )?)((?:file:\/\/|[A-Za-z]:[\\/]|\/)[^()]*?):(\d+):(\d+)\)?\s*$/.exec(entry)
    const file = found?.[1]
    if (found === null || file === undefined) continue
    const path = file.replace(/[?#].*$/, "").replaceAll("\\", "/")
    if (skip.some((ending) => path.endsWith(ending))) continue
    const url = path.startsWith("file://") ? file : `file://${path.startsWith("/") ? "" : "/"}${encodeURI(path)}`
    return { url, line: Number(found[2]), column: Number(found[3]) }
  }
  return null
}
