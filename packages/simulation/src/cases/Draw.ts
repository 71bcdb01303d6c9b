/**
 * A case from a seed.
 *
 * Swarm testing: each feature of the workload and each family of faults is on
 * in about half of the runs, so that runs differ in kind and not only in
 * detail, and what one feature would hide another run shows. Fixed shares are
 * calm, have a single fault, or have everything at once.
 *
 * Source: Groce et al., "Swarm Testing" (ISSTA 2012), and reference/reliability.md §2.5 to 2.7.
 */
import type { Case, CaseTask } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { type Draws, draws as drawsOf } from "./Draws.ts"
import { drawFaults } from "./DrawFaults.ts"
import { drawOperations } from "./DrawOperations.ts"
import { type Edges, type ShapeName, shapeNames, shapes } from "./Shapes.ts"

/** `light`: up to 30 tasks and 3 workers. `full`: 150 to 2,000 tasks, at least 4 workers, faults on. */
export type Profile = "light" | "full"

/** How much goes wrong. `swarm`: each family of faults in half of the runs. */
export type Weather = "calm" | "single" | "swarm" | "everything"

/** What a profile allows, from least to most. */
interface Bounds {
  readonly tasks: readonly [number, number]
  readonly workers: readonly [number, number]
  readonly slots: readonly [number, number]
  readonly clients: readonly [number, number]
  /** Parts that the graph is made of. */
  readonly parts: readonly [number, number]
}

const bounds: Record<Profile, Bounds> = {
  light: { tasks: [1, 30], workers: [1, 3], slots: [1, 3], clients: [1, 2], parts: [1, 2] },
  full: { tasks: [150, 2_000], workers: [4, 8], slots: [1, 4], clients: [1, 3], parts: [1, 4] }
}

/** The case that belongs to a seed. */
export const draw = (seed: number, profile: Profile): Case => {
  const draws = drawsOf(seed)
  const bound = bounds[profile]
  const workers = draws.int(...bound.workers, "workers")
  const slots = draws.int(...bound.slots, "slots")
  const clients = draws.int(...bound.clients, "clients")
  const weather = weatherOf(draws)
  const tasks = drawTasks(draws, bound, clients)
  const activityMs = activityOf(tasks, workers * slots)
  const operations = drawOperations({ draws, tasks, clients, workers, activityMs, plain: weather === "calm" && draws.chance(0.5, "plain") })
  const faults = drawFaults({ draws, workers, clients, activityMs, weather, most: profile === "full" ? 5 : 2 })
  // Nothing else is written to a disk: a faulty one would hurt nobody without it.
  const journal = faults.some(({ _tag }) => _tag === "Disk") || draws.chance(0.1, "journal")
  return settled({
    version: 1,
    seed,
    cluster: { workers, slots },
    clients,
    ...(draws.chance(0.3, "batches") ? { inBatches: true } : {}),
    ...(journal ? { journal } : {}),
    schedule: drawSchedule(draws, [0, 0.001, 0.01, 0.05, 0.2]),
    network: drawNetwork(draws),
    tasks,
    operations,
    faults,
    healAt: 0,
    endBy: 0
  })
}

/** The same case with times of healing and of the end that fit what it has. */
export const settled = (unsettled: Case): Case => {
  const { faults, operations, tasks } = unsettled
  const last = Math.max(0, ...faults.map(endOf), ...operations.map(({ at }) => at))
  const healAt = Math.ceil(last + QUIET_MS)
  const work = tasks.reduce((sum, { delayMs = 0, durationMs, retries, secedes, timeoutMs = 0 }) =>
    sum + Math.max(durationMs, timeoutMs) * (secedes === "toWait" ? 2 : 1) * (retries + 1) + delayMs * retries, 0)
  // A body that ends its process takes all results with it each time, if there is one worker left, and they are computed again.
  const deaths = DEATHS_EACH * tasks.filter(({ body }) => body._tag === "Exits").length
  return { ...unsettled, healAt, endBy: Math.ceil(healAt + TIMEOUTS_MS + work * (1 + deaths)) }
}

/** When a fault is over by itself. One that stays, such as a skewed clock, is over when it has come. */
export const endOf = (fault: Fault): number => fault.at + ("forMs" in fault ? fault.forMs : 0)

/** Making room costs a fiber several operations itself: with fewer than these it would do nothing else. */
export const LEAST_OPS = 12

/** How long after the last that is done to it a cluster is left alone before it is healed. */
const QUIET_MS = 1_000

/** Workers that a body may end before it is stopped. */
const DEATHS_EACH = 4

/** All that may have to be waited for in turn once nothing goes wrong any more: a client's grace, a nanny's restarts, a worker's search. */
const TIMEOUTS_MS = 60_000 + 60_000 + 30_000 + 30_000

/**
 * How long the work would take if nothing went wrong: the longer of the critical path and the work divided by the slots.
 */
