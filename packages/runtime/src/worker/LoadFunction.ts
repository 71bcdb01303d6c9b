/**
 * Text becomes a function here, and a URL a module; nowhere else in Skein.
 *
 * Two users: the worker's `Code.ts` and the entry of its threads, which must
 * start quickly; so this file imports nothing. Whether text may be taken at all
 * is decided before: only an authenticated client's, with the digest computed
 * anew, and never if the worker was started with `code: "modules-only"`.
 */

/** A body, as far as this side knows it. */
export type AnyFunction = (...args: ReadonlyArray<unknown>) => unknown

/**
 * The function of this source text, as `Function.prototype.toString` wrote it:
 * an arrow, a function, a class's or object's method. Throws a `SyntaxError` if
 * the text is none.
 *
 * It is strict, as what was written in a module is, and sees globals only.
 */
export const fromText = (text: string): AnyFunction => {
  // A method's text is an expression only with `function` before it, or inside an object.
  const forms = [`return (${text}\n)`, `return (function ${text}\n)`, `return Object.values({${text}\n})[0]`]
  let problem: unknown
  for (const form of forms) {
    try {
      const found: unknown = new Function(`"use strict"; ${form}`)()
      if (typeof found === "function") return found as AnyFunction
      problem ??= new SyntaxError("it evaluates to something else")
    } catch (thrown) {
      problem ??= thrown
    }
  }
  throw new SyntaxError(`The source text of a task is no function: ${problem instanceof Error ? problem.message : String(problem)}`)
}

/** The exports of a module. */
export const importModule = (url: string): Promise<Readonly<Record<string, unknown>>> =>
  import(url) as Promise<Readonly<Record<string, unknown>>>
