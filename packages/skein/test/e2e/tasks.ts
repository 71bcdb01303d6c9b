/**
 * The tasks of the end-to-end tests, as workers import them.
 */
import { execSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { Effect, Schema, Stream } from "effect"
import { Client, type FnTask, type SubmitError, Task, TaskContext, type TaskError, type TaskServices } from "skein"

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

/** Submits itself; with one slot that needs every wait to give it back. */
export const fib: FnTask<[n: number], number, SubmitError | TaskError, TaskServices> = Task.fn("fib", Effect.fnUntraced(function*(n: number) {
  if (n < 2) return n
  const client = yield* Client
  const both: ReadonlyArray<number> = yield* client.gather(yield* client.map(fib, [n - 1, n - 2]))
  return both[0]! + both[1]!
}))
/** The sum of the squares, computed by others. */
export const sumOfSquares = Task.fn("sumOfSquares", Effect.fnUntraced(function*(numbers: ReadonlyArray<number>) {
  const client = yield* Client
  const squares = yield* client.map(square, numbers)
  let sum = 0
  yield* Stream.runForEach(client.results(squares), ({ exit }) => Effect.map(exit, (value) => {
    sum += value
  }))
  return sum
}))
/** Submits a task that never ends, says so by making a file, and waits for it. */
export const waitsForEver = Task.fn("waitsForEver", Effect.fnUntraced(function*(file: string) {
  const client = yield* Client
  const future = yield* client.submit(interruptible, file)
  yield* Effect.sync(() => writeFileSync(file, ""))
  return yield* future.result
}))
/** Submits a task that it does not wait for. */
export const leavesBehind = Task.fn("leavesBehind", Effect.fnUntraced(function*(name: string) {
  const client = yield* Client
  return (yield* client.submit(interruptible, name)).key
}))
/** Waits for a task that always ends its worker. */
export const waitsForExit = Task.fn("waitsForExit", Effect.fnUntraced(function*(code: number) {
  const client = yield* Client
  const error = yield* Effect.flip((yield* client.submit(exits, code)).result)
  return error.reason._tag
}))
/** Seceded until a file is there. */
export const seceded = Task.fn("seceded", Effect.fnUntraced(function*(file: string) {
  const task = yield* TaskContext
  const there = Effect.sync(() => existsSync(file))
  yield* task.secede
  yield* Effect.repeat(Effect.delay(there, "10 millis"), { until: (is) => is })
  yield* task.rejoin
  return "rejoined"
}))
/** Makes the file. */
export const makes = Task.fn("makes", Effect.fnUntraced(function*(file: string) {
  yield* Effect.sync(() => writeFileSync(file, ""))
  return file
}))
/** Wants to run elsewhere until the file is there, which it makes; gives its attempt. */
export const reschedules = Task.fn("reschedules", Effect.fnUntraced(function*(file: string) {
  const task = yield* TaskContext
  if (yield* Effect.sync(() => existsSync(file))) return task.attempt
  yield* Effect.sync(() => writeFileSync(file, ""))
  return yield* task.reschedule
}))
/** What an async function and a plain one know of their task, the former before and after it has waited. */
export const currentAsync = Task.fn("currentAsync", async (_: number) => {
  const before = TaskContext.current()?.key
  await new Promise((resolve) => setTimeout(resolve, 1))
  return [before, TaskContext.current()?.key]
})
export const currentPlain = Task.fn("currentPlain", (_: number) => [TaskContext.current()?.key, TaskContext.current()?.key])
/** Ends by itself when its signal is aborted, and only then; says so in the file. */
export const obeysSignal = Task.fn("obeysSignal", async (started: string, aborted: string) => {
  const { signal } = TaskContext.current()!
  writeFileSync(started, "")
  await new Promise((resolve) => signal.addEventListener("abort", resolve))
  writeFileSync(aborted, "")
})
/** Of the client that bodies have. */
export const clientId = Task.fn("clientId", Effect.fnUntraced(function*(_: number) {
  return (yield* Client).id
}))
/** Gives what cannot leave its worker. */
export const unsendable = Task.fn("unsendable", (_: number) => Effect.succeed({ connection: { open: () => true } }))

/** What a task gives as plain data, and whoever has the schema as an instance. */
export class Point extends Schema.Class<Point>("Point")({ x: Schema.Number, y: Schema.Number }) {}
export const point = Task.fn("point", (x: number, y: number) => ({ x, y }))
/** Like `inc`, and called by nobody else. */
export const once = Task.fn("once", (n: number) => n + 1)

/** Counts in a thread, and says so at each step; steps take 20 ms. */
export const countsInThread = Task.fn("countsInThread", async (to: number) => {
  const task = TaskContext.current()
  for (let n = 1; n <= to; n++) {
    task?.progress(n, to, `step ${n}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return to
}, { isolation: "thread" })
