/**
 * How a task can end without a value: as its users see it, and as it travels.
 *
 * What the task itself failed with stays its own error. Everything else that can
 * happen to a key is one `TaskError` with a reason, so that a program handles
 * one tag and asks for reasons where it cares. Where the failure was raised is an
 * annotation of its cause (`TaskOrigin`), because a dependent fails with the
 * very cause of the task it needed.
 *
 * The scheduler passes a `Failure` on. What a body raised is opaque to it
 * (`Raised`, see Raised.ts), for it may be any value of any user's class.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { submitCodes, taskCodes } from "./ErrorCodes.ts"

/** One attempt at a task that ended its worker or the task. */
export const Attempt = Schema.Struct({
  /** The worker's name. */
  worker: Schema.String,
  /** Since 1970. */
  startedAtMs: Schema.Number,
  endedAtMs: Schema.Number,
  ended: Schema.Literals(["failed", "timeout", "exit", "signal", "memory-limit", "heartbeat", "closed"]),
  /** In words: the error, the exit code, the signal. */
  detail: Schema.String,
  peakMemoryBytes: Schema.Option(Schema.Number),
  /** What the worker might have had, if it had a limit. */
  memoryLimitBytes: Schema.optionalKey(Schema.Number),
  /** The last lines that the worker wrote. */
  logTail: Schema.Array(Schema.String)
})
export interface Attempt extends Schema.Schema.Type<typeof Attempt> {}

const attempts = { attempts: Schema.Array(Attempt) }

/** The function threw, or failed outside its declared error channel. `cause` is the remote error, `remoteStack` its stack. */
export class TaskDefect extends Schema.TaggedError<TaskDefect>()("TaskDefect", {
  cause: Schema.Defect(),
  remoteStack: Schema.String,
  worker: Schema.String,
  ...attempts
}) {
  override get message() {
    const notRun = codeUnknown(this.cause)
    if (notRun !== undefined) return `did not run: ${notRun.detail}`
    // With no worker it was raised by the client, which could not have the value.
    const where = this.worker === "" ? "cannot be had here" : `threw on ${this.worker}`
    return [`${where}: ${describeThrown(this.cause)}`, ...usersFrames(this.remoteStack)].join("\n")
  }
}

/** `by`: the name of the client that cancelled it, `note`: what it said. */
export class TaskCancelled extends Schema.TaggedError<TaskCancelled>()("TaskCancelled", {
  by: Schema.String,
  note: Schema.Option(Schema.String),
  /** Since 1970, by the scheduler's clock. */
  atMs: Schema.optionalKey(Schema.Number)
}) {
  override get message() {
    // The time and not how long ago that is: a text may be read long after it was written.
    const when = this.atMs === undefined ? "" : ` at ${timeOf(this.atMs)}`
    const note = Option.match(this.note, { onNone: () => "", onSome: (text) => `: "${text}"` })
    return `was cancelled by client "${this.by}"${when}${note}\n  fix  submit it again, or \`future.retry\``
  }
}

/** No attempt was done within the task's limit. */
export class TaskTimeout extends Schema.TaggedError<TaskTimeout>()("TaskTimeout", {
  limit: Schema.Duration,
  ...attempts
}) {
  override get message() {
    return `ran longer than its limit of ${Duration.format(this.limit)}${attemptTable(this.attempts)}\n` +
      "  fix  a longer `timeout`, or smaller pieces of work"
  }
}

/** Dask's KilledWorker: the task ended `allowedFailures + 1` workers while executing on them. */
export class KilledWorker extends Schema.TaggedError<KilledWorker>()("KilledWorker", attempts) {
  override get message() {
    const { length } = this.attempts
    return `was stopped after ${count(length, "attempt")}, each ended its worker (allowedFailures: ${Math.max(0, length - 1)})` +
      `${attemptTable(this.attempts)}${lastLines(this.attempts)}\n` +
      "  fix 1  smaller pieces of work, or more memory for each worker: `memoryLimit`\n  fix 2  a body that does not end its process"
  }
}

/** Nobody connected can run it, for `noWorkersTimeout`. */
export class NoEligibleWorker extends Schema.TaggedError<NoEligibleWorker>()("NoEligibleWorker", {
  wanted: Schema.String,
  offers: Schema.Array(Schema.String)
}) {
  override get message() {
    return `found no connected worker that offers ${this.wanted}\n  offers: ${this.offers.join("   ") || "none"}\n` +
      "  fix  start a worker that offers it"
  }
}

