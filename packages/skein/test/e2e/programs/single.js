/**
 * The same in JavaScript, run by `NodeRuntime.runMain`, which goes on to the end of the file at once.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { Client, Future, LocalCluster, Task } from "skein"

const rate = 30

/** For single.ts, whose workers find it here, and their threads. */
export const thirty = Task.fn("thirty", (n) => n * rate)
const fifteen = Task.fn("fifteen", Effect.fnUntraced(function*(n) {
  yield* Effect.yieldNow
  return n * rate / 2
}))

const program = Effect.gen(function*() {
  const client = yield* Client
  console.log(JSON.stringify(["fifteen", yield* Future.run(client.submit(fifteen, 2))]))
  console.log(JSON.stringify(["after", yield* Future.run(client.submit(after, 2))]))
})

NodeRuntime.runMain(program.pipe(
  Effect.provide(LocalCluster.layer({ workers: 1, threadsPerWorker: 1, processes: process.argv[2] === "true" }))
))

/** Nothing has been awaited so far, so workers come here too. */
const after = Task.fn("after", Effect.fnUntraced(function*(n) {
  return yield* Effect.succeed(n + rate)
}))
