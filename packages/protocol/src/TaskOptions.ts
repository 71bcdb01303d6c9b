/**
 * What a definition says about all its tasks, and what one submission may say.
 *
 * An option that is misspelt is refused: if it was accepted and ignored, it would
 * be believed.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { BadOption } from "./Errors.ts"
import { showPath } from "./Failure.ts"
import type { Isolation } from "./Ids.ts"
import { expectedResources, type Resources } from "./Resources.ts"
import { ANNOTATIONS_LIMIT, NAME_LIMIT, WORKERS_LIMIT } from "./Terms.ts"
import * as Value from "./Value.ts"
import { closest } from "./Suggestion.ts"

/** What a definition may say about all its tasks. */
export interface TaskDefaults {
  /** Equal calls share one key and one result. @default true */
  readonly pure?: boolean
  /** Higher first. @default 0 */
  readonly priority?: number
  /**
   * How often a failed attempt is repeated: at once, or after a `delay`, which grows by `factor` with each further failure, to
   * `maxDelay` at most. Nobody's slot is taken meanwhile. @default 0; factor 2, maxDelay none
   */
  readonly retries?: number | {
    readonly times: number
    readonly delay?: Duration.Input
    readonly factor?: number
    readonly maxDelay?: Duration.Input
  }
  /**
   * Limit on one attempt's running time, by the clock on the wall and from when its body begins: waiting for other tasks or without
   * a slot counts, waiting to be placed, in queues and for inputs does not. What runs longer is stopped as if it were cancelled,
   * counts as a failed attempt, and is repeated while there are retries; its finalizers may still run when the next attempt begins.
   * A plain function in the event loop cannot be stopped: one that ends late has ended all the same.
   * @default none
   */
  readonly timeout?: Duration.Input
  /**
   * What an executing task occupies of what its worker offers, e.g. `{ GPU: 1 }`, until nothing of it runs any more: without its slot
   * too. Amounts count to the thousandth.
   */
  readonly resources?: Readonly<Record<string, number>>
  /**
   * Where a body runs: in the worker's event loop, or in a thread of its own that can be ended.
   * A plain function that spins in the event loop blocks its worker, and only the end of the worker's process stops it.
   * @default "fiber" for Effects and async functions, "thread" for plain functions
   */
  readonly isolation?: Isolation
  /** Name of the larger piece of work this belongs to. */
  readonly span?: string
}

/** What one submission may say. Field by field the last `client.with` wins, then earlier ones, then the task's definition, then the defaults named here. */
export interface SubmitOptions extends TaskDefaults {
  /** For `map` a prefix: items get `${key}-${index}`. @default task name and a digest of code and arguments if pure, else a fresh one */
  readonly key?: string
  /** Names, addresses or hosts, as `inspect.workers` has them. @default any */
  readonly workers?: ReadonlyArray<string>
  /** `workers` is a wish, not a condition: others will do while none of them is connected that offers what is needed. @default false */
  readonly allowOtherWorkers?: boolean
  /** Free data, shown by `inspect.tasks`; 16 KiB encoded at most. */
  readonly annotations?: Readonly<Record<string, unknown>>
}

/** Options that have been looked at; what nobody said is missing. */
export interface CheckedOptions {
  readonly key?: string
  readonly pure?: boolean
  readonly priority?: number
  /** A number: without a delay. */
  readonly retries?: number | DelayedRetries
  readonly timeoutMs?: number
  readonly isolation?: Isolation
  readonly resources?: Resources
  readonly span?: string
  readonly workers?: ReadonlyArray<string>
  readonly allowOtherWorkers?: boolean
  /** Encoded. */
  readonly annotations?: Uint8Array
}

/** Repetitions, and when the next is made after an attempt has failed. Milliseconds; `maxDelayMs` may be infinite. */
export interface DelayedRetries {
  readonly times: number
  readonly delayMs: number
  readonly factor: number
  readonly maxDelayMs: number
}

/** Characters in a key at most. */
export const KEY_LIMIT = 4_096
/** Repetitions at most. */
export const RETRIES_LIMIT = 1_000_000

/** The options of a definition, or what is wrong with them. */
export const checkDefaults = (options: TaskDefaults): Result.Result<CheckedOptions, BadOption> => check(options, definable)

/** The options of a submission, or what is wrong with them. */
export const checkSubmit = (options: SubmitOptions): Result.Result<CheckedOptions, BadOption> => check(options, submittable)

const definable = ["pure", "priority", "retries", "timeout", "resources", "isolation", "span"]
const submittable = [...definable, "key", "workers", "allowOtherWorkers", "annotations"]

