/**
 * Programs of the user's: modules whose default export is an Effect, or a
 * function that gives one.
 */
import * as Effect from "effect/Effect"
import { Refused } from "../exits.ts"
import { moduleUrl } from "./shared.ts"

export interface Loaded {
  /** Begins the program anew. What it needs, and what else a function gives, only running it tells. */
  readonly program: () => Effect.Effect<unknown, unknown, unknown>
  readonly exports: Readonly<Record<string, unknown>>
}

/** Imports the file. `needs`: what the program may need, in words. */
export const load = Effect.fnUntraced(function*(path: string, needs: string): Effect.fn.Return<Loaded, Refused> {
  const url = yield* moduleUrl(path)
  const exports = yield* Effect.tryPromise({
    try: () => import(url) as Promise<Readonly<Record<string, unknown>>>,
    catch: (thrown) => new Refused({ message: whyNotImported(path, thrown) })
  })
  const { default: exported } = exports
  if (Effect.isEffect(exported)) return { program: () => exported, exports }
  if (typeof exported === "function") return { program: () => called(path, exported), exports }
  const what = exported === undefined ? "it has no default export" : `its default export is ${inWords(exported)}`
  return yield* new Refused({ message: `${path} has no program: ${what}\n  fix  export default an Effect that needs ${needs}, or a function that gives one` })
})

const whyNotImported = (path: string, thrown: unknown): string =>
  isCommonJs(thrown)
    ? `${path} has an import or export, but Node takes it for CommonJS\n  fix  "type": "module" in its package.json, or .mts or .mjs as its ending`
    : `${path} cannot be imported: ${thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)}`

/** What Node says of a module in a package that is not of type "module", as `npm init` makes them. */
const isCommonJs = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.name === "SyntaxError" && /^(Cannot use import statement outside a module|Unexpected token 'export')/.test(thrown.message)

const called = (path: string, f: Function): Effect.Effect<unknown, unknown, unknown> =>
  Effect.suspend(() => {
    const given: unknown = f()
    return Effect.isEffect(given) ? given : Effect.fail(new Refused({ message: `${path} has no program: its default export is a function that gives ${inWords(given)}, not an Effect` }))
  })

const inWords = (value: unknown): string => {
  if (value === null) return "null"
  if (value instanceof Promise) return "a promise"
  return typeof value === "object" ? "an object" : typeof value === "undefined" ? "undefined" : `a ${typeof value}`
}
