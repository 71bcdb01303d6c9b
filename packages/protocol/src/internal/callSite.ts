/**
 * In which module a function was called.
 *
 * The language has no word for it, but every runtime writes it into the stack of
 * an error: `at name (file:///path/module.ts:10:20)`. Where the stack looks
 * otherwise the answer is null, and whoever asked must do without.
 */

/** Not in the language's own library; Node, Deno, Bun and Chrome have it. */
const limited = Error as { stackTraceLimit?: number }

/**
 * The URL of the first module on the stack that is not one of `skip`: files by
 * whose path's end they are known.
 */
export const callerModule = (skip: ReadonlyArray<string>): string | null => {
  const limit = limited.stackTraceLimit
  try {
    // Effect sets it to 0 now and then, to save time.
    limited.stackTraceLimit = 16
    return firstModule(new Error().stack, skip)
  } catch {
    return null
  } finally {
    if (limit !== undefined) limited.stackTraceLimit = limit
  }
}

/** The same, of a stack that somebody has. */
export const firstModule = (stack: unknown, skip: ReadonlyArray<string>): string | null => {
  if (typeof stack !== "string") return null
  for (const line of stack.split("\n").slice(1)) {
    const place = /(?:\(|\bat (?:async )?)((?:file:\/\/|[A-Za-z]:[\\/]|\/)[^()]*?):\d+:\d+\)?\s*$/.exec(line)?.[1]
    if (place === undefined) continue
    const path = place.replace(/[?#].*$/, "").replaceAll("\\", "/")
    if (skip.some((ending) => path.endsWith(ending))) continue
    return path.startsWith("file://") ? place : `file://${path.startsWith("/") ? "" : "/"}${encodeURI(path)}`
  }
  return null
}
