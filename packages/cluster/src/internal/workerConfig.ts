/**
 * What a worker of a local cluster is told, whether it is a process or fibers.
 */
import * as Redacted from "effect/Redacted"
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
export const workerConfig = ({ address, directory, plan, token }: Surroundings, name: string) => ({
  scheduler: address,
  token: Redacted.value(token),
  listen: listenAddress(plan, directory, name, 0),
  host: plan.listening._tag === "Tcp" ? plan.listening.host : "localhost",
  nthreads: plan.threadsPerWorker,
  nfibers: plan.fibersPerWorker,
  localDirectory: directory,
  tasks: [...plan.modules]
})
