/**
 * Prints the hashes of three disturbed runs, for a test to compare them between processes and versions of Node.
 */
import { Client } from "@skein/client/Client"
import { Task } from "@skein/protocol/Task"
import * as SimCluster from "@skein/simulation/SimCluster"
import * as World from "@skein/simulation/World"
import { Effect, Exit } from "effect"

const increment = Task.fn("increment", (n: number) => n + 1)
const fails = Task.fn("fails", (n: number): number => {
  throw new Error(`a defect of ${n}, which travels with its stack`)
})

for (const seed of [1, 2, 3]) {
  const { exit, hash } = World.run(
    { seed, schedule: { strategy: "pct", preemption: 0.05, opsBeforeYield: 512 } },
    Effect.gen(function*() {
      const cluster = yield* SimCluster.make({ workers: 2, slots: 2 })
      const running = cluster.clients[0]!.run(Effect.gen(function*() {
        const client = yield* Client
        const futures = yield* client.map(increment, [1, 2, 3, 4, 5, 6])
        yield* Effect.exit((yield* client.submit(fails, 1)).result)
        return yield* client.gather(futures)
      }))
      yield* Effect.sleep(15)
      cluster.inject({ _tag: "WorkerCrash", at: 0, worker: "worker-0" })
      cluster.inject({ _tag: "ConnectionLoss", at: 0, a: "worker-1", b: "scheduler", afterBytes: 30 })
      const exit = yield* running.exit
      yield* cluster.shutdown
      return String(exit)
    })
  )
  if (!Exit.isSuccess(exit) || !exit.value.includes("2,3,4,5,6,7")) throw new Error(String(exit))
  process.stdout.write(`${seed} ${hash}\n`)
}