/** Scattered data, all of whose replicas are gone; or a key that was asked for by its name, and that nobody knows. */
export class DataLost extends Schema.TaggedError<DataLost>()("DataLost", {
  /** Nobody has submitted the key, or all who had have released it. */
  unknown: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    if (this.unknown === true) {
      return "is not known to the scheduler: nobody has submitted it, or all who had have released it\n" +
        "  A result is kept as long as some client holds a future of it.\n" +
        "  fix 1  look at the key again: `client.inspect.tasks()` lists them all\n" +
        "  fix 2  hold a future of it until others have theirs"
    }
    return "was data, not computed by a task, and the last worker that held it is gone\n  fix  scatter it again, and what failed for want of it goes on: `client.scatter(value)`"
  }
}

/** The body returned what cannot travel, at `path`; the task ran, its result is not kept. */
export class ResultInvalid extends Schema.TaggedError<ResultInvalid>()("ResultInvalid", {
  path: Schema.Array(Schema.String),
  found: Schema.String,
  worker: Schema.String
}) {
  override get message() {
    return `finished but its result cannot leave ${this.worker}\n  at ${showPath(this.path)}: ${this.found} has no encoding\n` +
      "  Results are stored and may be moved between workers, so they must be data.\n" +
      "  fix 1  return what you need from it\n" +
      "  fix 2  add a Schema: `Task.make(name, { success })` or `Task.fn(name, body, { success })`; of a class, `Portable.register(TheClass, schema)`"
  }
}

/** Another computation has this key. A conflict that the client itself can see fails `submit`, one with another client's key fails the future. */
export class KeyConflict extends Schema.TaggedError<KeyConflict>()("KeyConflict", {
  key: Schema.String,
  heldBy: Schema.String
}) {
  override get message() {
    return `the key "${this.key}" belongs to another computation, submitted by ${this.heldBy}\n` +
      "  One key is one computation, for everybody on the cluster.\n" +
      "  fix 1  another `key`\n  fix 2  no `key`: a pure task's key is made from its code and arguments"
  }
}

/** The scheduler takes no more at present: its memory is nearly full. What it has taken before goes on. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", { retryAfter: Schema.Duration }) {
  override get message() {
    return "the scheduler takes no more at present: its memory is nearly full\n  What it has taken before goes on, and nothing of it is lost.\n" +
      `  fix 1  release futures that are not needed any more, and submit this again, in ${Duration.format(this.retryAfter)} or later\n` +
      "  fix 2  fewer tasks at once, or less in their arguments: all of it is kept until the task is released\n" +
      "  fix 3  more memory for the scheduler: `schedulerHeap` of LocalCluster, or `node --max-old-space-size`"
  }
}

/** The scheduler went away and did not come back within the client's `resumeTimeout`. An error of its own, and a reason of others. */
export class SchedulerLost extends Schema.TaggedError<SchedulerLost>()("SchedulerLost", {
  code: Schema.String,
  address: Schema.String
}) {
  override get message() {
    return `${this.code} the scheduler at ${this.address} is gone\n` +
      "  The session with it ended, and with it everything this client had submitted.\n" +
      "  fix 1  see whether its process still runs, and build the client again\n" +
      "  fix 2  a longer `resumeTimeout`, if the network is often away for so long"
  }

  /** With the code that belongs to it. */
  static at(address: string): SchedulerLost {
    return new SchedulerLost({ code: submitCodes.SchedulerLost, address })
  }
}

const TaskReason = Schema.Union([
  TaskDefect, TaskCancelled, TaskTimeout, KilledWorker, NoEligibleWorker, DataLost, ResultInvalid, KeyConflict, Overloaded,
  SchedulerLost
])
export type TaskReason = typeof TaskReason.Type

/** What the cluster, not the task's own error channel, did to a key; `Effect.catchReason("TaskError", "KilledWorker", …)`. */
export class TaskError extends Schema.TaggedError<TaskError>()("TaskError", {
  /** The documented SKEINnnnn. */
  code: Schema.String,
  key: Schema.String,
  /** The task's name. */
  task: Schema.String,
  reason: TaskReason
}) {
  override get message() {
    return `${this.code} ${this.key} ${this.reason.message}`
  }

  /** With the code that belongs to the reason, or that the worker gave which could not run it. */
  static because(reason: TaskReason, of: { readonly key: string; readonly task: string }): TaskError {
    const code = reason._tag === "TaskDefect" ? codeUnknown(reason.cause)?.code : undefined
    return new TaskError({ code: code ?? taskCodes[reason._tag], key: of.key, task: of.task, reason })
  }
}

/**
 * Where a task's failure was raised, at its dependents too: an annotation of the
 * cause, `Context.getOption(Cause.annotations(cause), TaskOrigin)`.
 */
export class TaskOrigin extends Context.Service<TaskOrigin, {
  readonly key: string
  readonly task: string
  readonly worker: string
  /** 1 for the first. */
  readonly attempt: number
  readonly remoteStack: string
}>()("skein/TaskOrigin") {}

