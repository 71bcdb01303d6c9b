/**
 * What `skein worker` does: it is the nanny of its workers.
 */
import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { locate } from "@skein/client/Locating"
import * as NodePlatform from "@skein/client/node/Platform"
import { Directory, socketIn } from "@skein/cluster/Directory"
import * as LocalAddress from "@skein/cluster/node/LocalAddress"
import * as Machine from "@skein/cluster/node/Machine"
import * as PrivateDirectory from "@skein/cluster/node/PrivateDirectory"
import * as RemoteWorkers from "@skein/cluster/RemoteWorkers"
import { FOR_EVER_MS, type OneWorkerSettings, readWorker } from "@skein/cluster/WorkerOptions"
import * as NodeProcesses from "@skein/runtime/node/NodeProcesses"
import { isLoopback } from "@skein/runtime/scheduler/SchedulerConfig"
import * as NodeHost from "@skein/runtime/worker/node/NodeHost"
import * as NodeSockets from "@skein/runtime/worker/node/NodeSockets"
import * as ZeroWorkers from "@skein/runtime/worker/zero/ZeroWorkers"
import * as Address from "@skein/transport/Address"
import { Network } from "@skein/transport/Memory"
import { inTurns } from "@skein/transport/node/Turns"
import type { WorkerFlags } from "../commands/worker.ts"
import { Refused } from "../exits.ts"
import { given } from "../flags.ts"
import { moduleUrls, wellSaid, whereOf } from "./shared.ts"

const services = Layer.mergeAll(NodePlatform.layer, NodeHost.layer, NodeProcesses.layer, PrivateDirectory.layer, Layer.provide(NodeSockets.layer, Network.layer))

export const work = (flags: WorkerFlags) =>
  Effect.scoped(Effect.gen(function*() {
    if (Option.isSome(flags.zero)) yield* answering(flags, flags.zero.value)
    else yield* working(flags)
  })).pipe(Effect.provide(services))

const working = Effect.fnUntraced(function*(flags: WorkerFlags) {
  const machine = Machine.here()
  const { code, contactAddress, deathTimeout, fibers, host, interface: device, localDirectory, memoryLimit, name, port, resources, resumeTimeout, threads, workers } = flags
  const count = Option.getOrElse(workers, () => 1)
  if (count === 0) return yield* new Refused({ message: "--workers must be a number from 1" })
  const settings = yield* wellSaid(readWorker(
    {
      ...given({ fibers, resources, host, port, interface: device, contactAddress, localDirectory, deathTimeout, resumeTimeout }),
      // Those who share a machine share it evenly.
      threads: Option.getOrElse(threads, () => Math.ceil(machine.cores / count)),
      ...(Option.isSome(memoryLimit) && memoryLimit.value !== "auto" ? { memoryLimit: memoryLimit.value } : { memoryLimit: 1 / count })
    },
    machine
  ))
  if (count > 1 && settings.port !== 0) return yield* new Refused({ message: `--port ${settings.port} is one port, and ${count} workers need one each: leave it out` })
  if (count > 1 && settings.contactAddress !== null) return yield* new Refused({ message: `--contact-address is one address, and ${count} workers need one each: run them one by one` })
  const tasks = yield* moduleUrls(flags.tasks)
  const { address, token } = yield* locate({ ...yield* whereOf(flags, FROM_OPTIONS), timeout: settings.deathMs ?? FOR_EVER_MS })

  const directory = yield* Directory
  if (settings.localDirectory !== undefined) yield* directory.ensure(settings.localDirectory)
  const folder = settings.localDirectory ?? (yield* directory.make)
  const base = Option.getOrElse(name, () => `${hostname()}-${randomBytes(3).toString("hex")}`)
  const names = count === 1 ? [base] : Array.from({ length: count }, (_, index) => `${base}-${index}`)
  const listenOf = yield* listening(settings, address, token !== undefined)
  const remote = yield* RemoteWorkers.start({
    address,
    token,
    names,
    name: base,
    configOf: (worker) => ({
      listen: listenOf(folder, worker),
      contact: settings.contactAddress,
      host: hostname(),
      nthreads: settings.nthreads,
      nfibers: settings.nfibers,
      memoryLimitBytes: settings.memoryLimitBytes,
      resources: settings.resources,
      localDirectory: folder,
      resumeMs: settings.resumeMs,
      tasks,
      code
    }),
    env: settings.environment,
    deathMs: settings.deathMs,
    onLine: (worker) => ({ text }) => void process.stderr.write(`${worker}  ${text}\n`)
  })
  yield* Console.log(flags.json
    ? JSON.stringify({ scheduler: address, workers: names })
    : `${count === 1 ? "1 worker" : `${count} workers`} of ${settings.nthreads} ${settings.nthreads === 1 ? "thread" : "threads"} for the scheduler at ${address}: ${names.join(", ")}`)
  yield* remote.ended
  yield* Effect.logInfo(`the scheduler at ${address} has sent the workers away`)
})

/** Where a worker of this name is to listen, and nobody can reach it who cannot reach the scheduler. */
const listening = Effect.fnUntraced(function*({ host, port }: OneWorkerSettings, scheduler: string, hasToken: boolean) {
  const parsed = Result.getOrThrow(Address.parse(scheduler))
  if (host === undefined && parsed._tag !== "Tcp") {
    return (folder: string, name: string) => Address.print(Address.unix(socketIn(folder, name)))
  }
  const own = host ?? (parsed._tag === "Tcp"
    ? yield* LocalAddress.seenBy(parsed, scheduler)
    : "127.0.0.1")
  if (!hasToken && !isLoopback(own)) {
    return yield* new Refused({ message: `--token-file is missing: others can reach ${own}, and could read all results. Give the cluster's token, or --host 127.0.0.1` })
  }
  return () => Address.print(Address.tcp(own, port))
})

/** `--zero`: no processes, and no work. */
const answering = Effect.fnUntraced(function*(flags: WorkerFlags, count: number) {
  const host = Option.getOrElse(flags.host, () => "127.0.0.1")
  const { address, token } = yield* locate(yield* whereOf(flags, FROM_OPTIONS))
  const { dataAddress, ended } = yield* inTurns(ZeroWorkers.start({
    count,
    name: Option.getOrElse(flags.name, () => "zero"),
    scheduler: address,
    token,
    listen: Address.print(Address.tcp(host, 0)),
    host
  }))
  yield* Console.log(`${count} zero workers are registered with ${address} and serve results at ${dataAddress}`)
  yield* ended
})

const FROM_OPTIONS = "give ADDRESS, --address or --scheduler-file, or set SKEIN_SCHEDULER_ADDRESS or SKEIN_SCHEDULER_FILE"
