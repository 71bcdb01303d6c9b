/**
 * What a simulation of one's own program may be told, and what that comes to.
 *
 * As with a local cluster, options are read once into a plan in which nothing is
 * optional any more, and what cannot be had is refused by name.
 */
import * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type LocalClusterOptions, type Plan, plan as planCluster } from "@skein/cluster/Options"
import { ClusterError } from "@skein/protocol/Errors"
import { type FaultRates, rateNames } from "./Rates.ts"

export type { FaultRates } from "./Rates.ts"

export type Distribution = Duration.Input | { readonly min: Duration.Input; readonly max: Duration.Input } | { /** Of a lognormal. */ readonly median: Duration.Input; readonly sigma: number }

/** What a modelled task costs. Its body is not run; its value is a stand-in: what its schema allows if it has one, else so many bytes. */
export interface TaskCost {
  /** Virtual running time. @default a small draw from the seed, 0.1 to 5 ms */
  readonly duration?: Distribution
  /** Size of the result in bytes, which are really held and sent. @default 0 */
  readonly nbytes?: number
  /** Share of attempts that fail, 0 to 1, with a defect. In a run without faults none does. @default 0 */
  readonly failure?: number
  /** Bytes taken while it runs. @default 0 */
  readonly memoryBytes?: number
}

export interface SimOptions<E = never, R = never> extends Pick<LocalClusterOptions<E, R>, "workers" | "threadsPerWorker" | "fibersPerWorker" | "tasks"> {
  /** A safe integer from 0. @default random, and printed */
  readonly seed?: number
  /** @default 0.1 to 2 ms, nothing lost */
  readonly network?: {
    readonly latency?: Duration.Input
    /** What a chunk may take longer. */
    readonly jitter?: Duration.Input
    /** Share of chunks that are lost once and sent again 200 ms later, 0 to 1. */
    readonly loss?: number
  }
  /**
   * "default": every kind that a cluster promises to survive, at rates drawn from the seed; so not the end of the scheduler, nor of
   * the client, which the program runs in, and no more than three ends of workers (one that is cut off for long counts), for a task
   * that runs at each of four is blamed for them. @default "none"
   */
  readonly faults?: "none" | "default" | FaultRates
  /** @default "1 hour" */
  readonly maxVirtualTime?: Duration.Input
  /** By task name. A task that is named here is modelled: its body is not run, its value is a stand-in. The others run. */
  readonly costs?: Readonly<Record<string, TaskCost>>
}

/** Options with every default filled in. */
export interface SimPlan {
  readonly cluster: Plan<unknown, unknown>
  /** undefined: one is to be drawn. */
  readonly seed: number | undefined
  /** undefined: drawn from the seed. */
  readonly network: { readonly latency: readonly [number, number]; readonly loss: number } | undefined
  readonly faults: "none" | "default" | FaultRates
  /** Milliseconds. */
  readonly maxVirtualMs: number
  readonly costs: Readonly<Record<string, TaskCost>>
}

const known: ReadonlyArray<keyof SimOptions> = ["workers", "threadsPerWorker", "fibersPerWorker", "tasks", "seed", "network", "faults", "maxVirtualTime", "costs"]

/** What defaults go by, whatever the machine: a seed means the same on each. */
const CORES = 4

/** The plan, or the first option that is wrong. `folder`: where relative paths of modules are meant from, a URL that ends in a slash. */
export const plan = (options: SimOptions<unknown, unknown>, folder: string): Result.Result<SimPlan, ClusterError> => {
  for (const option of Object.keys(options)) {
    if (!(known as ReadonlyArray<string>).includes(option)) return bad(option, `is unknown; a simulation knows ${known.join(", ")}`)
  }
  const { costs = {}, faults = "none", maxVirtualTime = "1 hour", network, seed } = options
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) return bad("seed", "must be a safe integer from 0")
  if (typeof faults === "object") {
    for (const [name, rate] of Object.entries(faults)) {
      if (!(rateNames as ReadonlyArray<string>).includes(name)) return bad("faults", `"${name}" is no fault; there are ${rateNames.join(", ")}`)
      if (!isShare(rate, Infinity)) return bad("faults", `${name} must be a number of faults per virtual minute, from 0`)
    }
  }
  for (const [name, { duration, failure = 0, memoryBytes = 0, nbytes = 0 }] of Object.entries(costs)) {
    if (!isShare(failure, 1)) return bad("costs", `the failure of "${name}" must be a share from 0 to 1`)
    if (!Number.isSafeInteger(nbytes) || nbytes < 0) return bad("costs", `the nbytes of "${name}" must be a whole number from 0`)
    if (!isShare(memoryBytes, Infinity)) return bad("costs", `the memoryBytes of "${name}" must be a number from 0`)
    if (duration !== undefined && !isDistribution(duration)) return bad("costs", `the duration of "${name}" must be a duration, { min, max } or { median, sigma }`)
  }
  const times = [network?.latency ?? 0, network?.jitter ?? 0, maxVirtualTime].map(millis)
  if (times.some((ms) => ms === undefined)) return bad(millis(maxVirtualTime) === undefined ? "maxVirtualTime" : "network", "must be a duration such as \"2 seconds\"")
  if (!isShare(network?.loss ?? 0, 1)) return bad("network", "its loss must be a share from 0 to 1")
  const [latency = 0, jitter = 0, maxVirtualMs = 0] = times as ReadonlyArray<number>
  const { fibersPerWorker, tasks, threadsPerWorker = 2, workers = 2 } = options
  return Result.map(
    // Not in processes of their own, as far as its options go: there a layer may not be given.
    planCluster({ workers, threadsPerWorker, processes: false, memoryLimit: null, ...(fibersPerWorker === undefined ? {} : { fibersPerWorker }), ...(tasks === undefined ? {} : { tasks }) }, {
      cores: CORES,
      memoryBytes: Infinity,
      interfaces: {},
      folder
    }),
    (cluster): SimPlan => ({
      cluster,
      seed,
      network: network === undefined ? undefined : { latency: [latency, latency + jitter], loss: network.loss ?? 0 },
      faults,
      maxVirtualMs,
      costs
    })
  )
}

/** The layer of contracts, if the tasks are one. */
export const layerOf = ({ cluster }: SimPlan): Layer.Layer<never, unknown> | undefined => cluster.layer as Layer.Layer<never, unknown> | undefined

const millis = (input: unknown): number | undefined => {
  // Anything may have been given from JavaScript.
  const duration = Duration.fromInput(input as Duration.Input)
  return duration._tag === "Some" && Duration.toMillis(duration.value) >= 0 ? Duration.toMillis(duration.value) : undefined
}

const isDistribution = (of: Distribution): boolean => {
  if (typeof of === "object" && "min" in of) return millis(of.min) !== undefined && millis(of.max) !== undefined && millis(of.min)! <= millis(of.max)!
  if (typeof of === "object" && "median" in of) return millis(of.median) !== undefined && isShare(of.sigma, Infinity)
  return millis(of) !== undefined
}

const isShare = (value: unknown, most: number): boolean => typeof value === "number" && value >= 0 && value <= most

const bad = (option: string, detail: string) => Result.fail(ClusterError.because("BadOption", { option, detail }))
