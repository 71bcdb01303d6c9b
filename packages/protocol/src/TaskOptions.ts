/**
 * What a definition says about all its tasks, and what one submission may say.
 *
 * An option that is not built yet is refused, and so is one that is misspelt: an
 * option that was accepted and ignored would be believed.
 */
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { BadOption } from "./Errors.ts"
import type { Isolation } from "./Ids.ts"

/** What a definition may say about all its tasks. */
export interface TaskDefaults {
  /** Equal calls share one key and one result. @default true */
  readonly pure?: boolean
  /** Higher first. @default 0 */
  readonly priority?: number
  /** How often a failed attempt is repeated. A delay between attempts is refused by this version. @default 0 */
  readonly retries?: number | {
    readonly times: number
    readonly delay?: Duration.Input
    readonly factor?: number
    readonly maxDelay?: Duration.Input
  }
  /** Limit on one attempt's running time. Refused by this version. @default none */
  readonly timeout?: Duration.Input
  /** What an executing task occupies, e.g. `{ GPU: 1 }`. Refused by this version. */
  readonly resources?: Readonly<Record<string, number>>
  /**
   * Where a body runs: in the worker's event loop, or in a thread of its own that can be ended.
   * A plain function that spins in the event loop blocks its worker, and only the end of the worker's process stops it.
   * @default "fiber" for Effects and async functions, "thread" for plain functions
   */
  readonly isolation?: Isolation
  /** Name of the larger piece of work this belongs to. Refused by this version. */
  readonly span?: string
}

/** What one submission may say. Field by field the last `client.with` wins, then earlier ones, then the task's definition, then the defaults named here. */
export interface SubmitOptions extends TaskDefaults {
  /** For `map` a prefix: items get `${key}-${index}`. @default task name and a digest of code and arguments if pure, else a fresh one */
  readonly key?: string
  /** Names, addresses or hosts. Refused by this version. @default any */
  readonly workers?: ReadonlyArray<string>
  /** `workers` is a wish, not a condition. Refused by this version. @default false */
  readonly allowOtherWorkers?: boolean
  /** Free data, shown to plugins and on the dashboard. Refused by this version. */
  readonly annotations?: Readonly<Record<string, unknown>>
}

/** Options that have been looked at; what nobody said is missing. */
export interface CheckedOptions {
  readonly key?: string
  readonly pure?: boolean
  readonly priority?: number
  readonly retries?: number
  readonly isolation?: Isolation
}

/** Characters in a key at most. */
export const KEY_LIMIT = 4_096
/** Repetitions at most. */
export const RETRIES_LIMIT = 1_000_000

/** The options of a definition, or what is wrong with them. */
export const checkDefaults = (options: TaskDefaults): Result.Result<CheckedOptions, BadOption> => check(options, definable)

/** The options of a submission, or what is wrong with them. */
export const checkSubmit = (options: SubmitOptions): Result.Result<CheckedOptions, BadOption> => check(options, submittable)

const notYet = ["timeout", "resources", "span", "workers", "allowOtherWorkers", "annotations"]
const definable = ["pure", "priority", "retries", "isolation"]
const submittable = [...definable, "key"]

const check = (options: SubmitOptions, known: ReadonlyArray<string>): Result.Result<CheckedOptions, BadOption> => {
  const checked: Record<string, unknown> = {}
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined) continue
    const expected = notYet.includes(option)
      ? "nothing, for this version does not support it yet"
      : known.includes(option)
      ? expectation(option, value)
      : `one of ${known.join(", ")}`
    if (expected !== undefined) return Result.fail(new BadOption({ option, expected }))
    checked[option] = option === "retries" && typeof value === "object" ? (value as { readonly times: number }).times : value
  }
  return Result.succeed(checked)
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
    default: // retries
      return repetitions(value)
  }
}

const repetitions = (value: unknown): string | undefined => {
  const isCount = (n: unknown) => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= RETRIES_LIMIT
  if (isCount(value)) return undefined
  if (typeof value === "object" && value !== null && "times" in value && isCount(value.times)) {
    const delays = Object.keys(value).filter((name) => name !== "times")
    return delays.length === 0 ? undefined : `a number without ${delays.join(", ")}, for this version repeats at once only`
  }
  return `a whole number from 0 to ${RETRIES_LIMIT}`
}
