/**
 * What `skein run` does.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { Client } from "@skein/client/Client"
import { Cluster } from "@skein/client/Cluster"
import { LocalCluster } from "@skein/cluster/LocalCluster"
import type { RunFlags } from "../commands/run.ts"
import { Found, Refused } from "../exits.ts"
import { given } from "../flags.ts"
import { load } from "./loading.ts"
import { localOptions, moduleUrls, saidWhere, type Where } from "./shared.ts"

/** How long a scheduler is looked for before that is said. */
const LOOKING_MS = 3_000

export const runFile = Effect.fnUntraced(function*(flags: RunFlags) {
  const where = yield* saidWhere(flags)
  const ofLocal = given({ workers: flags.workers, threads: flags.threads, fibers: flags.fibers, memoryLimit: flags.memoryLimit, resources: flags.resources })
  if (Option.isSome(where)) {
    const [unused] = [...Object.keys(ofLocal), ...(flags.tasks.length > 0 ? ["tasks"] : [])]
    if (unused !== undefined) return yield* new Refused({ message: `--${unused.replace("memoryLimit", "memory-limit")} is for a cluster of the program's own, and --address or --scheduler-file name another: leave one of them out` })
  }
  const tasks = yield* moduleUrls(flags.tasks)
  // As Node would have it: the program's own arguments follow its file.
  process.argv = [process.argv[0]!, flags.file, ...flags.args]
  const { program } = yield* load(flags.file, "Client, Cluster or Scope")
  const cluster = Option.match(where, {
    onNone: () => LocalCluster.layer<never, never>({ ...localOptions(ofLocal), tasks: tasks.map((url) => new URL(url)) }),
    onSome: (options) => Layer.provideMerge(Layer.effect(Cluster, Effect.map(Client, (client) => client.cluster)), Client.layer(options))
  })
  // A scheduler that is elsewhere is looked for as long as one may take to start, and who has mistyped its address need not wonder.
  const waiting = yield* Effect.forkChild(Option.isNone(where) ? Effect.void : Effect.delay(Console.error(stillLooking(where.value)), LOOKING_MS))
  // Whatever else the program needs is not there, and it dies of that by name.
  const needs = Effect.andThen(Fiber.interrupt(waiting), Effect.scoped(program() as Effect.Effect<unknown, unknown, Client | Cluster>))
  // Apart from the failures of the cluster: its own failure is the program's.
  const ran = yield* Effect.exit(needs).pipe(
    Effect.provide(cluster),
    // As a program of its own would log, but its output may be for another program.
    Effect.provide(Logger.layer([Logger.consolePretty()])),
    Effect.provideService(Logger.LogToStderr, true)
  )
  if (Exit.isSuccess(ran)) return flags.json ? yield* Console.log(yield* asJson(ran.value)) : undefined
  if (Cause.hasInterruptsOnly(ran.cause)) return yield* Effect.interrupt
  const error = Cause.squash(ran.cause)
  return yield* error instanceof Refused ? error : new Found({ message: Cause.pretty(ran.cause) })
})

const stillLooking = (where: Where): string =>
  `no scheduler has answered yet at ${where.address ?? where.schedulerFile}; looking on, Ctrl-C ends it`

const asJson = (value: unknown): Effect.Effect<string, Found> =>
  Effect.try({
    try: () => JSON.stringify(value) ?? "null",
    catch: (thrown) => new Found({ message: `✖ the program's value cannot be written as JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}` })
  })
