/**
 * A client in a process of its own, to be killed: submits a thousand tasks that
 * take a while, says so, and waits for them.
 *
 *     node client.ts <address> <token>
 */
import { Console, Effect, Redacted } from "effect"
import { Client } from "skein"
import { later } from "./tasks.ts"

const [address, token] = process.argv.slice(2) as [string, string]

await Effect.gen(function*() {
  const client = yield* Client
  const futures = yield* client.map((n: number) => n * 2, Array.from({ length: 900 }, (_, n) => n))
  const slow: Array<unknown> = []
  for (let n = 0; n < 100; n++) slow.push(yield* client.submit(later, n, 60_000))
  yield* client.wait(futures)
  yield* Console.log("submitted")
  return yield* Effect.never
}).pipe(
  Effect.provide(Client.layer({ address, token: Redacted.make(token), name: "doomed", resumeTimeout: "1 second" })),
  Effect.runPromise
)
