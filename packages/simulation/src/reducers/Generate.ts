/**
 * Cases for the reducers, from seeds.
 *
 * Every feature and every kind of fault is on in about half of the cases, with a
 * rate of its own (swarm testing): what hides a bug in one case is missing in
 * another. One case in ten is calm.
 *
 * Source: A. Groce et al., "Swarm testing", ISSTA 2012.
 */
import type { Body, Case, CaseTask, Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { Stream, streams } from "./Draws.ts"
import { graceMs } from "./Stage.ts"

/** `light`: up to 30 tasks and 3 workers. `full`: 150 to 2,000 tasks and at least 4 workers. */
export type Size = "light" | "full"

/** The case of a seed. `count`: of its tasks, if that is not to be drawn. */
export const draw = (seed: number, size: Size = "light", count?: number): Case => {
  const stream = new Stream(seed, streams.cluster)
  const isCalm = stream.chance(0.1)
  const workers = size === "light" ? stream.between(1, 3) : stream.between(4, 8)
  const clients = stream.chance(0.7) ? 1 : stream.between(2, 3)
  const tasks = drawSecessions(seed, drawTerms(seed, workers, drawDelays(seed, drawTasks(seed, size, clients, isCalm, count))))
  const healAt = size === "light" ? stream.between(20, 400) : stream.between(500, 3_000)
  const away = isCalm ? nothingAway : drawAway(seed, workers, clients, tasks, healAt)
  return {
    version: 1,
    seed,
    cluster: { workers, slots: stream.between(1, 3) },
    clients,
    schedule: { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 },
    network: { latency: [stream.oneOf([0.1, 0.5, 1]), stream.oneOf([1, 5, 20, 100])], fragment: 0 },
    tasks,
    operations: isCalm ? [] : [...drawOperations(seed, tasks, clients, healAt), ...away.operations],
    faults: isCalm ? [] : [...drawFaults(seed, workers, clients, healAt), ...away.faults],
    healAt,
    endBy: healAt + 600_000
  }
}

/** Graphs by shape: the dependencies of each of `count` tasks, which stand before it. */
const shapes: Record<string, (count: number, stream: Stream) => ReadonlyArray<ReadonlyArray<number>>> = {
  chain: (count) => list(count, (at) => at === 0 ? [] : [at - 1]),
  chains: (count, stream) => {
    const width = stream.between(2, 6)
    return list(count, (at) => at < width ? [] : [at - width])
  },
  fan: (count) => list(count, (at) => at === 0 ? [] : at === count - 1 ? list(count - 2, (i) => i + 1) : [0]),
  tree: (count) => {
    const leaves = Math.ceil(count / 2)
    return list(count, (at) => at < leaves ? [] : [2 * (at - leaves), 2 * (at - leaves) + 1].filter((from) => from < at))
  },
  lattice: (count) => {
    const width = Math.max(2, Math.floor(Math.sqrt(count)))
    return list(count, (at) => [at - width, at % width === 0 ? -1 : at - 1].filter((from) => from >= 0))
  },
  allToAll: (count) => {
    const width = Math.max(1, Math.min(12, Math.floor(count / 3)))
    return list(count, (at) => at < width ? [] : list(width, (i) => (Math.floor(at / width) - 1) * width + i))
  },
  layered: (count, stream) => {
    const width = stream.between(2, 8)
    return list(count, (at) => {
      const layer = Math.floor(at / width)
      if (layer === 0) return []
      const above = list(width, (i) => (layer - 1) * width + i)
      return above.filter(() => stream.chance(0.4))
    })
  },
  independent: (count) => list(count, () => [])
}

const list = <A>(count: number, make: (at: number) => A): ReadonlyArray<A> => Array.from({ length: Math.max(0, count) }, (_, at) => make(at))

const shapeNames = Object.keys(shapes) as [string, ...Array<string>]

const drawTasks = (seed: number, size: Size, clients: number, isCalm: boolean, given: number | undefined): ReadonlyArray<CaseTask> => {
  const stream = new Stream(seed, streams.graph)
  const drawn = size === "light" ? stream.between(1, 30) : Math.round(stream.logBetween(150, 2_000))
  const count = given ?? drawn
  const failing = !isCalm && stream.chance(0.5) ? stream.share() * 0.2 : 0
  const odd = !isCalm && stream.chance(0.3) ? stream.share() * 0.15 : 0
  const longest = stream.oneOf([0.1, 2, 20, 200])
  const largest = stream.oneOf([0, 100, 4_000])
  const priorities = stream.chance(0.3)
  const isolation = stream.oneOf(["fiber", "thread", "mixed"] as const)
  const tasks: Array<CaseTask> = []
  for (let client = 0; client < clients; client++) {
    const base = tasks.length
    const share = Math.max(1, Math.floor(count / clients))
    const graph = shapes[stream.oneOf(shapeNames)]?.(share, stream) ?? []
    for (const dependencies of graph) {
      tasks.push({
        id: tasks.length,
        dependencies: dependencies.map((from) => base + from),
        client,
        durationMs: stream.logBetween(0.01, longest),
        bytes: stream.below(largest + 1),
        retries: stream.chance(0.3) ? stream.between(1, 3) : 0,
        priority: priorities ? stream.between(-1, 1) : 0,
        body: drawBody(stream, failing, odd),
        isolation: isolation === "mixed" ? stream.oneOf(["fiber", "thread"]) : isolation
      })
    }
  }
  return tasks
}

/** How long some of the tasks wait before they are tried again: of half of the cases. */
const drawDelays = (seed: number, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> => {
  const stream = new Stream(seed, streams.delays)
  const delayed = stream.chance(0.5) ? stream.share() : 0
  return delayed === 0 ? tasks : tasks.map((task) => task.retries > 0 && stream.chance(delayed) ? { ...task, delayMs: stream.between(1, 300) } : task)
}

/** Where some of the tasks may run, and what they occupy there: of half of the cases. */
const drawTerms = (seed: number, workers: number, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> => {
  const stream = new Stream(seed, streams.terms)
  const gpus = stream.chance(0.25) ? stream.share() : 0
  const on = stream.chance(0.25) ? stream.share() : 0
  if (gpus + on === 0) return tasks
  return tasks.map((task) => ({
    ...task,
    ...(stream.chance(gpus) ? { gpus: stream.between(1, 2) } : {}),
    ...(stream.chance(on) ? { on: { worker: stream.below(workers), strictly: stream.chance(0.7) } } : {})
  }))
}

/**
 * Bodies that give up their slots, whatever else they do: in half of the cases. To this level it is all the same for what they wait,
 * but not whether they do.
 */
const drawSecessions = (seed: number, tasks: ReadonlyArray<CaseTask>): ReadonlyArray<CaseTask> => {
  const stream = new Stream(seed, streams.secessions)
  const share = stream.chance(0.5) ? stream.share() * 0.4 : 0
  return share === 0 ? tasks : tasks.map((task) =>
    task.isolation === "fiber" && stream.chance(share) ? { ...task, secedes: stream.chance(0.4) ? "forGood" : "forAWhile" } : task)
}

const drawBody = (stream: Stream, failing: number, odd: number): Body => {
  if (stream.chance(failing)) return stream.chance(0.2) ? { _tag: "Dies" } : { _tag: "Fails", times: stream.between(1, 3) }
  if (stream.chance(odd)) return stream.chance(0.5) ? { _tag: "Exits" } : { _tag: "NeverEnds" }
  return { _tag: "Succeeds" }
}

const drawOperations = (seed: number, tasks: ReadonlyArray<CaseTask>, clients: number, healAt: number): ReadonlyArray<Operation> => {
  const stream = new Stream(seed, streams.operations)
  const rate = (of: number) => stream.chance(0.5) ? Math.ceil(stream.share() * of) : 0
  const most = Math.min(24, 2 + tasks.length / 4)
  const some = <A>(count: number, make: () => A): ReadonlyArray<A> => Array.from({ length: count }, make)
  const at = () => stream.share() * healAt
  const task = () => stream.below(tasks.length)
  return [
    ...some(rate(most), () => ({ _tag: "Cancel", at: at(), task: task(), force: stream.chance(0.3) } as const)),
    ...some(rate(most), () => ({ _tag: "Release", at: at(), task: task() } as const)),
    ...some(rate(most), () => ({ _tag: "Resubmit", at: at(), task: task(), client: stream.below(clients) } as const)),
    ...some(rate(most), () => ({ _tag: "Retry", at: at(), task: task() } as const)),
    ...some(clients > 1 && stream.chance(0.2) ? 1 : 0, () => ({ _tag: "Leave", at: at(), client: stream.below(clients) } as const))
  ]
}

const drawFaults = (seed: number, workers: number, clients: number, healAt: number): ReadonlyArray<Fault> => {
  const stream = new Stream(seed, streams.faults)
  const at = () => stream.share() * healAt
  const worker = () => `worker-${stream.below(workers)}`
  const most = workers > 3 ? 8 : 4
  const some = (make: () => Fault): ReadonlyArray<Fault> => stream.chance(0.5) ? Array.from({ length: Math.ceil(stream.share() * most) }, make) : []
  return [
    ...some(() => ({ _tag: "WorkerCrash", at: at(), worker: worker() })),
    ...some(() => ({ _tag: "MemoryPressure", at: at(), worker: worker() })),
    ...some(() => ({ _tag: "Pause", at: at(), part: worker(), forMs: stream.logBetween(1, 20_000) })),
    ...some(() => ({ _tag: "Partition", at: at(), a: [worker()], b: ["scheduler"], oneWay: false, forMs: stream.logBetween(1, 20_000) })),
    ...some(() => ({ _tag: "ConnectionLoss", at: at(), a: worker(), b: "scheduler", afterBytes: 0 })),
    ...some(() => ({ _tag: "Latency", at: at(), addMs: stream.logBetween(1, 100), forMs: stream.logBetween(1, 500) })),
    ...some(() => ({ _tag: "SpawnFailure", at: at(), worker: worker(), times: stream.between(1, 3) })),
    ...(clients > 1 && stream.chance(0.2) ? [{ _tag: "ClientCrash", at: at(), client: `client-${stream.below(clients)}` } as const] : [])
  ]
}

interface Away {
  readonly operations: ReadonlyArray<Operation>
  readonly faults: ReadonlyArray<Fault>
}

const nothingAway: Away = { operations: [], faults: [] }

/**
 * In a quarter of the cases results are away while their ids are given to others: a worker is cut off until its session is lost,
 * and meanwhile the last tasks of the graph are let go, and submitted anew in another order. Drawn one by one such operations
 * hardly ever come together: a key keeps its id for as long as anything depends on it.
 */
const drawAway = (seed: number, workers: number, clients: number, tasks: ReadonlyArray<CaseTask>, healAt: number): Away => {
  const stream = new Stream(seed, streams.away)
  if (!stream.chance(0.25)) return nothingAway
  const cutAt = stream.share() * healAt * 0.8
  const goneAt = cutAt + stream.share() * (healAt - cutAt)
  const backAt = goneAt + stream.share() * (healAt - goneAt)
  const least = Math.max(0, tasks.length - mostAway)
  const last = tasks.slice(stream.between(least, Math.max(least, tasks.length - 2)))
  return {
    faults: [{ _tag: "Partition", at: cutAt, a: [`worker-${stream.below(workers)}`], b: ["scheduler"], oneWay: false, forMs: stream.between(graceMs + 1, 2 * graceMs) }],
    operations: [
      ...last.map(({ id }) => ({ _tag: "Release", at: goneAt, task: id } as const)),
      ...shuffled(last, stream).map(({ client, id }) => ({ _tag: "Resubmit", at: backAt, task: id, client: client % clients } as const))
    ]
  }
}

/** So many tasks are let go at most. */
const mostAway = 12

const shuffled = <A>(items: ReadonlyArray<A>, stream: Stream): ReadonlyArray<A> =>
  items.map((item) => ({ item, rank: stream.share() })).sort((a, b) => a.rank - b.rank).map(({ item }) => item)
