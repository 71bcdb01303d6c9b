/**
 * What `skein local` does.
 */
import { mkdirSync, rmdirSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Client } from "@skein/client/Client"
import { Cluster } from "@skein/client/Cluster"
import { LocalCluster } from "@skein/cluster/LocalCluster"
import type { LocalFlags } from "../commands/local.ts"
import { Found, Refused } from "../exits.ts"
import { given } from "../flags.ts"
import { localOptions, moduleUrls } from "./shared.ts"

export const serve = (flags: LocalFlags) => Effect.scoped(serving(flags))

const serving = Effect.fnUntraced(function*(flags: LocalFlags) {
  const { fibers, host, interface: device, memoryLimit, port, protocol, resources, threads, workers } = flags
  const tasks = yield* moduleUrls(flags.tasks)
  const token = Option.getOrUndefined(flags.tokenFile)
  yield* folderOf(flags.schedulerFile)
  const cluster = LocalCluster.layer<never, never>({
    ...localOptions(given({ workers, threads, fibers, memoryLimit, resources })),
    ...given({ host, interface: device }),
    protocol,
    // With a unix socket a port that was named is refused, and none is meant.
    ...(Option.isSome(port) ? { schedulerPort: port.value } : protocol === "tcp" ? { schedulerPort: 8_786 } : {}),
    tasks: tasks.map((url) => new URL(url)),
    scheduler: { schedulerFile: flags.schedulerFile, ...(token === undefined ? {} : { token }) }
  })
  return yield* Effect.provide(untilLost(flags), cluster)
})

/** Says where it is, and waits. */
const untilLost = Effect.fnUntraced(function*({ json, schedulerFile }: LocalFlags) {
  const client = yield* Client
  const { schedulerAddress } = yield* Cluster
  const workers = yield* client.inspect.workers
  const names = workers.map(({ name }) => name).sort()
  const nthreads = workers[0]?.nthreads ?? 0
  yield* Console.log(json
    ? JSON.stringify({ scheduler: schedulerAddress, schedulerFile: resolve(schedulerFile), workers: names })
    : `scheduler  ${schedulerAddress}\n` +
      `workers    ${names.length === 0 ? "none" : `${names.length} of ${nthreads} ${nthreads === 1 ? "thread" : "threads"}: ${names.join(", ")}`}\n` +
      `try        skein run FILE --scheduler-file ${schedulerFile}\n` +
      "Ctrl-C ends it")
  yield* Stream.runDrain(client.connection)
  return yield* new Found({ message: `✖ the scheduler at ${schedulerAddress} has ended; what it wrote is above` })
})

/** The folder of a file, which goes again if it was not there before and holds nothing more in the end. */
const folderOf = (file: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => mkdirSync(dirname(resolve(file)), { recursive: true }),
      catch: (thrown) => new Refused({ message: `the folder of --scheduler-file ${file} cannot be made: ${thrown instanceof Error ? thrown.message : String(thrown)}` })
    }),
    (made) => Effect.ignore(Effect.try(() => made === undefined ? undefined : rmdirSync(dirname(resolve(file)))))
  )