const check = (options: SubmitOptions, known: ReadonlyArray<string>): Result.Result<CheckedOptions, BadOption> => {
  const checked: Record<string, unknown> = {}
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined) continue
    const expected = known.includes(option)
      ? expectation(option, value)
      : oneOf(option, known)
    if (expected !== undefined) return Result.fail(new BadOption({ option, expected }))
    if (option === "retries") checked[option] = retriesOf(value as NonNullable<TaskDefaults["retries"]>)
    else if (option === "timeout") checked["timeoutMs"] = millisOf(value)
    else if (option === "annotations") checked[option] = Result.getOrThrow(Value.encode(value))
    // The user's own objects may change.
    else checked[option] = Array.isArray(value) ? [...value] : typeof value === "object" ? { ...value } : value
  }
  return Result.succeed(checked)
}

const oneOf = (option: string, known: ReadonlyArray<string>): string => {
  const meant = closest(option, known)
  return `one of ${known.join(", ")}${meant === undefined ? "" : `; did you mean \`${meant}\`?`}`
}

/** What the option should have been; undefined if it is. */
const expectation = (option: string, value: unknown): string | undefined => {
  switch (option) {
    case "pure":
      return typeof value === "boolean" ? undefined : "true or false"
    case "priority":
      return typeof value === "number" && Number.isFinite(value) ? undefined : "a finite number"
    case "isolation":
      return value === "fiber" || value === "thread" ? undefined : "\"fiber\" or \"thread\""
    case "key":
      return typeof value === "string" && value !== "" && value.length <= KEY_LIMIT ? undefined : `a text of 1 to ${KEY_LIMIT} characters`
    case "resources":
      return expectedResources(value)
    case "span":
      return isName(value) ? undefined : `a text of 1 to ${NAME_LIMIT} characters`
    case "workers":
      return Array.isArray(value) && value.length > 0 && value.length <= WORKERS_LIMIT && value.every(isName)
        ? undefined
        : `a list of 1 to ${WORKERS_LIMIT} names, addresses or hosts of workers`
    case "allowOtherWorkers":
      return typeof value === "boolean" ? undefined : "true or false"
    case "annotations":
      return annotations(value)
    case "timeout":
      return (millisOf(value) ?? 0) > 0 ? undefined : "a length of time above zero, such as \"30 seconds\""
    default: // retries
      return repetitions(value)
  }
}

const isName = (value: unknown): boolean => typeof value === "string" && value !== "" && value.length <= NAME_LIMIT

const annotations = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "data by name, such as { ticket: 7 }"
  const encoded = Value.encode(value)
  if (Result.isFailure(encoded)) return `data, found ${encoded.failure.found} at ${showPath(encoded.failure.path)}`
  const { length } = encoded.success
  return length <= ANNOTATIONS_LIMIT ? undefined : `at most ${ANNOTATIONS_LIMIT} bytes when it is encoded, found ${length}`
}

const repetitions = (value: unknown): string | undefined => {
  const isCount = (n: unknown) => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= RETRIES_LIMIT
  if (isCount(value)) return undefined
  if (typeof value !== "object" || value === null || !("times" in value)) return `a whole number from 0 to ${RETRIES_LIMIT}, or { times, delay, factor, maxDelay }`
  const { delay, factor, maxDelay, times, ...others } = value as Readonly<Record<string, unknown>>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) return `{ times, delay, factor, maxDelay }, without ${unknown}`
  if (!isCount(times)) return `\`times\` to be a whole number from 0 to ${RETRIES_LIMIT}`
  if (delay === undefined && (factor !== undefined || maxDelay !== undefined)) return "a `delay` where there is a `factor` or a `maxDelay`"
  if (delay !== undefined && !Number.isFinite(millisOf(delay))) return "`delay` to be a length of time, such as \"5 seconds\""
  if (factor !== undefined && !(typeof factor === "number" && factor >= 1 && factor < Infinity)) return "`factor` to be a number from 1"
  if (maxDelay !== undefined && millisOf(maxDelay) === undefined) return "`maxDelay` to be a length of time, such as \"1 minute\""
  return undefined
}

/** Of options that have been found to be right. */
const retriesOf = (retries: NonNullable<TaskDefaults["retries"]>): number | DelayedRetries => {
  if (typeof retries === "number") return retries
  const { delay, factor = 2, maxDelay, times } = retries
  const delayMs = millisOf(delay) ?? 0
  return delayMs === 0 ? times : { times, delayMs, factor, maxDelayMs: millisOf(maxDelay) ?? Infinity }
}

/** Undefined if it is no length of time. */
const millisOf = (value: unknown): number | undefined => {
  // What it is not it says itself.
  const millis = Option.map(Duration.fromInput(value as Duration.Input), Duration.toMillis)
  return Option.isSome(millis) && millis.value >= 0 ? millis.value : undefined
}
