/**
 * The job: three ways in which programs use futures, each with the result that
 * it must have.
 *
 * The expected values are computed here, in the program's own process and
 * without tasks, so that a cluster that loses, repeats or confuses work is seen.
 */
import { Clock, Effect, Schema } from "effect"
import { Client, Cluster, type Future } from "skein"
import { add, double, inc } from "./tasks.ts"

export interface JobOptions {
  /** Chains in the first part, at least 2. */
  readonly chains: number
  /** Numbers in the last part, at least 1. */
  readonly numbers: number
  /** Longest sleep of one task, in milliseconds. */
  readonly limitMs: number
  /** Workers from the middle of the tree reduction on. */
  readonly scaleTo: number
}

/** What a part computed, and what it should have. */
export interface Part {
  readonly name: string
  readonly tasks: number
  readonly ms: number
  /** Each value beside the one expected, in order. */
  readonly results: ReadonlyArray<{ readonly what: string; readonly found: number; readonly expected: number }>
}

/** Some results are missing or wrong; the program ends with exit code 1. */
export class WrongResults extends Schema.TaggedError<WrongResults>()("WrongResults", { parts: Schema.Array(Schema.String) }) {
  override get message() {
    return `wrong results in: ${this.parts.join(", ")}. Each is shown above with the one expected.`
  }
}

/** Completes if every result is there and right. */
export const verdict = (parts: ReadonlyArray<Part>): Effect.Effect<void, WrongResults> => {
  const wrong = parts.filter(({ results }) => results.length === 0 || results.some(({ expected, found }) => found !== expected))
  return wrong.length === 0 ? Effect.void : Effect.fail(new WrongResults({ parts: wrong.map(({ name }) => name) }))
}

/** All parts, one after the other. */
export const job = Effect.fn("job")(function*(options: JobOptions) {
  const chained = yield* chains(options)
  return [chained.part, yield* tree(options, chained.futures), yield* inCompletionOrder(options)]
})

/** `add(inc(i), double(i))` for every i, with futures as arguments, and the sum of them all. */
const chains = Effect.fn("chains")(function*({ chains, limitMs }: JobOptions) {
  const client = yield* Client
  const startedAt = yield* Clock.currentTimeMillis
  const futures: Array<Future<number>> = []
  for (let i = 0; i < chains; i++) {
    const left = yield* client.submit(inc, i, limitMs)
    const right = yield* client.submit(double, i, limitMs)
    futures.push(yield* client.submit(add, left, right, limitMs))
  }
  yield* client.withProgress(futures, { label: "chains" })
  const values = yield* client.gather(futures)
  const expected = Array.from({ length: chains }, (_, i) => i + 1 + 2 * i)
  const part: Part = {
    name: "chains",
    tasks: 3 * chains,
    ms: (yield* Clock.currentTimeMillis) - startedAt,
    results: [
      ...expected.map((value, i) => ({ what: `chain ${i}`, found: values[i] ?? NaN, expected: value })),
      { what: "their sum", found: sum(values), expected: sum(expected) }
    ]
  }
  return { part, futures }
})

/** The same values, added in pairs, level by level; the cluster grows on the way. */
const tree = Effect.fn("tree")(function*({ chains, limitMs, scaleTo }: JobOptions, leaves: ReadonlyArray<Future<number>>) {
  const client = yield* Client
  const cluster = yield* Cluster
  const startedAt = yield* Clock.currentTimeMillis
  const middle = 2 ** Math.floor(Math.log2(leaves.length) / 2)
  const sums: Array<Future<number>> = []
  let level = leaves
  let scaled = false
  while (level.length > 1) {
    const next: Array<Future<number>> = []
    for (let i = 0; i + 1 < level.length; i += 2) next.push(yield* client.submit(add, level[i]!, level[i + 1]!, limitMs))
    sums.push(...next)
    if (level.length % 2 === 1) next.push(level.at(-1)!)
    if (!scaled && next.length <= middle) {
      yield* cluster.scale(scaleTo)
      scaled = true
    }
    level = next
  }
  yield* client.withProgress(sums, { label: "tree" })
  const found = yield* level[0]!.result
  return {
    name: "tree",
    tasks: sums.length,
    ms: (yield* Clock.currentTimeMillis) - startedAt,
    results: [{ what: "sum of the chains", found, expected: sum(Array.from({ length: chains }, (_, i) => 3 * i + 1)) }]
  } satisfies Part
})

/** A sum of numbers in the order in which they come, each addition submitted ahead of what waits. */
const inCompletionOrder = Effect.fn("inCompletionOrder")(function*({ limitMs, numbers }: JobOptions) {
  const client = yield* Client
  const startedAt = yield* Clock.currentTimeMillis
  const found = yield* Effect.scoped(Effect.gen(function*() {
    const first: Array<Future<number>> = []
    for (let i = 0; i < numbers; i++) first.push(yield* client.submit(inc, 1_000 + i, limitMs))
    const pending = yield* client.completions(first)
    while ((yield* pending.count) > 1) {
      const a = yield* pending.take
      const b = yield* pending.take
      yield* pending.add(yield* client.with({ priority: 1 }).submit(add, a, b, limitMs))
    }
    return yield* (yield* pending.take).result
  }))
  return {
    name: "completion order",
    tasks: 2 * numbers - 1,
    ms: (yield* Clock.currentTimeMillis) - startedAt,
    results: [{ what: "sum", found, expected: sum(Array.from({ length: numbers }, (_, i) => 1_001 + i)) }]
  } satisfies Part
})

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
