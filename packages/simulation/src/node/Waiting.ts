/**
 * What fibers wait for, for the report of a run that is stuck.
 *
 * Effect knows the names of `Effect.fn`s and spans that a fiber is in, and no
 * more. But V8 knows at which line each generator stands still, and where each
 * function that a fiber would go on with was written; its inspector tells, in
 * this very process.
 */
import type * as Fiber from "effect/Fiber"
import { Session } from "node:inspector"
import { SourceMap, type SourceMapPayload } from "node:module"

/** A line for each kind of wait in a process: how many fibers, and where they stand, innermost first. */
export const describe = (process: string, fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>): ReadonlyArray<string> => {
  if (fibers.length === 0) return []
  const counted = new Map<string, number>()
  inspecting((locate) => {
    for (const fiber of fibers) {
      const at = placesOf(fiber, locate)
      const text = at.length === 0 ? "somewhere" : `at ${at.slice(0, 4).join(" ← ")}`
      counted.set(text, (counted.get(text) ?? 0) + 1)
    }
  })
  return [...counted].sort(([a], [b]) => a < b ? -1 : 1).map(([text, count]) => `${process}: ${count === 1 ? "a fiber waits" : `${count} fibers wait`} ${text}`)
}

/** Where one fiber stands, innermost first. */
export const placesOfOne = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<string> => {
  let places: ReadonlyArray<string> = []
  inspecting((locate) => {
    places = placesOf(fiber, locate)
  })
  return places
}

type Locate = (generatorOrFunction: object) => string | undefined

/** Where the generators of a fiber stand, innermost first; names of `Effect.fn`s where there are none. */
const placesOf = (fiber: Fiber.Fiber<unknown, unknown>, locate: Locate): ReadonlyArray<string> => {
  const all = allPlacesOf(fiber, locate)
  const own = all.filter((place) => !place.startsWith("effect/"))
  return own.length > 0 ? own : all
}

const allPlacesOf = (fiber: Fiber.Fiber<unknown, unknown>, locate: Locate): ReadonlyArray<string> => {
  const places: Array<string> = []
  // The fiber's stack is no part of Effect's interface. Should it be another one day, names are all that is told.
  const { _stack: stack } = fiber as { readonly _stack?: unknown }
  for (const frame of Array.isArray(stack) ? stack.toReversed() : []) {
    const goesOn = generatorIn(frame) ?? functionIn(frame)
    const place = goesOn === undefined ? undefined : locate(goesOn)
    if (place !== undefined && places.at(-1) !== place) places.push(place)
  }
  for (let frame = fiber.cache.stackFrame; frame !== undefined && places.length === 0; frame = frame.parent) places.push(frame.name)
  return places
}

/** The generator that a frame goes on with, if it is of that kind. */
const generatorIn = (frame: unknown): object | undefined => {
  if (typeof frame !== "object" || frame === null) return undefined
  for (const key of Reflect.ownKeys(frame)) {
    const value: unknown = Reflect.get(frame, key)
    if (Object.prototype.toString.call(value) === "[object Generator]") return value as object
  }
  return undefined
}

/** The function that a frame goes on with. */
const functionIn = (frame: unknown): object | undefined => {
  if (typeof frame !== "object" || frame === null) return undefined
  for (const key of Reflect.ownKeys(frame)) {
    const value: unknown = Reflect.get(frame, key)
    if (typeof value === "function") return value
  }
  return undefined
}

interface Property {
  readonly name: string
  readonly value?: { readonly value?: Location }
}
interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}
/** A script as the inspector names it; where a tool has compiled it on the way, with the map of its lines. */
interface Script {
  readonly url: string
  readonly sourceMapURL?: string | undefined
}

/** Where the inspector finds what it is asked about. */
const SLOT = "__skeinSimulationInspected"

const inspecting = (use: (locate: Locate) => void): void => {
  const session = new Session()
  const scripts = new Map<string, Script>()
  try {
    session.connect()
    session.on("Debugger.scriptParsed", ({ params }) => void scripts.set(params.scriptId, params))
    session.post("Debugger.enable")
  } catch {
    // Another inspector is in the way: names are all that is told.
    return use(() => undefined)
  }
  try {
    use((generator) => {
      Reflect.set(globalThis, SLOT, generator)
      let place: string | undefined
      session.post("Runtime.evaluate", { expression: `globalThis.${SLOT}` }, (failed, found) => {
        const { objectId } = found?.result ?? {}
        if (failed !== null || objectId === undefined) return
        session.post("Runtime.getProperties", { objectId, ownProperties: true }, (failed, properties) => {
          if (failed !== null) return
          const location = (properties.internalProperties as ReadonlyArray<Property> | undefined)?.find(({ name }) => name === "[[GeneratorLocation]]" || name === "[[FunctionLocation]]")?.value?.value
          const script = location === undefined ? undefined : scripts.get(location.scriptId)
          if (location !== undefined && script !== undefined) place = `${short(script.url)}:${lineIn(script, location)}`
        })
      })
      return place
    })
  } finally {
    Reflect.deleteProperty(globalThis, SLOT)
    session.disconnect()
  }
}

/** In the source, as an editor counts. */
const lineIn = ({ sourceMapURL }: Script, { columnNumber, lineNumber }: Location): number => {
  const inline = /^data:application\/json[^,]*;base64,(.*)$/s.exec(sourceMapURL ?? "")?.[1]
  if (inline === undefined) return lineNumber + 1
  const map = new SourceMap(JSON.parse(Buffer.from(inline, "base64").toString("utf8")) as SourceMapPayload)
  const entry = map.findEntry(lineNumber, columnNumber)
  return "originalLine" in entry ? entry.originalLine + 1 : lineNumber + 1
}

/** The last folders of a path say enough. */
const short = (url: string): string => url.replace(/^file:\/\//, "").replace(/^.*\/(packages|apps|node_modules)\//, "")
