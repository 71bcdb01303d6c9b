/**
 * One simulated run, whole, as data: equal cases give equal runs.
 *
 * A case is drawn from a seed, kept as `case.json` when it fails, and shortened
 * by leaving parts of it out. So nothing in it depends on what stands beside it:
 * tasks name their dependencies, faults their times and targets.
 */
import * as Schema from "effect/Schema"
import { Fault } from "./Fault.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

/** What a task's body does. */
export const Body = Schema.TaggedUnion({
  Succeeds: {},
  /** With its declared error, the first `times` that a body of it comes to its end. */
  Fails: { times: Count },
  /** Throws what it has not declared. */
  Dies: {},
  /** Ends its process while it runs, or its thread. */
  Exits: {},
  NeverEnds: {},
  /** Gives its value, and cannot be stopped before: a system call in a thread, or an Effect that nobody may interrupt. */
  Blocks: {},
  /** There is none: its client sends the value to a worker itself. */
  Scattered: {},
  /** Gives another value than the one it is to give: what the canary does, and nothing else. */
  Lies: {}
})
export type Body = typeof Body.Type

/** A node of the graph. Its value is a digest of its name and its dependencies' values, so that a wrong input shows. */
export const CaseTask = Schema.Struct({
  /** Unique in the case, never used anew when others are left out. */
  id: Count,
  /** Ids of tasks of the same client that stand before it. */
  dependencies: Schema.Array(Count),
  /** Whose it is, from 0. */
  client: Count,
  /** Virtual milliseconds that the body takes. */
  durationMs: Millis,
  /** Bytes that its value holds beside the digest. */
  bytes: Count,
  retries: Count,
  /** How long it waits after an attempt that failed. */
  delayMs: Schema.optionalKey(Millis),
  priority: Schema.Finite,
  body: Body,
  /** An Effect in the worker's loop, or a plain function in a thread. */
  isolation: Schema.Literals(["fiber", "thread"]),
  /** How long an attempt may take; without, as long as it does. */
  timeoutMs: Schema.optionalKey(Millis.check(Schema.isGreaterThan(0))),
  /**
   * How its body, an Effect, gives up its slot on the way. `forGood`: it goes on without. `forAWhile`: it wants one again. `toWait`: it
   * submits tasks of its own, and waits for them.
   */
  secedes: Schema.optionalKey(Schema.Literals(["forGood", "forAWhile", "toWait"])),
  /** The task under whose key this one is submitted, as another graph: one of the two is refused, whichever comes later. */
  under: Schema.optionalKey(Count),
  /** How many it occupies of the two GPUs that each worker offers. */
  gpus: Schema.optionalKey(Count),
  /** The number of the worker where it is to run. `Strictly`: nowhere else, though that worker is gone. */
  on: Schema.optionalKey(Schema.Struct({ worker: Count, strictly: Schema.Boolean }))
})
export type CaseTask = typeof CaseTask.Type

const at = Millis

/** What is done beside waiting for results. */
export const Operation = Schema.TaggedUnion({
  /** The client submits these of its tasks, in the order of the case. Tasks that no operation names are submitted at the start. */
  Submit: { at, tasks: Schema.Array(Count) },
  /** `force`: even if others want it. */
  Cancel: { at, task: Count, force: Schema.Boolean },
  Release: { at, task: Count },
  /** Clients lose their futures on the task, and the garbage collector finds them. */
  Collect: { at, task: Count },
  Retry: { at, task: Count },
  /** The client submits the task, and all that it depends on, under the same keys: again, or as the first if it is not its own. */
  Resubmit: { at, task: Count, client: Count },
  /** The client asks for the task by its key, whoever has submitted it. */
  Adopt: { at, task: Count, client: Count },
  /** It is to be done whoever holds it: a client that does says so. */
  Detach: { at, task: Count },
  /** The client asks for all results that it holds, in one go. */
  Ask: { at, client: Count, how: Schema.Literals(["gather", "gatherExits", "results"]) },
  /** The client ends its session in good order. */
  Leave: { at, client: Count },
  Scale: { at, workers: Count.check(Schema.isGreaterThanOrEqualTo(1)) }
})
export type Operation = typeof Operation.Type

export const Case = Schema.Struct({
  version: Schema.Literal(1),
  /** Drives what the case does not say: the order of fibers, latencies, random draws of the product. */
  seed: Count,
  cluster: Schema.Struct({
    workers: Count.check(Schema.isGreaterThanOrEqualTo(1)),
    /** Fibers (and threads) that each worker runs at once. */
    slots: Count.check(Schema.isGreaterThanOrEqualTo(1))
  }),
  clients: Count.check(Schema.isGreaterThanOrEqualTo(1)),
  /** Whether clients submit what they are told to as one batch. @default each task by itself */
  inBatches: Schema.optionalKey(Schema.Boolean),
  /** Whether the scheduler keeps a journal, on a disk. @default no */
  journal: Schema.optionalKey(Schema.Boolean),
  schedule: Schema.Struct({
    /** Which of the fibers that can run is next. */
    strategy: Schema.Literals(["fifo", "lifo", "uniform", "pct", "starve"]),
    /** Chance that a fiber is stopped before an operation, 0 to 0.2. */
    preemption: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.2 })),
    opsBeforeYield: Count.check(Schema.isGreaterThanOrEqualTo(1))
  }),
  network: Schema.Struct({
    /** Least and greatest, milliseconds. */
    latency: Schema.Tuple([Millis, Millis]),
    /** Share of chunks that arrive in two pieces. */
    fragment: Share
  }),
  tasks: Schema.Array(CaseTask),
  operations: Schema.Array(Operation),
  faults: Schema.Array(Fault),
  /** When the faults stop and healing begins, virtual milliseconds. */
  healAt: Millis,
  /** By when everything must have ended, virtual milliseconds. */
  endBy: Millis
})
export type Case = typeof Case.Type

/** What has gone wrong elsewhere, as a case for each seed. */
export interface Scenario {
  /** The issue, if it has one, and what happens. */
  readonly name: string
  readonly of: (seed: number) => Case
}

/** A case as it stands in a file, and back. Reading fails with what is wrong. */
export const Json = Schema.fromJsonString(Case)
