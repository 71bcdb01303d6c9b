/**
 * What can go wrong in a simulated cluster, as data.
 *
 * A fault is drawn before the run and injected at its time, so that a failing
 * run can be shortened by leaving faults out: each stands alone, names its target
 * by the role it had at the start, and does nothing if that target is gone.
 */
import * as Schema from "effect/Schema"

/** A part of the cluster, by role: `scheduler`, `worker-2`, `client-0`, `nanny-2` (of worker-2). */
export const Part = Schema.String
export type Part = typeof Part.Type

/** Milliseconds of virtual time. */
const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** Since the start of the run. */
const at = Millis

export const Fault = Schema.TaggedUnion({
  /** The process ends at once, without finalizers; its nanny starts it again. */
  WorkerCrash: { at, worker: Part },
  /** The nanny's fiber ends by a defect; supervision is to start it again, and its child must not be orphaned. */
  NannyCrash: { at, worker: Part },
  /** The client's process ends at once; what it wanted is given up after its grace. */
  ClientCrash: { at, client: Part },
  /** The scheduler's process ends at once. Without a journal every future ends with `SchedulerLost`. */
  SchedulerCrash: { at },
  /** A process stands still, its sockets open: a long collection of garbage, SIGSTOP. */
  Pause: { at, part: Part, forMs: Millis },
  /** Bytes between the groups are lost, in both directions or from `a` to `b` only. */
  Partition: { at, a: Schema.Array(Part), b: Schema.Array(Part), oneWay: Schema.Boolean, forMs: Millis },
  /** Each chunk between any two parts takes this much longer. */
  Latency: { at, addMs: Millis, forMs: Millis },
  /** The next connection of this link breaks when so many more bytes have been written on it. */
  ConnectionLoss: { at, a: Part, b: Part, afterBytes: Count },
  /** As `ConnectionLoss`, but what was written arrives and its acknowledgement does not: it is sent again when the session resumes. */
  Duplicate: { at, a: Part, b: Part, afterBytes: Count },
  /** What arrives at the part is read this slowly, bytes per second. */
  SlowReader: { at, part: Part, rate: Schema.Finite.check(Schema.isGreaterThan(0)), forMs: Millis },
  /** The wall clock of a process jumps; its monotonic clock does not. */
  ClockJump: { at, part: Part, byMs: Schema.Finite },
  /** The clocks of a process run at this rate, 1 being true. */
  ClockSkew: { at, part: Part, rate: Schema.Finite.check(Schema.isGreaterThan(0)) },
  /** The next starts of this worker's process fail. */
  SpawnFailure: { at, worker: Part, times: Count },
  /** The machine ends the worker's process for want of memory, as the kernel does. */
  MemoryPressure: { at, worker: Part },
  /** The disk that a part writes to, where it writes to any: each write takes longer, or fails. */
  Disk: { at, part: Part, how: Schema.Literals(["slow", "full", "failing"]), forMs: Millis }
})
export type Fault = typeof Fault.Type

export type FaultKind = Fault["_tag"]

/** Every kind there is. */
export const faultKinds: ReadonlyArray<FaultKind> = Object.keys(Fault.cases) as ReadonlyArray<FaultKind>
