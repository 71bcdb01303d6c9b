/**
 * A nanny's whole behaviour, as one pure function.
 *
 * Stopped → starting → running → (crash) → backing off → starting …
 * A crash beyond `intensity` within the period gives up. An end that somebody
 * asked for is no crash: it is not counted, and nothing is waited for.
 *
 * Source: dask.distributed `nanny.py` (`Nanny`, `WorkerProcess`, `_on_worker_exit`),
 * with OTP's intensity instead of restarting for ever.
 */
import * as Option from "effect/Option"
import type { RunId } from "@skein/protocol/Ids"
import type { ExitReport } from "@skein/protocol/NannyRpcs"
import type { Command } from "./Command.ts"
import { Event, type Of } from "./Event.ts"
import { MEMORY_RATIO, processId, runsBound, type State, type Status, type Wish } from "./State.ts"

/** The next state, and what to do about it, in order. */
export interface Step {
  readonly state: State
  readonly commands: ReadonlyArray<Command>
}

/** Applies events in order. Total: one that no longer applies changes nothing. A batch is the fold of its single events. */
export const reduce = (state: State, events: ReadonlyArray<Event>): Step => {
  const commands: Array<Command> = []
  for (const event of events) {
    const step = apply(state, event)
    state = step.state
    commands.push(...step.commands)
  }
  return { state, commands }
}

const apply = (state: State, event: Event): Step =>
  Event.match(event, {
    StartRequested: (event) => onStartRequested(state, event),
    StopRequested: (event) => onStopRequested(state, event),
    EndRequested: (event) => endAtOnce(state, { ended: event.ended, detail: event.detail }),
    Spawned: (event) => onSpawned(state, event),
    SpawnFailed: (event) => onSpawnFailed(state, event),
    ReadyNoticed: (event) => onReadyNoticed(state, event),
    RunStartNoticed: (event) => onRunStartNoticed(state, event),
    RunEndNoticed: (event) => onRunEndNoticed(state, event),
    MemoryMeasured: (event) => onMemoryMeasured(state, event),
    EndMeNoticed: (event) => onEndMeNoticed(state, event),
    Exited: (event) => onExited(state, event),
    Ticked: (event) => onTicked(state, event)
  })

const unchanged = (state: State): Step => ({ state, commands: [] })

const move = (state: State, status: Status, ...commands: ReadonlyArray<Command>): Step => ({
  state: { ...state, status },
  commands
})

const signal = (state: State, signal: "SIGTERM" | "SIGKILL"): Command => ({ _tag: "Signal", life: state.life, signal })

/** Starts the child, whatever its past: whoever asks by hand knows of the crashes. */
const onStartRequested = (state: State, event: Of<"StartRequested">): Step => {
  const { status } = state
  if (status._tag === "Starting" || status._tag === "Running") return unchanged(state)
  if (status._tag === "Stopping") return move(state, { ...status, then: "restart" })
  return begin({ ...state, crashes: [] }, event.at)
}

const begin = (before: State, at: number): Step => {
  const state = { ...before, life: before.life + 1, runs: [] }
  const readyBy = at + state.policy.readyWithinMs
  return move(
    state,
    { _tag: "Starting", pid: Option.none(), ready: false, readyBy },
    { _tag: "Spawn", life: state.life, process: processId(state) },
    { _tag: "Wake", at: readyBy }
  )
}

const onStopRequested = (state: State, event: Of<"StopRequested">): Step => {
  const { status } = state
  if (status._tag === "Stopped" || status._tag === "GivenUp") return unchanged(state)
  if (status._tag === "BackingOff") return move(state, { _tag: "Stopped" })
  if (status._tag === "Stopping") return move(state, { ...status, then: "stop" })
  const killAt = event.at + state.policy.stopWithinMs
  const pid = status._tag === "Running" ? Option.some(status.pid) : status.pid
  return move(
    state,
    {
      _tag: "Stopping",
      pid,
      killAt: Option.some(killAt),
      wish: { ended: "closed", detail: "it was stopped" },
      then: "stop"
    },
    ...(Option.isSome(pid) ? [signal(state, "SIGTERM")] : []),
    { _tag: "Wake", at: killAt }
  )
}

