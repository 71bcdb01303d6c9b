/**
 * What goes wrong, when, and how badly.
 *
 * Each family is on in half of the runs of fair weather's opposite; its faults
 * come at times drawn over the time that the work would take, so that most of
 * them meet work; their sizes are spread over orders of magnitude, because a
 * short pause and a long one find different mistakes.
 */
import { type Fault, type FaultKind, faultKinds, type Part } from "../Fault.ts"
import type { Draws } from "./Draws.ts"
import type { Weather } from "./Draw.ts"

export interface Options {
  readonly draws: Draws
  readonly workers: number
  readonly clients: number
  /** How long the work would take if nothing went wrong. */
  readonly activityMs: number
  readonly weather: Weather
  /** Faults of one family at most. */
  readonly most: number
}

/** By time. */
export const drawFaults = (options: Options): ReadonlyArray<Fault> => {
  const { draws, most, weather } = options
  if (weather === "calm") return []
  if (weather === "single") return [drawFault(options, draws.pick(faultKinds, "fault.single"), 0)]
  return faultKinds.flatMap((kind) => {
    const share = weather === "everything" ? Math.max(0.9, shareOf(options, kind)) : shareOf(options, kind)
    if (!draws.chance(isEnding(kind) ? shareOf(options, kind) : share, `fault.${kind}`)) return []
    const count = isEnding(kind) ? 1 : draws.logInt(1, most, `fault.${kind}.count`)
    return Array.from({ length: count }, (_, n) => drawFault(options, kind, n))
  }).sort((a, b) => a.at - b.at)
}

/** In how many runs a family is on. Those after which little is left to go wrong are rarer. */
const shareOf = ({ clients }: Options, kind: FaultKind): number =>
  kind === "SchedulerCrash" ? 0.05 : kind === "ClientCrash" ? (clients > 1 ? 0.4 : 0.05) : 0.5

const isEnding = (kind: FaultKind): boolean => kind === "SchedulerCrash" || kind === "ClientCrash"

/** The nth fault of a kind: when, where and how badly. */
export const drawFault = (options: Options, kind: FaultKind, n: number): Fault => {
  const { activityMs, draws } = options
  const stream = `fault.${kind}`
  const at = Math.round(draws.unit(`${stream}.at`, n) * activityMs * 1_000) / 1_000
  const forMs = (least: number, most: number) => Math.round(draws.logUniform(least, most, `${stream}.for`, n))
  const worker = `worker-${draws.int(0, options.workers - 1, `${stream}.worker`, n)}`
  switch (kind) {
    case "WorkerCrash":
    case "NannyCrash":
    case "MemoryPressure":
      return { _tag: kind, at, worker }
    case "ClientCrash":
      // The last, so that the others are there to see what becomes of what it wanted.
      return { _tag: kind, at, client: `client-${options.clients - 1}` }
    case "SchedulerCrash":
      return { _tag: kind, at }
    case "Pause":
      return { _tag: kind, at, part: anyPart(options, stream, n), forMs: forMs(10, 20_000) }
    case "Partition":
      return { _tag: kind, at, ...drawGroups(options, stream, n), oneWay: draws.chance(0.4, `${stream}.oneWay`, n), forMs: forMs(10, 15_000) }
    case "Latency":
      return { _tag: kind, at, addMs: Math.round(draws.logUniform(1, 2_000, `${stream}.add`, n)), forMs: forMs(50, 10_000) }
    case "ConnectionLoss":
    case "Duplicate":
      return { _tag: kind, at, ...drawLink(options, stream, n), afterBytes: draws.logInt(1, 100_000, `${stream}.after`, n) }
    case "SlowReader":
      return { _tag: kind, at, part: anyPart(options, stream, n), rate: Math.round(draws.logUniform(200, 100_000, `${stream}.rate`, n)), forMs: forMs(100, 10_000) }
    case "ClockJump": {
      const by = Math.round(draws.logUniform(10, 3_600_000, `${stream}.by`, n))
      return { _tag: kind, at, part: anyPart(options, stream, n), byMs: draws.chance(0.5, `${stream}.back`, n) ? -by : by }
    }
    case "ClockSkew":
      return { _tag: kind, at, part: anyPart(options, stream, n), rate: Math.round(draws.logUniform(0.9, 1.1, `${stream}.rate`, n) * 1_000) / 1_000 }
    case "SpawnFailure":
      return { _tag: kind, at, worker, times: draws.int(1, 3, `${stream}.times`, n) }
    case "Disk": {
      // Its journal is all that the product writes. One that cannot be written ends the scheduler, and so most of what could go wrong.
      const how = draws.chance(0.05, `${stream}.ends`, n) ? draws.pick(["full", "failing"] as const, `${stream}.how`, n) : "slow"
      return { _tag: kind, at, part: "scheduler", how, forMs: forMs(100, 10_000) }
    }
  }
}

const workerNames = ({ workers }: Options): ReadonlyArray<Part> => Array.from({ length: workers }, (_, i) => `worker-${i}`)
const clientNames = ({ clients }: Options): ReadonlyArray<Part> => Array.from({ length: clients }, (_, i) => `client-${i}`)

/** Each kind of part is as likely as another, however many there are of it; workers twice. */
const anyPart = (options: Options, stream: string, n: number): Part => {
  const role = options.draws.pick(["scheduler", "worker", "worker", "client"], `${stream}.role`, n)
  const names = role === "scheduler" ? ["scheduler"] : role === "worker" ? workerNames(options) : clientNames(options)
  return options.draws.pick(names, `${stream}.part`, n)
}

/** One part alone, or any division. */
const drawGroups = (options: Options, stream: string, n: number): { readonly a: ReadonlyArray<Part>; readonly b: ReadonlyArray<Part> } => {
  const all = ["scheduler", ...workerNames(options), ...clientNames(options)]
  const alone = anyPart(options, stream, n)
  const isIn = options.draws.chance(0.6, `${stream}.alone`, n)
    ? (part: Part) => part === alone
    : (part: Part) => options.draws.chance(0.5, `${stream}.side.${part}`, n)
  return { a: all.filter(isIn), b: all.filter((part) => !isIn(part)) }
}

/** Two that speak with each other: the scheduler with anybody, workers with each other, clients with workers. */
const drawLink = (options: Options, stream: string, n: number): { readonly a: Part; readonly b: Part } => {
  const { draws } = options
  const worker = draws.pick(workerNames(options), `${stream}.a`, n)
  switch (draws.pick(["worker", "client", "peers", "values"], `${stream}.link`, n)) {
    case "worker":
      return { a: worker, b: "scheduler" }
    case "client":
      return { a: draws.pick(clientNames(options), `${stream}.b`, n), b: "scheduler" }
    case "peers":
      return { a: worker, b: draws.pick(workerNames(options), `${stream}.b`, n) }
    default: // a client fetches a value from a worker
      return { a: draws.pick(clientNames(options), `${stream}.b`, n), b: worker }
  }
}