export const activityOf = (tasks: ReadonlyArray<CaseTask>, slots: number): number => {
  const finish = new Map<number, number>()
  let work = 0
  let longest = 0
  for (const task of tasks) {
    if (task.body._tag === "NeverEnds") continue
    const ready = Math.max(0, ...task.dependencies.map((id) => finish.get(id) ?? 0))
    finish.set(task.id, ready + task.durationMs)
    work += task.durationMs
    longest = Math.max(longest, ready + task.durationMs)
  }
  return Math.max(longest, work / slots) + STARTING_MS
}

/** Submitting and reporting takes a while also where tasks do not. */
const STARTING_MS = 50

/** Which share of runs is how bad. */
export const weatherOf = (draws: Draws): Weather => {
  const share = draws.unit("weather")
  return share < 0.1 ? "calm" : share < 0.25 ? "single" : share < 0.3 ? "everything" : "swarm"
}

/** Which fiber is next, and where it is stopped: with one of these chances before each operation. */
export const drawSchedule = (draws: Draws, preemptions: ReadonlyArray<number>): Case["schedule"] => ({
  strategy: draws.pick(["fifo", "lifo", "uniform", "pct", "starve"], "strategy"),
  preemption: draws.pick(preemptions, "preemption"),
  opsBeforeYield: draws.logInt(LEAST_OPS, 2_048, "opsBeforeYield")
})

/** How long bytes are under way, and how often they come in pieces. */
export const drawNetwork = (draws: Draws): Case["network"] => {
  const least = draws.logUniform(0.01, 5, "latency.least")
  return { latency: [least, least * draws.logUniform(1, 20, "latency.spread")], fragment: draws.pick([0, 0.01, 0.1, 0.5], "fragment") }
}

/** The workload's features, each on or off for the whole run. */
interface Features {
  readonly fails: boolean
  readonly dies: boolean
  readonly exits: boolean
  readonly neverEnds: boolean
  readonly blocks: boolean
  readonly retries: boolean
  /** Whether some wait before they are tried again. */
  readonly delays: boolean
  readonly priorities: boolean
  readonly large: boolean
  /** Whether some occupy GPUs, and some are best on certain workers. */
  readonly terms: boolean
  /** Whether some may take no longer than they are told. */
  readonly limits: boolean
  /** Whether some are data, sent by their clients. */
  readonly scattered: boolean
  /** Whether some are submitted under the keys of others. */
  readonly rivals: boolean
  /** Whether some give up their slots. */
  readonly secedes: boolean
  /** Share of tasks that run in threads. */
  readonly threads: number
  /** The longest task, ms. */
  readonly longestMs: number
}

const drawTasks = (draws: Draws, bound: Bounds, clients: number): ReadonlyArray<CaseTask> => {
  const size = draws.logInt(...bound.tasks, "tasks")
  const parts = Math.min(size, draws.int(...bound.parts, "parts"))
  const features = drawFeatures(draws)
  const tasks: Array<CaseTask> = []
  for (let part = 0; part < parts; part++) {
    const first = tasks.length
    const last = Math.floor(size * (part + 1) / parts)
    const edges = drawEdges(draws, last - first, part)
    const client = draws.int(0, clients - 1, "client", part)
    edges.forEach((dependencies, i) => {
      tasks.push(drawTask(draws, features, first + i, client, dependencies.map((dependency) => first + dependency)))
    })
  }
  return withSecessions(draws, features, withRivals(draws, features, withLimits(draws, features, withRareBodies(draws, features, tasks))))
}

const drawEdges = (draws: Draws, size: number, part: number): Edges => {
  const name: ShapeName = draws.pick(shapeNames, "shape", part)
  return shapes[name](size, draws, `shape.${part}`)
}

const drawFeatures = (draws: Draws): Features => {
  const on = (name: string) => draws.chance(0.5, `feature.${name}`)
  return {
    fails: on("fails"),
    dies: on("dies"),
    exits: on("exits"),
    neverEnds: on("neverEnds"),
    blocks: on("blocks"),
    retries: on("retries"),
    delays: on("delays"),
    priorities: on("priorities"),
    large: on("large"),
    terms: on("terms"),
    limits: on("limits"),
    scattered: on("scattered"),
    rivals: draws.chance(0.3, "feature.rivals"),
    secedes: on("secedes"),
    threads: on("threads") ? draws.pick([0.1, 0.5, 1], "threads") : 0,
    longestMs: draws.logUniform(5, 5_000, "longest")
  }
}

const drawTask = (draws: Draws, features: Features, id: number, client: number, dependencies: ReadonlyArray<number>): CaseTask => ({
  id,
  dependencies,
  client,
  durationMs: Math.round(draws.logUniform(0.1, features.longestMs, "duration", id) * 1_000) / 1_000,
  bytes: features.large && draws.chance(0.1, "large", id)
    ? draws.logInt(64, draws.chance(0.05, "larger", id) ? 300_000 : 16_000, "bytes", id)
    : 0,
  retries: features.retries ? draws.int(0, 3, "retries", id) : 0,
  priority: features.priorities ? draws.int(-2, 2, "priority", id) : 0,
  body: features.fails && draws.chance(0.04, "fails", id)
    ? { _tag: "Fails", times: draws.logInt(1, 5, "times", id) }
    : features.dies && draws.chance(0.01, "dies", id)
    ? { _tag: "Dies" }
    : { _tag: "Succeeds" },
  isolation: draws.chance(features.threads, "thread", id) ? "thread" : "fiber",
  ...(features.retries && features.delays ? delayOf(draws.int(0, 2_000, "delay", id)) : {}),
  ...(features.terms ? termsOf(draws.int(0, 29, "terms", id)) : {})
})