/** Kills the child. One that was stopping in order loses its patience, but still stays away afterwards. */
const endAtOnce = (state: State, wish: Wish): Step => {
  const { status } = state
  if (status._tag === "Stopping" && Option.isNone(status.killAt)) return unchanged(state)
  if (status._tag !== "Starting" && status._tag !== "Running" && status._tag !== "Stopping") return unchanged(state)
  const pid = status._tag === "Running" ? Option.some(status.pid) : status.pid
  return move(
    state,
    {
      _tag: "Stopping",
      pid,
      killAt: Option.none(),
      wish,
      then: status._tag === "Stopping" ? status.then : "restart"
    },
    ...(Option.isSome(pid) ? [signal(state, "SIGKILL")] : [])
  )
}

const onSpawned = (state: State, event: Of<"Spawned">): Step => {
  if (event.life !== state.life) return unchanged(state)
  const { status } = state
  if (status._tag === "Starting") {
    return status.ready
      ? move(state, { _tag: "Running", pid: event.pid, readyAt: event.at })
      : move(state, { ...status, pid: Option.some(event.pid) })
  }
  if (status._tag !== "Stopping") return unchanged(state)
  const due = signal(state, Option.isSome(status.killAt) ? "SIGTERM" : "SIGKILL")
  return move(state, { ...status, pid: Option.some(event.pid) }, due)
}

/** No process came to be, so there is nothing to report; but it counts as a crash. */
const onSpawnFailed = (state: State, event: Of<"SpawnFailed">): Step => {
  if (event.life !== state.life) return unchanged(state)
  if (state.status._tag === "Starting") return crashed(state, event.at, event.draw, event.detail)
  return state.status._tag === "Stopping" ? afterWish(state, state.status, event) : unchanged(state)
}

const onReadyNoticed = (state: State, event: Of<"ReadyNoticed">): Step => {
  const { status } = state
  if (event.life !== state.life || status._tag !== "Starting") return unchanged(state)
  if (Option.isNone(status.pid)) return move(state, { ...status, ready: true })
  return move(state, { _tag: "Running", pid: status.pid.value, readyAt: event.at })
}

const onRunStartNoticed = (state: State, event: Of<"RunStartNoticed">): Step =>
  event.life === state.life && !isNoted(state, event.run)
    ? unchanged({ ...state, runs: [...state.runs, { run: event.run, at: event.at }].slice(-runsBound) })
    : unchanged(state)

const onRunEndNoticed = (state: State, event: Of<"RunEndNoticed">): Step =>
  event.life === state.life && isNoted(state, event.run)
    ? unchanged({ ...state, runs: state.runs.filter(({ run }) => run !== event.run) })
    : unchanged(state)

const isNoted = (state: State, id: RunId): boolean => state.runs.some(({ run }) => run === id)

/** A process that has nearly reached its limit would soon be ended by the kernel, and perhaps another in its place. */
const onMemoryMeasured = (state: State, event: Of<"MemoryMeasured">): Step => {
  const { memoryLimitBytes } = state.policy
  if (event.life !== state.life || memoryLimitBytes === null || event.bytes <= MEMORY_RATIO * memoryLimitBytes) return unchanged(state)
  return endAtOnce(state, { ended: "memory-limit", detail: `exceeded ${100 * MEMORY_RATIO} % of its memory limit, nanny stop` })
}

const onEndMeNoticed = (state: State, event: Of<"EndMeNoticed">): Step =>
  event.life === state.life ? endAtOnce(state, { ended: "closed", detail: event.reason }) : unchanged(state)

const onExited = (state: State, event: Of<"Exited">): Step => {
  const { status } = state
  if (event.life !== state.life) return unchanged(state)
  if (status._tag !== "Starting" && status._tag !== "Running" && status._tag !== "Stopping") return unchanged(state)
  const report: Command = { _tag: "Report", report: compose(state, event) }
  const next = status._tag === "Stopping" && status.wish.ended !== "crash"
    ? afterWish({ ...state, runs: [] }, status, event)
    : afterExit({ ...state, runs: [] }, event)
  return { state: next.state, commands: [report, ...next.commands] }
}

