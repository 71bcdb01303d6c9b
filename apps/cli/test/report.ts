/** A workload that keeps its promises whatever happens to its workers. */
import { Effect } from "effect"
import { Client, Task } from "skein"

const load = Task.fn("load", (day: number) => Effect.as(Effect.sleep("2 seconds"), [day, day + 1, day + 2]))
const sum = Task.fn("sum", (numbers: ReadonlyArray<number>) => numbers.reduce((total, n) => total + n, 0))

export const sim = { workers: 3 }

export default Effect.gen(function*() {
  const client = yield* Client
  const days = yield* client.map(load, [10, 20, 30, 40])
  const sums = yield* Effect.forEach(days, (day) => client.submit(sum, day))
  const totals = yield* client.gather(sums)
  if (totals.join() !== "33,63,93,123") return yield* Effect.die(new Error(`wrong totals: ${totals.join()}`))
})
