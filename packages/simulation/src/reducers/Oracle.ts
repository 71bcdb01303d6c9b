/**
 * What may become of each task: the reference interpreter.
 *
 * It goes through the tasks of a case once, in order, without workers, messages
 * or faults, and says for each whether it may have a value, and which failures it
 * may have, of itself or of what it depends on. Where faults, cancellations or
 * retries allow several outcomes it names them all; in a calm case there is one.
 */
import type { Failure } from "@skein/protocol/Failure"
import type { Case } from "../Case.ts"
import type { Tasks } from "./World.ts"

/** Ways for a task to fail. */
export type Failing = "Raised" | "Cancelled" | "Killed"

export interface Outcomes {
  /** It may have its value. */
  readonly value: boolean
  /** By origin's place and way: `place × 4 + way`. */
  readonly failures: ReadonlySet<number>
}

/** By place of the task. */
export const outcomesOf = (theCase: Case, tasks: Tasks): ReadonlyArray<Outcomes> => {
  const { faults, operations } = theCase
  const exiting = theCase.tasks.filter(({ body }) => body._tag === "Exits")
  const burns = faults.filter(({ _tag }) => _tag === "WorkerCrash" || _tag === "MemoryPressure").length
  // At its first death a body that ends its workers may have company, which is suspected with it; one that runs on without a slot at all but
  // the last. But the death that ends a task has one culprit: without a fault none but who is guilty is killed.
  const company = exiting.reduce((sum, { secedes }) => sum + (secedes === undefined ? 1 : allowedFailures), 0)
  const deaths = burns === 0 ? 0 : burns + company
  const isCalm = faults.length === 0 && exiting.length === 0
  const cancelled = placesOf(theCase, tasks, "Cancel")
  const retried = operations.some(({ _tag }) => _tag === "Retry")
  const endless = new Set(endlessOf(tasks))
  const all: Array<Outcomes> = []
  tasks.list.forEach((task, place) => {
    // A set of its own only if it has more in it than that of some dependency: most have the empty one.
    let failures: ReadonlySet<number> = nothing
    let value = true
    for (const dependency of tasks.dependencies[place] ?? []) {
      const above = all[dependency]
      if (above === undefined) continue
      failures = union(failures, above.failures)
      if (!above.value) value = false
    }
    const { body } = task
    const own: Array<number> = []
    if (cancelled.has(place) || endless.has(place)) own.push(named(place, "Cancelled"))
    if (body._tag === "NeverEnds") value = false
    if (body._tag === "Dies") {
      own.push(named(place, "Raised"))
      value = false
    }
    if (body._tag === "Fails" && body.times > task.retries) {
      own.push(named(place, "Raised"))
      // A death is an attempt too, and a retry goes on counting: the body may get past the attempts at which it fails.
      if (isCalm && !retried) value = false
    }
    if (body._tag === "Exits") {
      own.push(named(place, "Killed"))
      value = false
    }
    // Somebody may be where it burns each time.
    if (deaths > allowedFailures) own.push(named(place, "Killed"))
    all.push({ value, failures: own.length === 0 ? failures : new Set([...failures, ...own]) })
  })
  return all
}

const nothing: ReadonlySet<number> = new Set()

/** One of the two, if the other has nothing more. */
const union = (a: ReadonlySet<number>, b: ReadonlySet<number>): ReadonlySet<number> =>
  a === b || b.size === 0 ? a : a.size === 0 ? b : new Set([...a, ...b])

/** Tasks that cannot end unless they are cancelled, which whoever ends a case does: bodies that never end, and all that waits for these. */
export const endlessOf = (tasks: Tasks): ReadonlyArray<number> => {
  const endless = new Set<number>()
  tasks.list.forEach(({ body }, place) => {
    if (body._tag === "NeverEnds" || tasks.dependencies[place]?.some((dependency) => endless.has(dependency)) === true) endless.add(place)
  })
  return [...endless]
}

/** Whether this is one of the failures that a task may have. */
export const mayFail = (outcomes: Outcomes | undefined, failure: Failure, origin: number): boolean => {
  const { _tag } = failure
  return (_tag === "Raised" || _tag === "Cancelled" || _tag === "Killed") && outcomes?.failures.has(named(origin, _tag)) === true
}

/** How many deaths a task survives. The scheduler's default. */
export const allowedFailures = 3

const ways = { Raised: 0, Cancelled: 1, Killed: 2 } as const

const named = (place: number, way: Failing): number => place * 4 + ways[way]

const placesOf = ({ operations }: Case, tasks: Tasks, tag: "Cancel"): ReadonlySet<number> => {
  const places = new Set<number>()
  for (const operation of operations) {
    const place = operation._tag === tag ? tasks.placeOf(operation.task) : undefined
    if (place !== undefined) places.add(place)
  }
  return places
}
