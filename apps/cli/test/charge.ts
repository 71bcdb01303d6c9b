/**
 * A workload with a mistake: it takes for granted that a body runs once.
 */
import { Effect } from "effect"
import { Client, Task } from "skein"
let paid = 0
const charge = Task.fn("charge", (customer: number) => Effect.gen(function*() {
  yield* Effect.sleep("300 millis")
  paid++
  yield* Effect.sleep("300 millis")
  return customer
}))
export const sim = { workers: 3 }
export default () => Effect.gen(function*() {
  paid = 0
  const client = yield* Client
  const futures = yield* client.map(charge, [1, 2, 3, 4, 5, 6])
  yield* client.gather(futures)
  if (paid !== 6) return yield* Effect.die(new Error(`6 customers were charged ${paid} times`))
})
