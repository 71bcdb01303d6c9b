/**
 * Clusters to measure.
 *
 * `zero`: the real scheduler in a process of its own, zero workers in another,
 * and a client here. `real`: `LocalCluster`, as a user starts it.
 */
import { type Context, Effect, Layer, Redacted, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Client, type ClientService, Cluster, LocalCluster, type LocalClusterOptions } from "skein"
import { Bench } from "./Bench.ts"
import { Ended, type Processes } from "./measure.ts"
import { folder, probe, probed, type ProcessFailed, start, type Started } from "./processes.ts"
import type { Probed } from "./probe.ts"
import { childrenOf, commandOf } from "./procfs.ts"

export interface Zero {
  readonly client: ClientService
  readonly processes: () => Processes
  readonly scheduler: Started
  readonly workers: Started
  readonly ended: Effect.Effect<never, ProcessFailed>
  readonly probe: (pid: number, question: "collect" | "as it is") => Effect.Effect<Probed, ProcessFailed>
}

/** Megabytes of heap that scheduler and client of the large rows may have. */
export const LARGE_HEAP = 10_240

const command = fileURLToPath(import.meta.resolve("@skein/cli/main"))

/** A scheduler and so many zero workers. */
export const zero = Effect.fnUntraced(function*(workers: number, heapMiB = LARGE_HEAP) {
  const at = yield* folder
  const token = randomBytes(32).toString("hex")
  const tokenFile = join(at, "token")
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const { env, nodeArgs } = probed(at)
  const socket = join(at, "s.sock")
  const scheduler = yield* start(
    "skein scheduler",
    [...nodeArgs, `--max-old-space-size=${heapMiB}`],
    [command, "scheduler", "--unix", socket, "--token-file", tokenFile],
    env
  )
  const address = `unix:${socket}`
  const zeros = yield* start(
    "skein worker --zero",
    nodeArgs,
    [command, "worker", "--zero", String(workers), "--address", address, "--token-file", tokenFile],
    env
  )
  const context = yield* Layer.build(Client.layer({ address, token: Redacted.make(token) }))
  const client = yield* Effect.provideContext(Client, context)
  const made: Zero = {
    client,
    scheduler,
    workers: zeros,
    ended: Effect.raceFirst(scheduler.ended, zeros.ended),
    processes: () => ({ client: [process.pid], scheduler: [scheduler.pid], workers: [zeros.pid] }),
    probe: (pid, question) => probe(at, pid, question)
  }
  return made
})

export interface Real {
  readonly client: ClientService
  readonly cluster: Cluster["Service"]
  readonly ended: Effect.Effect<never>
  readonly processes: () => Processes
}

/** A local cluster with the tasks of the benchmark. */
export const real = Effect.fnUntraced(function*(options: LocalClusterOptions) {
  const context: Context.Context<Client | Cluster> = yield* Layer.build(LocalCluster.layer({ tasks: new URL("../tasks.ts", import.meta.url), ...options }))
  const client = yield* Effect.provideContext(Client, context)
  const cluster = yield* Effect.provideContext(Cluster, context)
  const workers = (yield* client.inspect.workers).map(({ pid }) => pid)
  const entry = fileURLToPath(import.meta.resolve("@skein/runtime/scheduler/main"))
  const scheduler = childrenOf(process.pid).filter((pid) => commandOf(pid).includes(entry))
  // Nannies start its processes again.
  const made: Real = { client, cluster, ended: Effect.never, processes: () => ({ client: [process.pid], scheduler, workers }) }
  return made
})

/** With a cluster, or with a row that says why there is none. */
export const withCluster = <C extends Pick<Zero, "ended">, E, R, E2, R2>(
  make: Effect.Effect<C, E, R | Scope.Scope>,
  use: (cluster: C) => Effect.Effect<void, E2, R2>,
  otherwise: (why: string) => Effect.Effect<void, never, Bench>
): Effect.Effect<void, E2, Exclude<R, Scope.Scope> | Exclude<R2, Scope.Scope> | Bench> =>
  Effect.scoped(Effect.gen(function*() {
    const made = yield* Effect.result(make)
    if (made._tag === "Success") yield* Effect.provideService(use(made.success), Ended, made.success.ended)
    else yield* otherwise(String(made.failure))
  }))
