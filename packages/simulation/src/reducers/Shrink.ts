/**
 * Shortens a case that breaks something: fewer operations, faults, tasks, workers
 * and clients, plainer attributes. A shorter case counts only if it breaks the
 * same invariant.
 *
 * Lists are shortened by delta debugging: halves are left out first, then
 * quarters, and so on. Tasks go with all that depends on them, for a case names
 * dependencies that stand before; then the edges are thinned, so that what is not
 * needed can go though something stands behind it.
 *
 * Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", IEEE TSE 2002 (`ddmin`).
 */
import type { Case, CaseTask } from "../Case.ts"
import { mix } from "./Draws.ts"

/** Other seeds that are tried with each shorter case. */
const otherChances = 4

/** What a run of a case broke; undefined: nothing. */
export type Judge = (theCase: Case) => string | undefined

export interface Shrunk {
  readonly case: Case
  readonly invariant: string
  /** Cases that were run. */
  readonly runs: number
}

export interface Options {
  /** Cases that may be run. @default 2_000 */
  readonly maxRuns?: number | undefined
  /** When it breaks, virtual milliseconds: what was to happen after that is left out first. */
  readonly brokenAt?: number | undefined
  /** Asked before each run whether there is time for it. @default always */
  readonly goesOn?: (() => boolean) | undefined
}

/** The shortest case found that breaks what `theCase` breaks; undefined if that breaks nothing. */
export const shrink = (theCase: Case, judge: Judge, { brokenAt = Infinity, goesOn = () => true, maxRuns = 2_000 }: Options = {}): Shrunk | undefined => {
  const invariant = judge(theCase)
  if (invariant === undefined) return undefined
  let runs = 1
  let best = theCase
  const keeps = (candidate: Case): boolean => {
    // A shorter case has other latencies at other moments; what it takes may need another chance to come about.
    for (let chance = 0; chance <= otherChances && runs < maxRuns && goesOn(); chance++) {
      const tried = chance === 0 ? candidate : { ...candidate, seed: mix(candidate.seed, chance) }
      runs++
      if (judge(tried) !== invariant) continue
      best = tried
      return true
    }
    return false
  }
  keeps({ ...theCase, faults: theCase.faults.filter(({ at }) => at <= brokenAt), operations: theCase.operations.filter(({ at }) => at <= brokenAt) })
  let before: string
  do {
    before = JSON.stringify(best)
    for (const pass of passes) pass(() => best, keeps)
  } while (JSON.stringify(best) !== before && runs < maxRuns && goesOn())
  return { case: best, invariant, runs }
}

type Pass = (best: () => Case, keeps: (candidate: Case) => boolean) => void

const leaveOut = <A>(get: (theCase: Case) => ReadonlyArray<A>, put: (theCase: Case, rest: ReadonlyArray<A>) => Case): Pass => (best, keeps) =>
  minimize(() => get(best()), (rest) => keeps(put(best(), rest)))

/** Leaves parts out of a list as long as the rest passes. `list` is what has passed last. */
const minimize = <A>(list: () => ReadonlyArray<A>, passes: (rest: ReadonlyArray<A>) => boolean): void => {
  if (list().length > 0 && passes([])) return
  for (let parts = 2; list().length > 0;) {
    const now = list()
    const size = Math.ceil(now.length / parts)
    let isShorter = false
    for (let from = 0; from < now.length; from += size) {
      if (!passes([...now.slice(0, from), ...now.slice(from + size)])) continue
      isShorter = true
      break
    }
    if (isShorter) parts = Math.max(2, parts - 1)
    else if (size === 1) return
    else parts = Math.min(now.length, parts * 2)
  }
}

/** Without tasks that are gone: neither as dependencies, with all behind them, nor in operations. */
const whole = (theCase: Case, tasks: ReadonlyArray<CaseTask>): Case => {
  const left = new Set<number>()
  const kept: Array<CaseTask> = []
  for (const task of tasks) {
    if (!task.dependencies.every((id) => left.has(id))) continue
    left.add(task.id)
    kept.push(task)
  }
  const operations = theCase.operations.filter((operation) => !("task" in operation) || left.has(operation.task)).map((operation) =>
    operation._tag === "Submit" ? { ...operation, tasks: operation.tasks.filter((id) => left.has(id)) } : operation)
  return { ...theCase, tasks: kept, operations }
}

const eachTask = (plainer: (task: CaseTask) => CaseTask): Pass => (best, keeps) => {
  if (keeps({ ...best(), tasks: best().tasks.map(plainer) })) return
  for (const { id } of best().tasks) {
    const tasks = best().tasks.map((task) => task.id === id ? plainer(task) : task)
    if (JSON.stringify(tasks) !== JSON.stringify(best().tasks)) keeps({ ...best(), tasks })
  }
}

const passes: ReadonlyArray<Pass> = [
  leaveOut((theCase) => theCase.faults, (theCase, faults) => ({ ...theCase, faults })),
  leaveOut((theCase) => theCase.operations, (theCase, operations) => ({ ...theCase, operations })),
  leaveOut((theCase) => theCase.tasks, whole),
  // Each edge by itself.
  (best, keeps) => {
    for (const { dependencies, id } of best().tasks) {
      for (const dependency of dependencies) {
        keeps({
          ...best(),
          tasks: best().tasks.map((task) => task.id === id ? { ...task, dependencies: task.dependencies.filter((other) => other !== dependency) } : task)
        })
      }
    }
  },
  leaveOut((theCase) => theCase.tasks, whole),
  (best, keeps) => {
    for (let clients = 1; clients < best().clients; clients++) if (keeps({ ...best(), clients })) break
    for (let workers = 1; workers < best().cluster.workers; workers++) if (keeps({ ...best(), cluster: { ...best().cluster, workers } })) break
    if (best().cluster.slots > 1) keeps({ ...best(), cluster: { ...best().cluster, slots: 1 } })
  },
  eachTask((task) => ({ ...task, priority: 0 })),
  eachTask((task) => ({ ...task, retries: 0 })),
  eachTask(({ gpus, ...task }) => task),
  eachTask(({ secedes, ...task }) => task),
  eachTask(({ delayMs, ...task }) => task),
  eachTask(({ on, ...task }) => task),
  eachTask((task) => ({ ...task, bytes: 0 })),
  eachTask((task) => ({ ...task, durationMs: 1 })),
  eachTask((task) => ({ ...task, body: { _tag: "Succeeds" } })),
  eachTask((task) => ({ ...task, isolation: "fiber" }))
]
