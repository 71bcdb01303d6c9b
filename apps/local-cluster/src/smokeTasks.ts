/**
 * The tasks of the smoke test, as workers import them.
 */
import { writeFileSync } from "node:fs"
import { Effect } from "effect"
import { Task } from "skein"

/** Next to nothing, in the worker's event loop. */
export const inc = Task.fn("inc", (n: number) => n + 1, { isolation: "fiber" })
/** The same in a thread. */
export const incInThread = Task.fn("incInThread", (n: number) => n + 1)
export const add = Task.fn("add", (a: number, b: number) => a + b, { isolation: "fiber" })
export const sum = Task.fn("sum", (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0), { isolation: "fiber" })

/** Makes the file, and then sleeps until it is interrupted. */
export const sleeps = Task.fn("sleeps", Effect.fnUntraced(function*(file: string) {
  yield* Effect.sync(() => writeFileSync(file, ""))
  return yield* Effect.never
}))
/** Makes the file, and then spins until its thread is ended. */
export const spins = Task.fn("spins", (file: string): number => {
  writeFileSync(file, "")
  for (let n = 0;; n++) Math.sqrt(n)
})
/** n, after `ms` milliseconds. */
export const later = Task.fn("later", Effect.fnUntraced(function*(n: number, ms: number) {
  yield* Effect.sleep(ms)
  return n
}))
