/**
 * The tasks of the conformance tests. All but the last run in fibers, which
 * start at once.
 */
import { Effect, Schema } from "effect"
import { Task, TaskContext } from "skein"

export const inc = Task.fn("inc", (n: number) => Effect.succeed(n + 1))
export const add = Task.fn("add", (a: number, b: number) => Effect.succeed(a + b))
export const sum = Task.fn("sum", (numbers: ReadonlyArray<number>) => Effect.succeed(numbers.reduce((total, n) => total + n, 0)))

export class DivisionByZero extends Schema.TaggedError<DivisionByZero>()("DivisionByZero", { dividend: Schema.Number }) {}
export const divide = Task.fn("divide", (a: number, b: number) => b === 0 ? Effect.fail(new DivisionByZero({ dividend: a })) : Effect.succeed(a / b))
export const throws = Task.fn("throws", Effect.fnUntraced(function*(what: string) {
  yield* Effect.yieldNow
  throw new RangeError(what)
}))

/** Never ends by itself. */
export const forever = Task.fn("forever", (_n: number) => Effect.never)

/** Another number each time it is computed. */
export const counted = Task.fn("counted", (_name: string) => Effect.sync(() => ++computed.times))
const computed: { times: number } = (globalThis as { parity?: { times: number } }).parity ??= { times: 0 }

/** Fails until its attempt number `good`, and gives that. */
export const atLast = Task.fn("atLast", Effect.fnUntraced(function*(good: number) {
  const { attempt } = yield* TaskContext
  return attempt < good ? yield* new DivisionByZero({ dividend: attempt }) : attempt
}))