/** What is sent goes by itself, each after the other. */
const MOST_DATA = 4

/**
 * Limits of time for one task in twenty, and for some that would never end. Each is clearly longer than its body takes, or clearly shorter:
 * so in fair weather it is known what comes of it.
 */
const withLimits = (draws: Draws, features: Features, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> =>
  !features.limits ? tasks : tasks.map((task) => {
    const { body: { _tag }, durationMs, id } = task
    const isLimited = _tag === "Succeeds" ? draws.chance(0.05, "limit", id) : (_tag === "NeverEnds" || _tag === "Blocks") && draws.chance(0.5, "limit", id)
    if (!isLimited) return task
    const isTooShort = _tag === "NeverEnds" || (durationMs > 150 && draws.chance(0.5, "limit.short", id))
    const timeoutMs = Math.round(_tag === "NeverEnds" ? draws.logUniform(10, 5_000, "limit.at", id) : isTooShort ? durationMs / 3 : durationMs * 3 + 100)
    return { ...task, timeoutMs }
  })

/** Up to three tasks on which nothing depends go under the keys of others. */
const withRivals = (draws: Draws, features: Features, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> => {
  if (!features.rivals) return tasks
  const needed = new Set(tasks.flatMap(({ dependencies }) => dependencies))
  const sinks = tasks.filter(({ body, id }) => !needed.has(id) && body._tag === "Succeeds")
  if (sinks.length === 0) return tasks
  const rivals = new Set(Array.from({ length: draws.int(1, 3, "rivals.count") }, (_, n) => draws.pick(sinks, "rivals", n).id))
  const others = tasks.filter(({ body, id }) => body._tag !== "Scattered" && !rivals.has(id))
  return others.length === 0 ? tasks : tasks.map((task) => rivals.has(task.id) ? { ...task, under: draws.pick(others, "rivals.under", task.id).id } : task)
}

/**
 * One body in ten, whatever else it does, of those that can give up their slots: Effects that can be interrupted. One with a limit of
 * time does not want a slot again, for nobody knows how long that takes.
 */
const withSecessions = (draws: Draws, features: Features, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> =>
  !features.secedes ? tasks : tasks.map((task) => {
    const { body: { _tag }, id, isolation, timeoutMs } = task
    if (isolation === "thread" || _tag === "Blocks" || _tag === "Scattered" || !draws.chance(_tag === "Exits" ? 0.5 : 0.1, "secedes", id)) return task
    return { ...task, secedes: timeoutMs !== undefined ? "forGood" : draws.pick(["forGood", "forAWhile", "toWait"] as const, "secedes.how", id) }
  })

/** Of one task in four. */
const delayOf = (drawn: number): Pick<CaseTask, "delayMs"> => drawn < 500 ? { delayMs: drawn } : {}

/** Of one draw in thirty, for there are many tasks. Only wishes: a worker that is meant may not come back, for clusters shrink. */
const termsOf = (drawn: number): Pick<CaseTask, "gpus" | "on"> =>
  drawn < 3 ? { gpus: 1 } : drawn < 5 ? { gpus: 2 } : drawn < 9 ? { on: { worker: drawn - 5, strictly: false } } : {}

/**
 * What few tasks do, because each costs much: ending its process four times, and holding a slot until it is cancelled. The latter
 * only where nothing depends on it, for that would never be computed.
 */
const withRareBodies = (draws: Draws, features: Features, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> => {
  const needed = new Set(tasks.flatMap(({ dependencies }) => dependencies))
  const chosen = new Map<number, CaseTask["body"]>()
  if (features.scattered) {
    const sources = tasks.filter(({ dependencies }) => dependencies.length === 0)
    const count = draws.int(1, MOST_DATA, "scattered.count")
    for (let n = 0; n < count; n++) chosen.set(draws.pick(sources, "scattered", n).id, { _tag: "Scattered" })
  }
  if (features.blocks) chosen.set(draws.int(0, tasks.length - 1, "blocks"), { _tag: "Blocks" })
  if (features.exits) chosen.set(draws.int(0, tasks.length - 1, "exits"), { _tag: "Exits" })
  if (features.neverEnds) {
    const sinks = tasks.filter(({ id }) => !needed.has(id))
    for (let n = 0; n < Math.min(2, sinks.length); n++) chosen.set(draws.pick(sinks, "neverEnds", n).id, { _tag: "NeverEnds" })
  }
  return tasks.map((task) => {
    const body = chosen.get(task.id)
    if (body === undefined) return task
    return body._tag === "Blocks" ? { ...task, body, durationMs: Math.round(draws.logUniform(50, 10_000, "blocking", task.id)) } : { ...task, body }
  })
}
