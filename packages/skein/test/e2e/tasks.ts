/**
 * The tasks of the end-to-end tests, as workers import them.
 */
import { execSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { Effect, Schema } from "effect"
import { Task } from "skein"

export const inc = Task.fn("inc", (n: number) => n + 1)
export const add = Task.fn("add", (a: number, b: number) => a + b)
export const total = Task.fn("total", (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0))

/** As an Effect, and as an async function. */
export const double = Task.fn("double", Effect.fnUntraced(function*(n: number) {
  yield* Effect.yieldNow
  return 2 * n
}))
export const square = Task.fn("square", async (n: number) => n * n)

/** n, after `ms` milliseconds of sleep. */
export const later = Task.fn("later", Effect.fnUntraced(function*(n: number, ms: number) {
  yield* Effect.sleep(ms)
  return n
}))

/** A value of so many bytes, all of them `fill`. */
export const bytes = Task.fn("bytes", (size: number, fill: number) => new Uint8Array(size).fill(fill))
/** The sum of all bytes. */
export const weigh = Task.fn("weigh", (value: Uint8Array) => value.reduce((sum, byte) => sum + byte, 0))

export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { url: Schema.String }) {}
/** Fails with `NotFound` for "". */
export const fetchText = Task.fn("fetchText", Effect.fnUntraced(function*(url: string) {
  if (url === "") return yield* new NotFound({ url })
  return `body of ${url}`
}))
export const lengthOf = Task.fn("lengthOf", (text: string) => text.length)
export const throws = Task.fn("throws", (what: string): number => {
  throw new TypeError(what)
})

/** A contract, whose worker side is the layer below. */
export class TooSmall extends Schema.TaggedError<TooSmall>()("TooSmall", { width: Schema.Int }) {}
export const Resize = Task.make("Resize", {
  payload: { width: Schema.Int, when: Schema.Date },
  success: Schema.Struct({ area: Schema.Int, year: Schema.Int }),
  error: TooSmall
})
export const ResizeLive = Resize.toLayer(({ when, width }) =>
  width > 0 ? Effect.succeed({ area: width * width, year: when.getUTCFullYear() }) : Effect.fail(new TooSmall({ width }))
)

/** Ends the process of its worker at once; as an Effect, for a thread would only end itself. */
export const exits = Task.fn("exits", Effect.fnUntraced(function*(code: number) {
  yield* Effect.sync(() => process.exit(code))
  return 0
}))
/** The same in a thread. */
export const exitsThread = Task.fn("exitsThread", (code: number): number => process.exit(code))

/** Says that it runs, by making a file, and then never ends by itself. */
export const spins = Task.fn("spins", (file: string): number => {
  writeFileSync(file, "")
  for (let n = 0;; n++) Math.sqrt(n)
})
/** The same; then backtracks for longer than anybody waits. */
export const spinsInRegex = Task.fn("spinsInRegex", (file: string): number => {
  writeFileSync(file, "")
  return /^(a+)+$/.test(`${"a".repeat(60)}b`) ? 1 : 0
})
/** The same; then blocks its thread where not even the thread's end reaches it. */
export const blocks = Task.fn("blocks", (file: string): number => {
  writeFileSync(file, "")
  execSync("sleep 60")
  return 60
})
/** Sleeps in its fiber, and writes a line when it is interrupted. */
export const interruptible = Task.fn("interruptible", Effect.fnUntraced(function*(name: string) {
  yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => console.log(`interrupted ${name}`)))
  return name
}))
