/**
 * What a worker of a local cluster is told, whether it is a process or fibers.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Address from "@skein/transport/Address"
import { socketIn } from "../Directory.ts"
import type { Plan } from "../Options.ts"

/** What all workers of one cluster share. */
export interface Surroundings {
  readonly plan: Plan
  readonly directory: string
  readonly token: Redacted.Redacted<string>
  /** Where the scheduler listens. */
  readonly address: string
}

/** Where a part of the cluster listens; with TCP at this port, 0 being any free one. */
export const listenAddress = ({ listening }: Plan, directory: string, name: string, port: number): string => {
  switch (listening._tag) {
    case "Unix":
      return Address.print(Address.unix(socketIn(directory, name)))
    case "Inproc":
      return Address.print(Address.inproc(name))
    case "Tcp":
      return Address.print(Address.tcp(listening.host, port))
  }
}

/** The fields of `WorkerConfig` that do not depend on who watches the worker. */
export const workerConfig = ({ address, directory, plan, token }: Surroundings, name: string) => {
  const { listening, worker } = plan
  const host = listening._tag === "Tcp" ? worker.host ?? besides(listening.host, address) : "localhost"
  return {
    scheduler: address,
    token: Redacted.value(token),
    listen: listening._tag === "Tcp" ? Address.print(Address.tcp(host, worker.port)) : listenAddress(plan, directory, name, 0),
    contact: worker.contactAddress,
    host,
    nthreads: plan.threadsPerWorker,
    nfibers: plan.fibersPerWorker,
    memoryLimitBytes: plan.memoryLimitBytes,
    resources: plan.resources,
    localDirectory: worker.localDirectory ?? directory,
    resumeMs: worker.resumeMs,
    ...(worker.deathMs === undefined ? {} : { connectMs: worker.deathMs }),
    logLevel: logLevel(plan),
    tasks: [...plan.modules]
  }
}

/** Where its workers listen if a scheduler listens at this host: where that means every address, at the one at which it is dialled. */
const besides = (host: string, address: string): string => {
  if (host !== "0.0.0.0" && host !== "::") return host
  const dialled = Result.getOrThrow(Address.parse(address))
  return dialled._tag === "Tcp" ? dialled.host : host
}

/** The fields of `SchedulerConfig` that do not depend on where it listens. */
export const schedulerConfig = (plan: Plan, token: Redacted.Redacted<string>) => ({
  ...plan.scheduler.tuning,
  name: plan.name,
  token: Redacted.value(token),
  // A worker comes back as late as it was told that it may.
  workerGraceMs: plan.worker.resumeMs,
  logLevel: logLevel(plan)
})

/** Below it nothing is logged at all; from where on it is printed is another question. */
const logLevel = ({ logsFrom }: Plan): "Debug" | "Info" => logsFrom === "Debug" ? "Debug" : "Info"
