/**
 * Which bad day a seed stands for, for a program that is not ours.
 *
 * It is a case without tasks: the program brings them. How long its work takes
 * is not known, so a run without faults tells, and faults are spread over about
 * that time.
 */
import { Stream } from "../Stream.ts"
import type { Case } from "../Case.ts"
import { drawNetwork, drawSchedule, settled, weatherOf } from "../cases/Draw.ts"
import { drawFault, drawFaults } from "../cases/DrawFaults.ts"
import { type Draws, draws as drawsOf } from "../cases/Draws.ts"
import type { Fault } from "../Fault.ts"
import type { SimPlan } from "./Options.ts"
import { kindsOf } from "./Rates.ts"

/** The case of this seed. `activityMs`: how long the program takes without faults, from when the cluster is up. */
export const draw = (plan: SimPlan, seed: number, activityMs: number): Case => {
  const draws = drawsOf(seed)
  const network = drawNetwork(draws)
  return settled({
    version: 1,
    seed,
    cluster: { workers: Math.max(1, plan.cluster.workers), slots: plan.cluster.fibersPerWorker },
    clients: 1,
    schedule: drawSchedule(draws, [0, 0.001, 0.01, 0.05, 0.2]),
    network: plan.network === undefined ? network : { latency: plan.network.latency, fragment: network.fragment },
    tasks: [],
    operations: [],
    faults: faultsOf(plan, draws, seed, activityMs),
    healAt: 0,
    endBy: 0
  })
}

/** The same without anything that goes wrong, in the plainest order: what the oracle says. */
export const calm = (plan: SimPlan, seed: number): Case =>
  settled({ ...draw({ ...plan, faults: "none" }, seed, 0), schedule: { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 } })

const faultsOf = (plan: SimPlan, draws: Draws, seed: number, activityMs: number): ReadonlyArray<Fault> => {
  const { faults } = plan
  if (faults === "none") return []
  const options = { draws, workers: Math.max(1, plan.cluster.workers), clients: 1, activityMs: Math.max(activityMs, LEAST_MS), weather: weatherOf(draws), most: 5 }
  if (faults === "default") return survivable(drawFaults(options))
  return kindsOf(faults).flatMap(({ how, kind, name, rate }) =>
    arrivals(rate, options.activityMs * 2, Stream.named(seed, `rate/${name}`)).map((at, n): Fault => {
      const fault = { ...drawFault(options, kind, n), at }
      return fault._tag === "Disk" && how !== undefined ? { ...fault, how } : fault
    })
  ).sort((a, b) => a.at - b.at)
}

/** Without what nobody can be promised to survive. By time. */
const survivable = (faults: ReadonlyArray<Fault>): ReadonlyArray<Fault> => {
  let ends = 0
  return faults.filter((fault) => {
    if (fault._tag === "SchedulerCrash" || fault._tag === "ClientCrash") return false
    const more = endsOf(fault)
    if (ends + more > MOST_ENDS) return false
    ends += more
    return true
  })
}

/** A task that was running at each of four ends of workers is blamed for them (`KilledWorker`). */
const MOST_ENDS = 3
/** Somewhat less than a worker's session outlives its connection. */
const GRACE_MS = 4_000

/** How many workers a fault may end in the scheduler's eyes, who takes for dead what is cut off from it for long. */
const endsOf = (fault: Fault): number => {
  switch (fault._tag) {
    case "WorkerCrash":
    case "NannyCrash":
    case "MemoryPressure":
      return 1
    case "Partition": {
      if (fault.forMs < GRACE_MS) return 0
      const far = fault.a.includes("scheduler") ? fault.b : fault.a
      return far.filter((part) => part.startsWith("worker-")).length
    }
    default:
      return 0
  }
}

/** A program that takes no time at all is disturbed in its first second. */
const LEAST_MS = 1_000
/** Faults of one kind in a run, at most: a rate beyond that is a cluster that is never up. */
const MOST_ARRIVALS = 10_000

/** Times at which something happens so often per minute, each independent of the others; virtual milliseconds. */
const arrivals = (perMinute: number, withinMs: number, stream: Stream): ReadonlyArray<number> => {
  const times: Array<number> = []
  let at = 0
  while (times.length < MOST_ARRIVALS) {
    at += -Math.log(1 - stream.next()) * 60_000 / perMinute
    if (at > withinMs) break
    times.push(Math.round(at * 1_000) / 1_000)
  }
  return times
}
