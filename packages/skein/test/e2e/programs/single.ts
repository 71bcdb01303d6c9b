/**
 * A program in one file: its tasks, and the cluster that runs them. Workers import it too, and go no further than the cluster's start.
 * `node single.ts PROCESSES` prints a line for each result.
 */
import { Context, Effect, Layer } from "effect"
import { Client, Future, LocalCluster, Task } from "skein"

const rate = 3
const names = new Map([["a", 1n]])

class Db extends Context.Service<Db, { readonly offset: number }>()("Db") {}
const DbLive = Layer.sync(Db, () => ({ offset: rate }))

/** In a thread, which imports this file in its turn. */
const triple = Task.fn("triple", (n: number) => n * rate)
/** In a fiber. */
const double = Task.fn("double", Effect.fnUntraced(function*(n: number) {
  yield* Effect.yieldNow
  return n * (rate - 1)
}))
const captures = Task.fn("captures", (n: number) => `${n * rate} ${names.get("a")}`, { captures: { rate, names } })
const serves = Task.fn("serves", Effect.fn(function*(n: number) {
  return n + (yield* Db).offset
}), { services: DbLive })
/** A bare name in a text is looked for from the program's folder on. */
const imports = async (s: string) => (await import("effect/String")).capitalize(s)
const factorial = (n: number): number => n < 2 ? 1 : n * factorial(n - 1)
class Shapes {
  readonly side = 2
  static twice(n: number) {
    return 2 * n
  }
  area(n: number) {
    return n * this.side
  }
}
const program = Effect.gen(function*() {
  const client = yield* Client
  const say = (name: string, what: unknown) => console.log(JSON.stringify([name, what]))
  say("triple", yield* Future.run(client.submit(triple, 2)))
  say("double", yield* Future.run(client.submit(double, 2)))
  say("captures", yield* Future.run(client.submit(captures, 2)))
  say("serves", yield* Future.run(client.submit(serves, 2)))
  say("imports", yield* Future.run(client.submit(imports, "abc")))
  say("factorial", yield* Future.run(client.submit(factorial, 5)))
  say("twice", yield* Future.run(client.submit(Shapes.twice, 4)))
  // What single.js makes under this name, which is run by `NodeRuntime.runMain`; workers import it, for here its text does not say all.
  const thirty = Task.fn("thirty", (n: number) => n * rate, { module: new URL("./single.js", import.meta.url).href })
  say("thirty", yield* Future.run(client.submit(thirty, 2)))
  say("refused", (yield* Effect.flip(client.submit((n: number) => triple(n) * rate, 1))).message)
  say("area", (yield* Effect.flip(client.submit(new Shapes().area, 1))).message)
  const paint = Task.fn("paint", (n: number) => `${names.size} ${n}`, { module: new URL("./colors.ts", import.meta.url).href })
  const unpainted = yield* Effect.flip((yield* client.submit(paint, 1)).result)
  say("paint", [unpainted.code, unpainted.message.replace(unpainted.key, "KEY")])
  const late = Task.fn("late", Effect.fn(function*(n: number) {
    return yield* Effect.succeed(n)
  }))
  const future = yield* client.submit(late, 1)
  const error = yield* Effect.flip(future.result)
  say("late", [error.code, error.message.replace(error.key, "KEY")])
})

await Effect.runPromise(program.pipe(
  Effect.provide(LocalCluster.layer({ workers: 1, threadsPerWorker: 1, processes: process.argv[2] === "true" }))
))
