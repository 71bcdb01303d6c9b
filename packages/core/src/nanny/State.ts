/**
 * What a nanny knows of its one child process. Plain data.
 *
 * A process lives many times under one nanny. Each life has a number, by which
 * a late word of an earlier life is told from one of the present, and an id
 * for the rest of the cluster, which the exit report names.
 */
import * as Option from "effect/Option"
import { ProcessId, type RunId } from "@skein/protocol/Ids"

/** When and how often a child is started again. Times are milliseconds. */
export interface Policy {
  /**
   * `permanent`: after every end. `transient`: unless it ended by itself with
   * exit code 0. `temporary`: only when somebody asked for its end.
   * @default "permanent"
   */
  readonly restart: "permanent" | "transient" | "temporary"
  /** Crashes allowed within `periodMs`; one more gives up. @default 5 */
  readonly intensity: number
  /** @default 60_000 */
  readonly periodMs: number
  /** The wait after a first crash; it doubles with each further one in the period. @default 100 */
  readonly backoffMs: number
  /** The longest wait, before jitter. @default 10_000 */
  readonly backoffMaxMs: number
  /** How long a child may take to be ready; then it is ended, which counts as a crash. @default 30_000 */
  readonly readyWithinMs: number
  /** How long a child may take to stop before it is killed. @default 5_000 */
  readonly stopWithinMs: number
  /** Bytes that the child's process may have; beyond `MEMORY_RATIO` of them it is killed. @default null: as many as there are */
  readonly memoryLimitBytes: number | null
}

/** Of its limit. A little is left, for between two looks at it more is taken. Dask's `memory.terminate`. */
export const MEMORY_RATIO = 0.95

export const defaultPolicy: Policy = {
  restart: "permanent",
  intensity: 5,
  periodMs: 60_000,
  backoffMs: 100,
  backoffMaxMs: 10_000,
  readyWithinMs: 30_000,
  stopWithinMs: 5_000,
  memoryLimitBytes: null
}

/** Why a child is being ended by its nanny, in the exit report's words. */
export interface Wish {
  /** `closed` blames nobody and counts as no crash; `crash`: it misbehaved, and its signal tells the rest. */
  readonly ended: "closed" | "memory-limit" | "crash"
  readonly detail: string
}

/** All times are epoch ms. */
export type Status =
  /** Nothing runs, and nothing will before `StartRequested`. */
  | { readonly _tag: "Stopped" }
  /** Asked for, perhaps spawned, not ready. */
  | {
    readonly _tag: "Starting"
    /** None while the spawning is not answered. */
    readonly pid: Option.Option<number>
    /** The child has said that it is up, and was faster than that answer. */
    readonly ready: boolean
    readonly readyBy: number
  }
  | { readonly _tag: "Running"; readonly pid: number; readonly readyAt: number }
  | {
    readonly _tag: "Stopping"
    /** None while the spawning is not answered: the signal goes out with the answer. */
    readonly pid: Option.Option<number>
    /** When patience ends; none once the child has been killed. */
    readonly killAt: Option.Option<number>
    readonly wish: Wish
    /** What follows its end. */
    readonly then: "stop" | "restart"
  }
  | { readonly _tag: "BackingOff"; readonly until: number }
  /** Too many crashes; stays so until `StartRequested`. */
  | { readonly _tag: "GivenUp"; readonly since: number; readonly detail: string }

export interface State {
  /** The child's name; begins its process ids. */
  readonly name: string
  /** Tells this nanny's process ids from those of others with the same name. */
  readonly salt: string
  readonly policy: Policy
  readonly status: Status
  /** Lives so far; also the number of the present one. */
  readonly life: number
  /** Epoch ms of the crashes within the period, at most `intensity` + 1. */
  readonly crashes: ReadonlyArray<number>
  /**
   * Runs of this life that have noted their start and not their end: of a
   * suspect, and of all that runs beside it. At most `runsBound`, which is more
   * than run at once; the earliest are forgotten.
   */
  readonly runs: ReadonlyArray<Started>
}

/** A run, and when its start was noted. */
export interface Started {
  readonly run: RunId
  readonly at: number
}

export const runsBound = 1_024

export const make = (name: string, salt: string, policy: Policy): State => ({
  name,
  salt,
  policy,
  status: { _tag: "Stopped" },
  life: 0,
  crashes: [],
  runs: []
})

/** The id of the present life, for the rest of the cluster. */
export const processId = (state: State): ProcessId => ProcessId.make(`${state.name}-${state.salt}/${state.life}`)

/** The process of the present life, if there is one. */
export const pidOf = (state: State): Option.Option<number> => {
  switch (state.status._tag) {
    case "Starting":
    case "Stopping":
      return state.status.pid
    case "Running":
      return Option.some(state.status.pid)
    default:
      return Option.none()
  }
}
