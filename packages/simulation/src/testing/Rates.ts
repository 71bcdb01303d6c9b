/**
 * How often things go wrong, in a user's words, and which faults those are.
 */
import type { FaultKind } from "../Fault.ts"

/** Faults per virtual minute in the whole cluster, on average; the seed draws when and where. What is not named does not happen. */
export interface FaultRates {
  readonly workerCrash?: number
  readonly nannyCrash?: number
  /** Ends the program itself, for it runs in the client's process: only for a run that is to show what others see of that. */
  readonly clientCrash?: number
  /** Without a journal every future ends with `SchedulerLost`. */
  readonly schedulerCrash?: number
  /** A process stands still for a while. */
  readonly pause?: number
  /** Between two groups of processes, in both directions or one. */
  readonly partition?: number
  /** At any byte. */
  readonly connectionLoss?: number
  readonly slowReader?: number
  readonly diskFull?: number
  readonly diskSlow?: number
  readonly diskFailing?: number
  readonly clockJump?: number
  readonly memoryPressure?: number
  /** A worker's process does not start. */
  readonly spawnFailure?: number
}

/** Of one kind of fault, how often. */
export interface Kind {
  readonly name: string
  readonly kind: FaultKind
  /** Per virtual minute. */
  readonly rate: number
  /** Of a disk. */
  readonly how?: "full" | "slow" | "failing"
}

const kinds: { readonly [Name in keyof FaultRates]-?: Omit<Kind, "name" | "rate"> } = {
  workerCrash: { kind: "WorkerCrash" },
  nannyCrash: { kind: "NannyCrash" },
  clientCrash: { kind: "ClientCrash" },
  schedulerCrash: { kind: "SchedulerCrash" },
  pause: { kind: "Pause" },
  partition: { kind: "Partition" },
  connectionLoss: { kind: "ConnectionLoss" },
  slowReader: { kind: "SlowReader" },
  diskFull: { kind: "Disk", how: "full" },
  diskSlow: { kind: "Disk", how: "slow" },
  diskFailing: { kind: "Disk", how: "failing" },
  clockJump: { kind: "ClockJump" },
  memoryPressure: { kind: "MemoryPressure" },
  spawnFailure: { kind: "SpawnFailure" }
}

/** The names of all rates there are. */
export const rateNames = Object.keys(kinds) as ReadonlyArray<keyof FaultRates>

/** Those that happen at all. */
export const kindsOf = (rates: FaultRates): ReadonlyArray<Kind> =>
  rateNames.flatMap((name): ReadonlyArray<Kind> => {
    const rate = rates[name] ?? 0
    return rate === 0 ? [] : [{ name, rate, ...kinds[name] }]
  })
