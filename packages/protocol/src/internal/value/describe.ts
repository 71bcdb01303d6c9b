/**
 * A few words for a value that cannot travel, for the message that refuses it.
 */

/** Such as "a function", "a Promise", "an instance of Socket". Never throws. */
export const describe = (value: unknown): string => {
  if (typeof value === "function") {
    return /^class\b/.test(Function.prototype.toString.call(value)) ? `the class ${value.name}` : `a function${named(value)}`
  }
  if (typeof value === "symbol") return `the symbol "${value.description ?? ""}" (this process's own; one made by Symbol.for can travel)`
  if (typeof value !== "object" || value === null) return `a ${typeof value}`
  for (const [mark, words] of marks) if (mark in value) return words
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (/Generator|Iterator/.test(kind)) return `a ${kind.toLowerCase()} (which can be read once only)`
  for (const mark in value) if (mark.startsWith("~effect/")) return `an Effect ${mark.slice(mark.lastIndexOf("/") + 1)}`
  const constructor: unknown = (value as { readonly constructor?: unknown }).constructor
  const name = typeof constructor === "function" ? constructor.name : ""
  if (boxed.has(name)) return `a ${name} object (send its valueOf())`
  if (name === "SharedArrayBuffer") return "memory shared with other threads (send a copy: `.slice()`)"
  if (native.has(name)) return `a ${name}`
  return name === "" ? "an instance of an unnamed class" : `an instance of ${name} (a class that is not registered)`
}

const named = (value: Function): string => value.name === "" ? "" : ` (${value.name})`

/** What Effect's own things carry, so that they are called by their names. */
const marks: ReadonlyArray<readonly [mark: string, words: string]> = [
  ["~effect/Stream", "a Stream"],
  ["~effect/Layer", "a Layer"],
  ["~effect/Fiber", "a Fiber"],
  ["~effect/Effect", "an Effect (run it, and pass on what it gives)"],
  ["~effect/Redacted", "a Redacted value (its secret stays where it is; have workers read theirs from their environment)"],
  ["~skein/Future", "a future (give its value: `yield* future.result`)"]
]

const boxed: ReadonlySet<string> = new Set(["Number", "String", "Boolean", "BigInt", "Symbol"])
const native: ReadonlySet<string> = new Set(["Map", "Set", "Date", "RegExp", "URL", "URLSearchParams", "Promise", "WeakMap", "WeakSet", "WeakRef"])
