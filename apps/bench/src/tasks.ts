/**
 * What the benchmark has done, as workers import it.
 */
import { Effect } from "effect"
import { Client, Task } from "skein"

/** Next to nothing, in the worker's event loop; it has any number of inputs. */
export const nothing = Task.fn("nothing", (_: ReadonlyArray<number>) => 0, { isolation: "fiber" })
/** The same in a thread. */
export const nothingInThread = Task.fn("nothingInThread", (_: ReadonlyArray<number>) => 0)

/** n + 1. */
export const inc = Task.fn("inc", (n: number) => n + 1, { isolation: "fiber" })

/** Submits `inc` so many times, each when the one before has given its value; the last value. */
export const calls = Task.fn("calls", Effect.fnUntraced(function*(count: number, salt: number) {
  const client = yield* Client
  let last = salt
  for (let n = 0; n < count; n++) {
    const future = yield* client.submit(inc, last)
    last = yield* future.result
    yield* future.release
  }
  return last
}))

/** Sleeps for `[ms]` without blocking anything. */
export const sleep = Task.fn("sleep", Effect.fnUntraced(function*([ms]: ReadonlyArray<number>) {
  yield* Effect.sleep(ms ?? 0)
  return 0
}))
/** Blocks its thread for `[ms]`. */
export const sleepInThread = Task.fn("sleepInThread", ([ms]: ReadonlyArray<number>) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return 0
})

/** Sleeps for `ms` and returns so many bytes; for the graphs, whose tasks have inputs of any size. */
export const node = Task.fn("node", Effect.fnUntraced(function*([, ms, bytes]: readonly [salt: number, ms: number, bytes: number, ...inputs: ReadonlyArray<unknown>]) {
  if (ms > 0) yield* Effect.sleep(ms)
  return new Uint8Array(bytes)
}))

/** So many bytes that are not all the same. In a thread: getting 1 GiB from the kernel page by page would hold the loop for seconds. */
export const makeBytes = Task.fn("makeBytes", (bytes: number, salt: number) => {
  const made = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 4_096) made[at] = at + salt
  return made
}, { isolation: "thread" })

/** How many bytes its inputs have. */
export const lengths = Task.fn("lengths", (inputs: ReadonlyArray<Uint8Array>) => inputs.reduce((all, { length }) => all + length, 0), { isolation: "fiber" })

/** When it runs: milliseconds since 1970, with fractions. */
export const stamp = Task.fn("stamp", (_: number) => performance.timeOrigin + performance.now(), { isolation: "fiber" })