/** Why a task has no value, as the scheduler tells it. */
export const Failure = Schema.TaggedUnion({
  /** The body failed or threw, or its result cannot travel; `encodeRaised` wrote it. `before`: the attempts that came before, if there were any. */
  Raised: { body: Schema.Uint8Array, before: Schema.optionalKey(Schema.Array(Attempt)) },
  /** `by`: the client's name. */
  Cancelled: { by: Schema.String, note: Schema.NullOr(Schema.String), atMs: Schema.optionalKey(Schema.Number) },
  /** `attempt`: the number of the last, of which not all may be remembered. */
  Killed: { ...attempts, attempt: Schema.optionalKey(Schema.Number) },
  TimedOut: { limitMs: Schema.Number, ...attempts, attempt: Schema.optionalKey(Schema.Number) },
  Unrunnable: { wanted: Schema.String, offers: Schema.Array(Schema.String) },
  /** The scheduler has no room for it, and may have some after `retryMs`. */
  Refused: { retryMs: Schema.Number },
  /** `heldBy`: the name of a client that has the key, or what it is. */
  Conflict: { heldBy: Schema.String },
  Lost: {},
  /** Nobody has submitted the key that a client asked for, or nobody holds it any more. */
  Unknown: {}
})
export type Failure = typeof Failure.Type

/** A path inside a value, as a reader would write it: `["connection"]["socket"]`. */
export const showPath = (path: ReadonlyArray<string>): string =>
  path.length === 0 ? "the value itself" : path.map((part) => `["${part}"]`).join("")

/** A worker's `CodeUnknown`, which arrives as an error of that name: its code, and what comes after it. */
const codeUnknown = (thrown: unknown): { readonly code: string; readonly detail: string } | undefined => {
  const [, code, detail] = thrown instanceof Error && thrown.name === "CodeUnknown" ? /^(SKEIN\d{4}) ([^]*)$/.exec(thrown.message) ?? [] : []
  return code === undefined || detail === undefined ? undefined : { code, detail }
}

/** A time of the day, as it is everywhere at once; none for what is no time. */
const timeOf = (atMs: number): string => Number.isFinite(atMs) && Math.abs(atMs) < 8e15 ? `${new Date(atMs).toISOString().slice(11, 19)} UTC` : "an unknown time"

/** What a body threw or failed with, in words. Total: it may be data that has no text of its own, such as `{ toString: 1 }`. */
export const describeThrown = (thrown: unknown): string => {
  try {
    if (thrown instanceof Error) return thrown.message === "" ? thrown.name : `${thrown.name}: ${thrown.message}`
    if (typeof thrown === "string") return thrown
    return JSON.stringify(thrown, (_, part: unknown) => typeof part === "bigint" ? `${part}n` : part) ?? String(thrown)
  } catch {
    return "something that cannot be read"
  }
}

/** A row for each attempt, in columns as wide as they need to be; the last is there if any attempt says what memory it took. */
const attemptTable = (all: ReadonlyArray<Attempt>): string => {
  if (all.length === 0) return ""
  const rows = all.map((attempt, i) => [
    String(i + 1), attempt.worker, lasted(attempt.endedAtMs - attempt.startedAtMs), attempt.detail === "" ? attempt.ended : attempt.detail, peakOf(attempt)
  ])
  const table = [["#", "worker", "ran", "ended", rows.some(([, , , , peak]) => peak !== "") ? "peak memory" : ""], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) => `\n  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()}`).join("")
}

const lasted = (ms: number): string =>
  ms < 1_000 ? `${Math.max(0, Math.round(ms))} ms` : ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`

const peakOf = ({ memoryLimitBytes, peakMemoryBytes }: Attempt): string =>
  Option.match(peakMemoryBytes, {
    onNone: () => "",
    onSome: (bytes) => `${size(bytes)}${memoryLimitBytes === undefined ? "" : ` of ${size(memoryLimitBytes)}`}`
  })

const size = (bytes: number): string => bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** What the latest worker wrote last, of those that wrote anything. */
const lastLines = (all: ReadonlyArray<Attempt>): string => {
  const latest = all.findLast(({ logTail }) => logTail.length > 0)
  return latest === undefined ? "" : `\n  last lines of ${latest.worker}:${latest.logTail.slice(-3).map((line) => `\n    ${line.slice(0, 200)}`).join("")}`
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

/**
 * The lines of a stack that are the user's: neither the runtime's, nor Effect's, nor ours, be it as packages or linked into the image that
 * workers begin with. `remoteStack` has them all.
 */
const usersFrames = (stack: string): ReadonlyArray<string> =>
  stack.split("\n").filter((line) => /^\s+at /.test(line) && !/\bnode:|\/node_modules\/(effect|@effect|@skein)\/|\/packages\/(protocol|runtime|transport|core)\/src\/|\/skein-image\.cjs:/.test(line))
    .map((line) => `    ${line.trim()}`)
