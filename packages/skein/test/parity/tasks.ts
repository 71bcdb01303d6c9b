/**
 * The tasks of the conformance tests. They run in fibers, which start at once.
 */
import { Effect, Schema } from "effect"
import { Task, TaskContext } from "skein"

export const inc = Task.fn("inc", Effect.fnUntraced(function*(n: number) {
  return n + 1
}))
export const add = Task.fn("add", Effect.fnUntraced(function*(a: number, b: number) {
  return a + b
}))
export const sum = Task.fn("sum", Effect.fnUntraced(function*(numbers: ReadonlyArray<number>) {
  return numbers.reduce((total, n) => total + n, 0)
}))

export class DivisionByZero extends Schema.TaggedError<DivisionByZero>()("DivisionByZero", { dividend: Schema.Number }) {}
export const divide = Task.fn("divide", Effect.fnUntraced(function*(a: number, b: number) {
  return b === 0 ? yield* new DivisionByZero({ dividend: a }) : a / b
}))
export const throws = Task.fn("throws", Effect.fnUntraced(function*(what: string) {
  yield* Effect.yieldNow
  throw new RangeError(what)
}))

/** Never ends by itself. */
export const forever = Task.fn("forever", Effect.fnUntraced(function*(_n: number) {
  return yield* Effect.never
}))

/** Another number each time it is computed. */
export const counted = Task.fn("counted", Effect.fnUntraced(function*(_name: string) {
  return ++computed.times
}))
const computed: { times: number } = (globalThis as { parity?: { times: number } }).parity ??= { times: 0 }

/** Gives how many of them there are at once, at most. */
export const atOnce = Task.fn("atOnce", Effect.fnUntraced(function*(_n: number) {
  const now = ++running.now
  yield* Effect.sleep("5 millis")
  running.now--
  return now
}))
const running: { now: number } = (globalThis as { parityRunning?: { now: number } }).parityRunning ??= { now: 0 }

/** Fails until its attempt number `good`, and gives that. */
export const atLast = Task.fn("atLast", Effect.fnUntraced(function*(good: number) {
  const { attempt } = yield* TaskContext
  return attempt < good ? yield* new DivisionByZero({ dividend: attempt }) : attempt
}))
