/**
 * Where a function stands in its file, as V8 knows it.
 *
 * Its debugger is asked, for nobody else can be; that takes tens of milliseconds
 * and stops whatever the engine has optimised, so only a function that has been
 * refused is worth it, once.
 */
import { readFileSync } from "node:fs"
import type { Session } from "node:inspector"
import { relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { FunctionSource } from "../Platform.ts"

/** Undefined where nobody knows: the function was made from text, or this Node has no inspector. */
export const functionSource = (f: Function): FunctionSource | undefined => {
  try {
    const script = scriptOf(f)
    if (script === undefined || script.url === "") return undefined
    const url = script.url.startsWith("/") ? pathToFileURL(script.url).href : script.url
    if (!url.startsWith("file://")) return undefined
    const text = Function.prototype.toString.call(f)
    const start = startOf(script, text)
    if (start === undefined) return undefined
    const before = script.source.slice(0, start).split("\n")
    const at = { line: before.length, column: before.at(-1)!.length + 1 }
    const path = fileURLToPath(url)
    const lines = readFileSync(path, "utf8").split("\n")
    // Node blanks out types and moves nothing; other compilers write another text, in which the place has a meaning only there.
    const compiled = script.source.split("\n")
    const isSame = text.split("\n").every((_, i) => sameButBlanks(lines[at.line - 1 + i], compiled[at.line - 1 + i]))
    const own = relative(process.cwd(), path)
    return { file: own.startsWith("..") ? path : own, ...at, lines: isSame ? lines : compiled, isCompiled: !isSame }
  } catch {
    return undefined
  }
}

/** Whether the second line is the first, or that with blanks in the place of types. */
const sameButBlanks = (written: string | undefined, run: string | undefined): boolean => {
  if (written === undefined || run === undefined) return false
  for (let i = 0; i < run.length; i++) if (run[i] !== written[i] && run[i]!.trim() !== "" && run[i] !== ";") return false
  return true
}

interface Script {
  readonly url: string
  readonly source: string
  /** Where the function is, somewhere in its head; from 0. */
  readonly line: number
  readonly column: number
}

const startOf = ({ column, line, source }: Script, text: string): number | undefined => {
  let lineStart = 0
  for (let n = 0; n < line; n++) lineStart = source.indexOf("\n", lineStart) + 1
  const within = lineStart + column
  const start = source.lastIndexOf(text, within)
  return start >= 0 && within < start + text.length ? start : undefined
}

const scriptOf = (f: Function): Script | undefined => {
  const inspector = process.getBuiltinModule("node:inspector")
  const session = new inspector.Session()
  const urls = new Map<string, string>()
  const place = `skein/functionSource/${Math.random()}`
  const here = globalThis as { [place: string]: unknown }
  session.connect()
  try {
    session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url))
    ask(session, "Debugger.enable", {})
    here[place] = f
    const evaluated = ask(session, "Runtime.evaluate", { expression: `globalThis[${JSON.stringify(place)}]` })
    const { internalProperties } = ask(session, "Runtime.getProperties", { objectId: evaluated.result.objectId, ownProperties: true })
    const found: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number } | undefined =
      internalProperties?.find(({ name }: { readonly name: string }) => name === "[[FunctionLocation]]")?.value?.value
    if (found === undefined) return undefined
    const { scriptSource } = ask(session, "Debugger.getScriptSource", { scriptId: found.scriptId })
    return { url: urls.get(found.scriptId) ?? "", source: scriptSource, line: found.lineNumber, column: found.columnNumber }
  } finally {
    delete here[place]
    session.disconnect()
  }
}

/** The answer, which comes at once; Node's types do not say so, and know no method by a variable name. */
const ask = (session: Session, method: string, params: object): any => {
  let answer: unknown
  let failed: Error | null = null
  session.post(method, params, (error: Error | null, result?: object) => {
    failed = error
    answer = result
  })
  if (failed !== null) throw failed as Error
  return answer
}
