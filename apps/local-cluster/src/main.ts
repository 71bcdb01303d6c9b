/**
 * A whole cluster on this machine, doing a real job: `npm start`.
 *
 * Starts a scheduler and workers as processes, runs the job, compares every
 * result with one computed here, prints what it found, and exits 0 only if all
 * of it is right.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Client, Cluster, LocalCluster } from "skein"
import { job, type Part, verdict } from "./job.ts"

const flags = {
  workers: Flag.Int("workers").pipe(Flag.withDefault(2), Flag.withDescription("Worker processes to start with")),
  threads: Flag.Int("threads").pipe(Flag.withDefault(2), Flag.withDescription("Threads of each worker, for plain functions")),
  scaleTo: Flag.Int("scale-to").pipe(Flag.withDefault(3), Flag.withDescription("Workers from the middle of the tree on")),
  chains: Flag.Int("chains").pipe(Flag.withDefault(256), Flag.withDescription("Chains add(inc(i), double(i))")),
  numbers: Flag.Int("numbers").pipe(Flag.withDefault(64), Flag.withDescription("Numbers summed in completion order")),
  limitMs: Flag.Int("limit-ms").pipe(Flag.withDefault(10), Flag.withDescription("Longest sleep of one task, in milliseconds"))
}

const program = Effect.fn("program")(function*(options: Command.Command.Config.Infer<typeof flags>, calledAt: number) {
  const client = yield* Client
  const cluster = yield* Cluster
  const workers = yield* client.inspect.workers
  yield* Console.log(
    `cluster ready in ${(yield* Clock.currentTimeMillis) - calledAt} ms: ${workers.length} workers × ${options.threads} threads\n` +
      `  scheduler  ${cluster.schedulerAddress}\n` +
      workers.map(({ name, pid }) => `  ${name}   process ${pid}`).join("\n") + "\n"
  )
  const parts = yield* job(options)
  for (const part of parts) yield* Console.log(describe(part))
  yield* verdict(parts)
  yield* Console.log(`\nall ${parts.reduce((n, part) => n + part.results.length, 0)} results are right`)
})

const describe = (part: Part): string => {
  const rate = part.ms > 0 ? Math.round(part.tasks / part.ms * 1_000) : part.tasks
  const line = `${part.name.padEnd(18)} ${String(part.tasks).padStart(5)} tasks  ${(part.ms / 1_000).toFixed(2).padStart(6)} s  ` +
    `${String(rate).padStart(6)}/s   ${part.results.at(-1)!.what} = ${part.results.at(-1)!.found}`
  const wrong = part.results.filter(({ expected, found }) => found !== expected)
  return [line, ...wrong.map(({ expected, found, what }) => `  WRONG ${what}: ${found}, expected ${expected}`)].join("\n")
}

const main = Command.make("local-cluster", flags, (options) =>
  Effect.gen(function*() {
    const calledAt = yield* Clock.currentTimeMillis
    yield* program(options, calledAt).pipe(
      Effect.provide(LocalCluster.layer({
        workers: options.workers,
        threadsPerWorker: options.threads,
        tasks: new URL("./tasks.ts", import.meta.url)
      }))
    )
  })).pipe(Command.withDescription("Starts a local cluster of processes, runs a job on it, and checks every result"))

main.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
