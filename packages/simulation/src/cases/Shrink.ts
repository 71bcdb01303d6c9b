/**
 * A failing case made small.
 *
 * The shrinker proposes a smaller case and is told whether it still fails in the
 * same way; then it goes on from there, or from where it was. It runs nothing
 * itself, so that it needs neither clock nor cluster, and whoever drives it
 * counts what it costs.
 *
 * The order is that of what pays most: what went wrong, who took part, what was
 * done, then how large it all was, and last how it was scheduled. Lists are
 * shortened by delta debugging: halves, quarters, and so on. A smaller case is
 * scheduled otherwise, which may hide what it still contains; so each proposal is made
 * under a few seeds.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input" (2002), `ddmin`.
 */
import type { Case, CaseTask, Operation } from "../Case.ts"
import type { Fault } from "../Fault.ts"
import { settled } from "./Draw.ts"

/** Proposes cases, is told of each whether it fails in the same way, and gives the smallest that does. */
export type Shrinking = Generator<Case, Case, boolean>

/** Begins with a case that fails, at `failedAt` virtual milliseconds if that is known. */
export function* shrink(failing: Case, failedAt: number = Infinity): Shrinking {
  let best = failing
  if (failedAt < failing.healAt) best = yield* accepted(best, before(best, failedAt))
  let size: number
  do {
    size = weight(best)
    best = yield* ddmin(best, best.faults, (of, faults) => ({ ...of, faults }))
    best = yield* shrinkTasks(best)
    best = yield* fewerWorkers(best)
    best = yield* ddmin(best, best.operations, (of, operations) => ({ ...of, operations }))
    best = yield* oneClient(best)
    best = yield* simplerTasks(best)
    best = yield* plainer(best)
    best = yield* shorterFaults(best)
  } while (weight(best) < size)
  return best
}

/** What is to become less. */
export const weight = (of: Case): number =>
  of.tasks.reduce((sum, task) => sum + 8 + task.dependencies.length + attributes(task), 0) +
  16 * of.faults.length + of.faults.reduce((sum, fault) => sum + ("forMs" in fault ? Math.log2(1 + fault.forMs) : 0), 0) + 8 * of.operations.length +
  4 * (of.cluster.workers + of.cluster.slots + of.clients) + (of.schedule.strategy === "fifo" ? 0 : 1) + (of.schedule.preemption > 0 ? 1 : 0) +
  (of.network.fragment > 0 ? 1 : 0) + (of.inBatches === true ? 1 : 0) + (of.journal === true ? 1 : 0)

/** Seeds under which a proposal is made before it is given up, the case's own first. */
const SEEDS = 3

/** The proposal, or one of another seed, if that fails too; else the case as it was. */
function* accepted(best: Case, proposal: Case): Shrinking {
  const whole = settled(proposal)
  for (let n = 0; n < SEEDS; n++) {
    const seeded = n === 0 ? whole : { ...whole, seed: best.seed + n }
    if (yield seeded) return seeded
  }
  return best
}

/** Without what had not happened by then. */
const before = (of: Case, at: number): Case => ({
  ...of,
  faults: of.faults.filter((fault) => fault.at <= at),
  operations: of.operations.filter((operation) => operation.at <= at)
})

/** Leaves parts of a list out, as many as can be. */
function* ddmin<A>(start: Case, list: ReadonlyArray<A>, withList: (of: Case, list: ReadonlyArray<A>) => Case): Shrinking {
  let best = start
  let rest = list
  let parts = 1
  while (rest.length > 0) {
    const size = Math.ceil(rest.length / parts)
    let shrunk = false
    for (let from = 0; from < rest.length; from += size) {
      const fewer = [...rest.slice(0, from), ...rest.slice(from + size)]
      const proposal = withList(best, fewer)
      const next: Case = yield* accepted(best, proposal)
      if (next !== best) {
        best = next
        rest = fewer
        shrunk = true
        parts = Math.max(parts - 1, 1)
        break
      }
    }
    if (shrunk) continue
    if (size === 1) break
    parts = Math.min(rest.length, parts * 2)
  }
  return best
}

/** Tasks left out; others do without their values then. */
function* shrinkTasks(start: Case): Shrinking {
  return yield* ddmin(start, start.tasks, (of, tasks) => withTasks(of, tasks))
}

/** Only these tasks, and only what can be done with them. */
export const withTasks = (of: Case, tasks: ReadonlyArray<CaseTask>): Case => {
  const kept = new Set(tasks.map(({ id }) => id))
  return {
    ...of,
    tasks: tasks.map((task) => task.dependencies.every((id) => kept.has(id)) ? task : { ...task, dependencies: task.dependencies.filter((id) => kept.has(id)) }),
    operations: of.operations.flatMap((operation): ReadonlyArray<Operation> =>
      operation._tag === "Submit"
        ? operation.tasks.some((id) => kept.has(id)) ? [{ ...operation, tasks: operation.tasks.filter((id) => kept.has(id)) }] : []
        : "task" in operation && !kept.has(operation.task)
        ? []
        : [operation]
    )
  }
}

