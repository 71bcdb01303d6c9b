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

/** What a text may find around it beside globals. */
export interface Surroundings {
  /** The task's own name: a text may call itself by it, unless it is a global's. */
  readonly name: string
  /** Variables, by their names. */
  readonly captures?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The function of this source text, as `Function.prototype.toString` wrote it:
 * an arrow, a function, a class's or object's method. Throws a `SyntaxError` if
 * the text is none.
 *
 * It is strict, as what was written in a module is, and sees globals, itself and
 * what it captures.
 */
export const fromText = (text: string, { captures = {}, name }: Surroundings): AnyFunction => {
  // A method's text is an expression only with `function` before it, or inside an object.
  const forms = [`(${text}\n)`, `(function ${text}\n)`, `Object.values({${text}\n})[0]`]
  const sources = forms.map((form) => `return ${form}`)
  // Not every task's name is one that a variable can have; then its text cannot use it either.
  if (mayCallItself(text, name) && !Object.hasOwn(captures, name)) sources.unshift(...forms.map((form) => `const ${name} = ${form}; return ${name}`))
  let problem: unknown
  for (const source of sources) {
    try {
      const found: unknown = new Function(...Object.keys(captures), `"use strict"; ${source}`)(...Object.values(captures))
      if (typeof found === "function") return found as AnyFunction
      problem ??= new SyntaxError("it evaluates to something else")
    } catch (thrown) {
      problem ??= thrown
    }
  }
  throw new SyntaxError(`The source text of a task is no function: ${problem instanceof Error ? problem.message : String(problem)}`)
}

const mayCallItself = (text: string, name: string): boolean =>
  !(name in globalThis) && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) && text.includes(name)

/** The exports of a module. */
export const importModule = (url: string): Promise<Readonly<Record<string, unknown>>> =>
  import(url) as Promise<Readonly<Record<string, unknown>>>
