/**
 * What clients do beside waiting: submitting in parts, cancelling, releasing,
 * losing futures, trying again, submitting the same once more, asking for tasks by
 * their keys and for all results together, leaving tasks to themselves, leaving;
 * and scaling.
 */
import type { CaseTask, Operation } from "../Case.ts"
import type { Draws } from "./Draws.ts"

export interface Options {
  readonly draws: Draws
  readonly tasks: ReadonlyArray<CaseTask>
  readonly clients: number
  readonly workers: number
  /** How long the work would take if nothing went wrong. */
  readonly activityMs: number
  /** Nothing but submitting: what makes the number of executions predictable. */
  readonly plain: boolean
}

/** By time. */
export const drawOperations = (options: Options): ReadonlyArray<Operation> => {
  const { draws, plain, tasks } = options
  const on = (name: string) => !plain && draws.chance(0.5, `operation.${name}`)
  const operations: Array<Operation> = []
  if (draws.chance(0.5, "operation.parts")) operations.push(...drawParts(options))
  if (on("cancel")) {
    operations.push(...several(options, "cancel", 8, (at, n) => ({
      _tag: "Cancel", at, task: draws.pick(tasks, "cancel.task", n).id, force: draws.chance(0.3, "cancel.force", n)
    })))
  }
  if (on("release")) {
    operations.push(...several(options, "release", Math.max(1, Math.ceil(tasks.length / 5)), (at, n) => ({
      _tag: "Release", at, task: draws.pick(tasks, "release.task", n).id
    })))
  }
  if (on("collect")) {
    operations.push(...several(options, "collect", Math.max(1, Math.ceil(tasks.length / 5)), (at, n) => ({
      _tag: "Collect", at, task: draws.pick(tasks, "collect.task", n).id
    })))
  }
  if (on("retry")) {
    const failing = tasks.filter(({ body }) => body._tag === "Fails" || body._tag === "Dies")
    const tried = failing.length > 0 ? failing : tasks.filter(({ body }) => body._tag === "Succeeds")
    if (tried.length > 0) {
      operations.push(...several(options, "retry", 8, (at, n) => ({ _tag: "Retry", at, task: draws.pick(tried, "retry.task", n).id })))
    }
  }
  if (on("resubmit")) {
    const again = tasks.filter(({ body }) => body._tag !== "NeverEnds")
    if (again.length > 0) {
      operations.push(...several(options, "resubmit", 4, (at, n) => ({
        _tag: "Resubmit", at, task: draws.pick(again, "resubmit.task", n).id, client: draws.int(0, options.clients - 1, "resubmit.client", n)
      })))
    }
  }
  // The key of what is scattered follows from its value, and nobody knows it before.
  const keyed = tasks.filter(({ body }) => body._tag !== "Scattered")
  if (keyed.length > 0 && on("adopt")) {
    operations.push(...several(options, "adopt", 4, (at, n) => ({
      _tag: "Adopt", at, task: draws.pick(keyed, "adopt.task", n).id, client: draws.int(0, options.clients - 1, "adopt.client", n)
    })))
  }
  if (on("detach")) {
    // One that never ends would do so behind everybody's back.
    const ending = tasks.filter(({ body }) => body._tag !== "NeverEnds")
    if (ending.length > 0) {
      operations.push(...several(options, "detach", 4, (at, n) => ({ _tag: "Detach", at, task: draws.pick(ending, "detach.task", n).id })))
    }
  }
  if (on("ask")) {
    operations.push(...several(options, "ask", 4, (at, n) => ({
      _tag: "Ask", at, client: draws.int(0, options.clients - 1, "ask.client", n), how: draws.pick(["gather", "gatherExits", "results"] as const, "ask.how", n)
    })))
  }
  if (options.clients > 1 && on("leave")) operations.push({ _tag: "Leave", at: timeOf(options, "leave", 0), client: options.clients - 1 })
  if (on("scale")) {
    operations.push(...several(options, "scale", 3, (at, n) => ({ _tag: "Scale", at, workers: draws.int(1, 2 * options.workers, "scale.workers", n) })))
  }
  operations.push(...cancelsOfTheEndless(options))
  return operations.sort((a, b) => a.at - b.at)
}

/** The clients' tasks in a few messages, over the first half of the time. The first comes at once. */
const drawParts = ({ activityMs, clients, draws, tasks }: Options): ReadonlyArray<Operation> => {
  const parts: Array<Operation> = []
  for (let client = 0; client < clients; client++) {
    const own = tasks.filter((task) => task.client === client).map(({ id }) => id)
    const count = Math.min(own.length, draws.logInt(2, 10, "parts.count", client))
    for (let n = 0; n < count; n++) {
      const slice = own.slice(Math.floor(own.length * n / count), Math.floor(own.length * (n + 1) / count))
      parts.push({ _tag: "Submit", at: n === 0 ? 0 : rounded(draws.unit("parts.at", client, n) * activityMs / 2), tasks: slice })
    }
  }
  return parts
}

/** Each would hold its slot for ever, or for long. */
const cancelsOfTheEndless = (options: Options): ReadonlyArray<Operation> =>
  options.tasks.filter(({ body }) => body._tag === "NeverEnds" || (body._tag === "Blocks" && !options.plain)).map(({ id }) => ({
    _tag: "Cancel", at: timeOf(options, "endless", id), task: id, force: true
  }))

const several = (options: Options, stream: string, most: number, make: (at: number, n: number) => Operation): ReadonlyArray<Operation> =>
  Array.from({ length: options.draws.logInt(1, most, `${stream}.count`) }, (_, n) => make(timeOf(options, stream, n), n))

const timeOf = ({ activityMs, draws }: Options, stream: string, n: number): number => rounded(draws.unit(`${stream}.at`, n) * activityMs)

/** To the microsecond. */
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000