function* fewerWorkers(start: Case): Shrinking {
  let best = start
  const counts = new Set([1, 2, 3, best.cluster.workers >> 1])
  for (const workers of [...counts].filter((count) => count >= 1).sort((a, b) => a - b)) {
    if (workers >= best.cluster.workers) break
    const next: Case = yield* accepted(best, { ...best, cluster: { ...best.cluster, workers } })
    if (next !== best) {
      best = next
      break
    }
  }
  if (best.cluster.slots > 1) best = yield* accepted(best, { ...best, cluster: { ...best.cluster, slots: 1 } })
  return best
}

/** All tasks the first client's; else those of one client after another left out. */
function* oneClient(start: Case): Shrinking {
  let best = start
  if (best.clients === 1) return best
  best = yield* accepted(best, {
    ...best,
    clients: 1,
    tasks: best.tasks.map((task) => ({ ...task, client: 0 })),
    operations: best.operations.filter((operation) => !("client" in operation) || operation.client === 0)
  })
  while (best.clients > 1) {
    const last = best.clients - 1
    const next: Case = yield* accepted(best, {
      ...withTasks(best, best.tasks.filter(({ client }) => client !== last)),
      clients: last,
      operations: best.operations.filter((operation) => !("client" in operation) || operation.client !== last)
    })
    if (next === best) break
    best = next
  }
  return best
}

/** What can be simpler about a task, one thing at a time. */
const simplifications: ReadonlyArray<(task: CaseTask) => CaseTask> = [
  ({ delayMs, gpus, on, secedes, timeoutMs, under, ...task }) => ({ ...task, durationMs: 1, bytes: 0, retries: 0, priority: 0, body: { _tag: "Succeeds" }, isolation: "fiber" }),
  (task) => ({ ...task, durationMs: 1 }),
  (task) => ({ ...task, bytes: 0 }),
  (task) => ({ ...task, retries: 0 }),
  (task) => ({ ...task, priority: 0 }),
  (task) => ({ ...task, body: { _tag: "Succeeds" } }),
  (task) => ({ ...task, isolation: "fiber" }),
  ({ gpus, ...task }) => task,
  ({ delayMs, ...task }) => task,
  ({ on, ...task }) => task,
  ({ timeoutMs, ...task }) => task,
  ({ under, ...task }) => task,
  ({ secedes, ...task }) => task,
  (task) => ({ ...task, dependencies: [] })
]

/** Each for all tasks at once, then for each of a few. */
function* simplerTasks(start: Case): Shrinking {
  let best = start
  for (const simplify of simplifications) {
    const proposal = { ...best, tasks: best.tasks.map(simplify) }
    if (weight(proposal) < weight(best)) best = yield* accepted(best, proposal)
  }
  if (best.tasks.length > FEW) return best
  for (const { id } of best.tasks) {
    for (const simplify of simplifications) {
      const proposal = { ...best, tasks: best.tasks.map((task) => task.id === id ? simplify(task) : task) }
      if (weight(proposal) < weight(best)) best = yield* accepted(best, proposal)
    }
  }
  return best
}

const FEW = 12

/** What is not the simplest about a task. */
const attributes = (task: CaseTask): number =>
  (task.durationMs === 1 ? 0 : 1) + (task.bytes === 0 ? 0 : 1) + (task.retries === 0 ? 0 : 1) + (task.priority === 0 ? 0 : 1) +
  (task.body._tag === "Succeeds" ? 0 : 1) + (task.isolation === "fiber" ? 0 : 1) + (task.delayMs === undefined ? 0 : 1) + (task.gpus === undefined ? 0 : 1) + (task.on === undefined ? 0 : 1) +
  (task.timeoutMs === undefined ? 0 : 1) + (task.under === undefined ? 0 : 1) + (task.secedes === undefined ? 0 : 1)

/** The simplest schedule and network, together or one after the other. */
function* plainer(start: Case): Shrinking {
  const schedule: Case["schedule"] = { strategy: "fifo", preemption: 0, opsBeforeYield: 2_048 }
  const network: Case["network"] = { latency: [1, 1], fragment: 0 }
  const steps: ReadonlyArray<(of: Case) => Case> = [
    (of) => ({ ...of, schedule, network }),
    (of) => ({ ...of, schedule }),
    (of) => ({ ...of, schedule: { ...of.schedule, preemption: 0 } }),
    (of) => ({ ...of, schedule: { ...of.schedule, strategy: "fifo" } }),
    (of) => ({ ...of, network: { ...of.network, fragment: 0 } }),
    ({ inBatches, ...of }) => of,
    ({ journal, ...of }) => of
  ]
  let best = start
  for (const step of steps) {
    const proposal = step(best)
    if (weight(proposal) < weight(best)) best = yield* accepted(best, proposal)
  }
  return best
}

/** Each fault half as long, as often as that goes. */
function* shorterFaults(start: Case): Shrinking {
  let best = start
  for (let i = 0; i < best.faults.length; i++) {
    for (let fault = best.faults[i]!; "forMs" in fault && fault.forMs >= 2; fault = best.faults[i]!) {
      const shorter: Fault = { ...fault, forMs: Math.floor(fault.forMs / 2) }
      const next: Case = yield* accepted(best, { ...best, faults: best.faults.map((other, place) => place === i ? shorter : other) })
      if (next === best) break
      best = next
    }
  }
  return best
}
