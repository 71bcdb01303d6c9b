/**
 * The two levels below whole clusters, by themselves and against the clock:
 * `npm run simulate -- --level reducers` and `-- --level states`.
 *
 * Speeds are by CPU time, all checks included. Of the reducers the later half is
 * told beside the whole, for the engine takes some seconds to know such code.
 */
import { large, small } from "../explore/Configurations.ts"
import { explore } from "../explore/Explore.ts"
import { runSeeds } from "../reducers/Batch.ts"
import type { Failure } from "./Batch.ts"
import { measured } from "./cpu.ts"

export interface Alone {
  readonly lines: ReadonlyArray<string>
  readonly failure: Failure | undefined
}

export interface Limits {
  /** CPU time; the round that is under way then is finished. */
  readonly forMs: number
  /** Cases, or states of each cluster, at most. */
  readonly runs: number
}

/** Tasks of each case: as many as a light run has at most. */
const TASKS = 30
/** Cases between two looks at the clock. */
const AT_ONCE = 50

interface Round {
  readonly cases: number
  readonly events: number
  readonly rows: number
  readonly steps: number
  readonly cpuMs: number
}

/** Cases for the machines with a message network, from this seed on. Every step is checked. */
export const reducersAlone = (from: number, { forMs, runs }: Limits): Alone => {
  const rounds: Array<Round> = []
  let [cases, spentMs] = [0, 0]
  let failure: Failure | undefined
  while (spentMs < forMs && cases < runs && failure === undefined) {
    const [{ broken, events, rows, seeds, steps }, cpuMs] = measured(() => runSeeds({ from: from + cases, count: Math.min(AT_ONCE, runs - cases), tasks: TASKS }))
    rounds.push({ cases: seeds, events, rows, steps, cpuMs })
    cases += seeds
    spentMs += cpuMs
    if (broken !== undefined) failure = { level: "reducers", seed: broken.seed, case: broken.case, violation: { id: broken.invariant, saw: broken.detail, atMs: broken.at } }
  }
  return {
    failure,
    lines: [
      `${cases} cases of up to ${TASKS} tasks from seed ${from}, every step checked; an event is a message to a machine or what happened beside it, a row what it says of one task`,
      tellRounds("all", rounds),
      tellRounds("later half", rounds.slice(rounds.length >> 1))
    ]
  }
}

const tellRounds = (name: string, rounds: ReadonlyArray<Round>): string => {
  const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0)
  const seconds = sum(({ cpuMs }) => cpuMs) / 1_000
  const speed = (count: number): string => `${whole(count)} (${whole(count / seconds)}/s)`
  return `${name.padEnd(12)}${seconds.toFixed(1)} s of CPU: ${speed(sum(({ events }) => events))} events, ${speed(sum(({ rows }) => rows))} rows, ${speed(sum(({ steps }) => steps))} checked steps`
}

/** All states of small clusters: of the least ones first. */
export const statesAlone = ({ forMs, runs }: Limits): Alone => {
  const lines: Array<string> = []
  let [all, spentMs] = [0, 0]
  for (const configuration of [...small, ...large]) {
    if (spentMs >= forMs) break
    const [{ broken, isComplete, name, states, steps }, cpuMs] = measured(() => explore({ ...configuration, maxStates: Math.min(runs, configuration.maxStates ?? Infinity) }))
    all += states
    spentMs += cpuMs
    lines.push(`${whole(states).padStart(10)} states, ${whole(steps)} ways, ${whole(states / cpuMs * 1_000)} states/s  ${name}${isComplete ? "" : " (not all of them)"}`)
    if (broken !== undefined) return { lines, failure: { level: "states", violation: { id: broken.invariant, saw: `${name}: ${broken.detail}` }, trail: broken.trail } }
  }
  return { lines: [...lines, `${whole(all).padStart(10)} states in ${(spentMs / 1_000).toFixed(1)} s of CPU: ${whole(all / spentMs * 1_000)} states/s`], failure: undefined }
}

const whole = (n: number): string => Math.round(n).toLocaleString("en")
