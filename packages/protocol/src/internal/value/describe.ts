/**
 * A few words for a value that cannot travel, for the message that refuses it.
 */

/** Such as "a function", "a Promise", "an instance of Socket". Never throws. */
export const describe = (value: unknown): string => {
  if (typeof value === "function") {
    return /^class\b/.test(Function.prototype.toString.call(value)) ? `the class ${value.name}` : `a function${named(value)}`
  }
  if (typeof value === "symbol") return "a symbol"
  if (typeof value !== "object" || value === null) return `a ${typeof value}`
  for (const [mark, words] of marks) if (mark in value) return words
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (/Generator|Iterator/.test(kind)) return `a ${kind.toLowerCase()}, which can be read once only`
  const constructor: unknown = (value as { readonly constructor?: unknown }).constructor
  const name = typeof constructor === "function" ? constructor.name : ""
  if (native.has(name)) return `a ${name}`
  return name === "" ? "an instance of an unnamed class" : `an instance of ${name}`
}

const named = (value: Function): string => value.name === "" ? "" : ` (${value.name})`

/** What Effect's own things carry, so that they are called by their names. */
const marks: ReadonlyArray<readonly [mark: string, words: string]> = [
  ["~effect/Stream", "a Stream"],
  ["~effect/Layer", "a Layer"],
  ["~effect/Fiber", "a Fiber"],
  ["~effect/Effect", "an Effect; run it in the task and return what it gives"],
  ["~effect/data/Redacted", "a Redacted value"],
  ["~effect/Redacted", "a Redacted value"],
  ["~skein/Future", "a future of another kind of client"]
]

const native: ReadonlySet<string> = new Set(["Promise", "WeakMap", "WeakSet", "WeakRef", "SharedArrayBuffer", "Number", "String", "Boolean", "Proxy"])
