/**
 * Which seeds are to be run, by which of the processes.
 */
import type { Profile } from "../cases/Draw.ts"
import type { Job } from "./Batch.ts"

/** What one process is to run. */
export interface Plan {
  /** The first seed of all processes; each run has the next. */
  readonly seed: number
  /** Which process of how many: it takes each `of`-th seed from its own on. */
  readonly process: number
  readonly of: number
  /** `mixed`: ten light runs for each full one. */
  readonly profile: Profile | "mixed"
  /** Whether the first process goes through the states of small clusters first. */
  readonly explores: boolean
  /** Runs of all processes together. @default without end */
  readonly runs: number | undefined
  /** Wall-clock milliseconds after which no run begins. @default without end */
  readonly forMs: number | undefined
}

/** Light runs for each full one, where both are wanted. */
export const LIGHT_PER_FULL = 10

/** The jobs of one process; its time begins now. `now`: wall-clock milliseconds, from anywhere. */
export const jobsOf = (plan: Plan, now: () => number): Iterable<Job> => jobsUntil(plan, plan.forMs === undefined ? Infinity : now() + plan.forMs, now)

function* jobsUntil(plan: Plan, until: number, now: () => number): Generator<Job> {
  for (let n = plan.process; n < (plan.runs ?? Infinity) && now() < until; n += plan.of) {
    yield { seed: plan.seed + n, profile: profileOf(plan, n) }
  }
}

/** Every eleventh of each process is full. */
const profileOf = ({ of, profile }: Plan, n: number): Profile =>
  profile === "mixed" ? (Math.floor(n / of) % (LIGHT_PER_FULL + 1) === LIGHT_PER_FULL ? "full" : "light") : profile
