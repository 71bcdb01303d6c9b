/**
 * What a body raised, on its way from the worker that ran it to everybody who waits for the task.
 *
 * The worker writes it once and nobody in between reads it. It always arrives:
 * an error that cannot travel whole, because a field of it is a socket or it is
 * too long, arrives as its name, message, tag and stack, for half an error says
 * more than an error about an error. (With results it is the other way round:
 * half a result is a wrong one.)
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { type Attempt, DataLost, describeThrown, type Failure, KeyConflict, KilledWorker, NoEligibleWorker, Overloaded, ResultInvalid, TaskCancelled, TaskDefect, TaskError,
  TaskOrigin, type TaskReason, TaskTimeout } from "./Failure.ts"
import * as Value from "./Value.ts"

/** How a run of a body ended without a value. */
export type Raised =
  /** The task's own error channel. A `Value.Named` travels under the name of its codec. */
  | { readonly _tag: "Error"; readonly error: unknown }
  /** It threw, or died. */
  | { readonly _tag: "Defect"; readonly defect: unknown }
  /** It returned what cannot travel. */
  | { readonly _tag: "ResultInvalid"; readonly path: ReadonlyArray<string>; readonly found: string }

/** The run that raised it. */
export interface RaisedBy {
  /** The worker's name. */
  readonly worker: string
  /** 1 for the first. */
  readonly attempt: number
  /** Since 1970. */
  readonly startedAtMs: number
  readonly endedAtMs: number
}

/** The task that failed first, and how this process decodes what travels under a name. */
export interface RaisedAt {
  readonly key: string
  readonly task: string
  readonly named?: Value.DecodeOptions["named"]
}

/** Bytes of one error at most, encoded; of a longer one, name, message and stack arrive. */
export const ERROR_LIMIT_BYTES = 1 << 20
/** Characters that are kept of a message or stack that is cut. Dask: `admin.max-error-length`. */
export const ERROR_LIMIT_CHARACTERS = 10_000

/** What a cause says of a body's end: its first error, or else its first defect. None: it was interrupted, and nothing else. */
export const fromCause = (cause: Cause.Cause<unknown>): Option.Option<Raised> => {
  const error = cause.reasons.find(Cause.isFailReason)
  if (error !== undefined) return Option.some({ _tag: "Error", error: error.error })
  const defect = cause.reasons.find(Cause.isDieReason)
  return defect === undefined ? Option.none() : Option.some({ _tag: "Defect", defect: defect.defect })
}

/** The opaque body of a `Failure` of the case Raised. Total. */
export const encodeRaised = (raised: Raised, by: RaisedBy): Uint8Array => {
  const run = [by.worker, by.attempt, by.startedAtMs, by.endedAtMs] as const
  if (raised._tag === "ResultInvalid") {
    return Result.getOrThrow(Value.encode(["ResultInvalid", run, "", [raised.path, raised.found]]))
  }
  const thrown = raised._tag === "Error" ? raised.error : raised.defect
  const stack = stackOf(thrown)
  const whole = Value.encode([raised._tag, run, stack, thrown], { limitBytes: ERROR_LIMIT_BYTES })
  return Result.isSuccess(whole) ? whole.success : Result.getOrThrow(Value.encode([raised._tag, run, cut(stack), gist(thrown)]))
}

/**
 * The cause that everybody sees who waits for the task or for one that depends
 * on it: the task's own error, or a `TaskError`, annotated with `TaskOrigin`.
 */
export const decodeFailure = (failure: Failure, at: RaisedAt): Cause.Cause<unknown> => {
  const error = (reason: TaskReason, run?: Partial<RaisedBy>, stack = "") => annotated(Cause.fail(TaskError.because(reason, at)), at, run, stack)
  switch (failure._tag) {
    case "Raised":
      return decodeRaised(failure.body, at, failure.before ?? [])
    case "Cancelled":
      return error(new TaskCancelled({
        by: failure.by,
        note: Option.fromNullishOr(failure.note),
        ...(failure.atMs === undefined ? {} : { atMs: failure.atMs })
      }))
    case "Killed":
      return error(new KilledWorker({ attempts: failure.attempts }), lastOf(failure))
    case "TimedOut":
      return error(new TaskTimeout({ limit: Duration.millis(failure.limitMs), attempts: failure.attempts }), lastOf(failure))
    case "Unrunnable":
      return error(new NoEligibleWorker({ wanted: failure.wanted, offers: failure.offers }))
    case "Refused":
      return error(new Overloaded({ retryAfter: Duration.millis(failure.retryMs) }))
    case "Conflict":
      return error(new KeyConflict({ key: at.key, heldBy: failure.heldBy }))
    case "Lost":
      return error(new DataLost({}))
    case "Unknown":
      return error(new DataLost({ unknown: true }))
  }
}