/** It ended on its own account, or was killed for misbehaving. */
const afterExit = (state: State, event: Of<"Exited">): Step => {
  const { restart } = state.policy
  const stays = restart === "temporary" || (restart === "transient" && event.code === 0)
  if (stays || (state.status._tag === "Stopping" && state.status.then === "stop")) return move(state, { _tag: "Stopped" })
  return crashed(state, event.at, event.draw, inWords(event))
}

/** It ended as somebody wished. */
const afterWish = (
  state: State,
  status: Extract<Status, { readonly _tag: "Stopping" }>,
  event: { readonly at: number; readonly draw: number }
): Step => {
  if (status.then === "stop") return move(state, { _tag: "Stopped" })
  if (status.wish.ended === "closed") return begin(state, event.at)
  return crashed(state, event.at, event.draw, status.wish.detail)
}

const crashed = (state: State, at: number, draw: number, detail: string): Step => {
  const { policy } = state
  const crashes = [...state.crashes.filter((then) => at - then <= policy.periodMs), at]
  if (crashes.length > policy.intensity) {
    const more = crashes.length === 1 ? `crashed: ${detail}` : `crashed ${crashes.length} times within ${policy.periodMs / 1000} s, last: ${detail}`
    return move({ ...state, crashes }, { _tag: "GivenUp", since: at, detail: more })
  }
  const until = at + backoffMs(state, crashes.length, draw)
  return move({ ...state, crashes }, { _tag: "BackingOff", until }, { _tag: "Wake", at: until })
}

/**
 * Milliseconds to wait after the nth crash of the period.
 *
 *   backoffMs * 2^(n - 1), at most backoffMaxMs, times 0.8 to 1.2
 *
 * The jitter is that of Effect's `Schedule.jittered`.
 */
const backoffMs = (state: State, nth: number, draw: number): number =>
  Math.round(Math.min(state.policy.backoffMaxMs, state.policy.backoffMs * 2 ** (nth - 1)) * (0.8 + 0.4 * draw))

const onTicked = (state: State, event: Of<"Ticked">): Step => {
  const { status } = state
  const { readyWithinMs, stopWithinMs } = state.policy
  if (status._tag === "BackingOff" && event.at >= status.until) return begin(state, event.at)
  if (status._tag === "Starting" && event.at >= status.readyBy) {
    return endAtOnce(state, { ended: "crash", detail: `was not ready within ${readyWithinMs / 1000} s` })
  }
  if (status._tag === "Stopping" && Option.isSome(status.killAt) && event.at >= status.killAt.value) {
    return endAtOnce(state, {
      ended: "closed",
      detail: `${status.wish.detail}, and killed because it had not ended within ${stopWithinMs / 1000} s`
    })
  }
  return unchanged(state)
}

const compose = (state: State, event: Of<"Exited">): ExitReport => {
  const wish = state.status._tag === "Stopping" ? state.status.wish : undefined
  const own = event.signal === null ? "exit" : "signal"
  return {
    process: processId(state),
    ended: wish === undefined || wish.ended === "crash" ? own : wish.ended,
    detail: wish === undefined ? inWords(event) : wish.ended === "memory-limit" ? wish.detail : `${wish.detail} (${inWords(event)})`,
    peakMemoryBytes: event.peakMemoryBytes,
    ...(state.policy.memoryLimitBytes === null ? {} : { memoryLimitBytes: state.policy.memoryLimitBytes }),
    logTail: event.logTail.slice(-20),
    started: state.runs.map(({ run }) => run),
    ...(state.runs.length === 0 ? {} : { ranMs: state.runs.map(({ at }) => Math.max(0, event.at - at)) })
  }
}

const inWords = (event: Of<"Exited">): string =>
  event.signal === null ? `exit code ${event.code ?? "unknown"}` : `signal ${event.signal}`