const decodeRaised = (body: Uint8Array, at: RaisedAt, before: ReadonlyArray<Attempt>): Cause.Cause<unknown> => {
  const decoded = Value.decode(body, at.named === undefined ? {} : { named: at.named })
  const defect = (cause: unknown, by: RaisedBy, remoteStack: string) =>
    annotated(
      Cause.fail(TaskError.because(new TaskDefect({ cause, remoteStack, worker: by.worker, attempts: [...before, attemptOf(by, cause)] }), at)),
      at,
      by,
      remoteStack
    )
  if (Result.isFailure(decoded)) return defect(decoded.failure, nobody, "")
  if (!isBody(decoded.success)) return defect(new Error("the worker's report of a failure makes no sense"), nobody, "")
  const [kind, [worker, attempt, startedAtMs, endedAtMs], stack, thrown] = decoded.success
  const by: RaisedBy = { worker, attempt, startedAtMs, endedAtMs }
  if (kind === "Error") return annotated(Cause.fail(thrown), at, by, stack)
  if (kind === "Defect") return defect(thrown, by, stack)
  const [path, found] = thrown as readonly [ReadonlyArray<string>, string]
  return annotated(Cause.fail(TaskError.because(new ResultInvalid({ path, found, worker }), at)), at, by, stack)
}

const nobody: RaisedBy = { worker: "", attempt: 0, startedAtMs: 0, endedAtMs: 0 }

const annotated = (cause: Cause.Cause<unknown>, at: RaisedAt, by: Partial<RaisedBy> | undefined, remoteStack: string): Cause.Cause<unknown> =>
  Cause.annotate(
    cause,
    Context.make(TaskOrigin, { key: at.key, task: at.task, worker: by?.worker ?? "", attempt: by?.attempt ?? 0, remoteStack }),
    // An error that failed a task here before says so; this is about the task at hand.
    { overwrite: true }
  )

const lastOf = ({ attempt, attempts }: Extract<Failure, { readonly _tag: "Killed" | "TimedOut" }>): Partial<RaisedBy> => ({
  worker: attempts.at(-1)?.worker ?? "",
  attempt: attempt ?? attempts.length
})

const attemptOf = (by: RaisedBy, thrown: unknown): Attempt => ({
  worker: by.worker,
  startedAtMs: by.startedAtMs,
  endedAtMs: by.endedAtMs,
  ended: "failed",
  detail: cut(describeThrown(thrown), 200),
  peakMemoryBytes: Option.none(),
  logTail: []
})

type Body = readonly [
  kind: Raised["_tag"],
  run: readonly [worker: string, attempt: number, startedAtMs: number, endedAtMs: number],
  stack: string,
  thrown: unknown
]

/** Workers are trusted with their results, but a message of another version must not look like one of ours. */
const isBody = (value: unknown): value is Body => {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [kind, run, stack, thrown] = value as ReadonlyArray<unknown>
  const isText = (part: unknown) => typeof part === "string"
  return (kind === "Error" || kind === "Defect" ||
    (kind === "ResultInvalid" && Array.isArray(thrown) && Array.isArray(thrown[0]) && thrown[0].every(isText) && isText(thrown[1]))) &&
    isText(stack) && Array.isArray(run) && isText(run[0]) && run.slice(1).every((part) => typeof part === "number") && run.length === 4
}

const stackOf = (thrown: unknown): string => {
  try {
    return thrown instanceof Error && typeof thrown.stack === "string" ? thrown.stack : ""
  } catch {
    return ""
  }
}

/** What is left of something that cannot travel whole. Total: what is thrown may be made to throw when looked at. */
const gist = (thrown: unknown): unknown => {
  try {
    if (thrown instanceof Value.Named) return gist(thrown.encoded)
    if (thrown instanceof Error || (typeof thrown === "object" && thrown !== null && "message" in thrown)) {
      const { message, name, _tag } = thrown as { readonly message: unknown; readonly name?: unknown; readonly _tag?: unknown }
      const error = new Error(cut(String(message)))
      error.name = typeof name === "string" ? cut(name, 200) : "Error"
      error.stack = cut(stackOf(thrown))
      return typeof _tag === "string" ? Object.assign(error, { _tag: cut(_tag, 200) }) : error
    }
    return cut(String(thrown))
  } catch {
    return "something that cannot be read"
  }
}

const cut = (text: string, limit = ERROR_LIMIT_CHARACTERS): string => text.length <= limit ? text : `${text.slice(0, limit)}…`
