/**
 * What can go wrong in a simulated cluster, as data.
 *
 * A fault is drawn before the run and injected at its time, so that a failing
 * run can be shortened by leaving faults out: each stands alone, names its target
 * by the role it had at the start, and does nothing if that target is gone.
 */

/** A part of the cluster, by role: `scheduler`, `worker-2`, `client-0`, `nanny-2` (of worker-2). */
export type Part = string

/** Milliseconds of virtual time since the start of the run. */
export interface At {
  readonly at: number
}

export type Fault =
  /** The process ends at once, without finalizers; its nanny starts it again. */
  | At & { readonly _tag: "WorkerCrash"; readonly worker: Part }
  /** The nanny's fiber ends by a defect; supervision is to start it again, and its child must not be orphaned. */
  | At & { readonly _tag: "NannyCrash"; readonly worker: Part }
  /** The client's process ends at once; what it wanted is given up after its grace. */
  | At & { readonly _tag: "ClientCrash"; readonly client: Part }
  /** The scheduler's process ends at once. Without a journal every future ends with `SchedulerLost`. */
  | At & { readonly _tag: "SchedulerCrash" }
  /** A process stands still, its sockets open: a long collection of garbage, SIGSTOP. */
  | At & { readonly _tag: "Pause"; readonly part: Part; readonly forMs: number }
  /** Bytes between the groups are lost, in both directions or from `a` to `b` only. */
  | At & { readonly _tag: "Partition"; readonly a: ReadonlyArray<Part>; readonly b: ReadonlyArray<Part>; readonly oneWay: boolean; readonly forMs: number }
  /** Each chunk between any two parts takes this much longer. */
  | At & { readonly _tag: "Latency"; readonly addMs: number; readonly forMs: number }
  /** The next connection of this link breaks when so many more bytes have been written on it. */
  | At & { readonly _tag: "ConnectionLoss"; readonly a: Part; readonly b: Part; readonly afterBytes: number }
  /** As `ConnectionLoss`, but what was written arrives and its acknowledgement does not: it is sent again when the session resumes. */
  | At & { readonly _tag: "Duplicate"; readonly a: Part; readonly b: Part; readonly afterBytes: number }
  /** What arrives at the part is read this slowly, bytes per second. */
  | At & { readonly _tag: "SlowReader"; readonly part: Part; readonly rate: number; readonly forMs: number }
  /** The wall clock of a process jumps; its monotonic clock does not. */
  | At & { readonly _tag: "ClockJump"; readonly part: Part; readonly byMs: number }
  /** The clocks of a process run at this rate, 1 being true. */
  | At & { readonly _tag: "ClockSkew"; readonly part: Part; readonly rate: number }
  /** The next starts of this worker's process fail. */
  | At & { readonly _tag: "SpawnFailure"; readonly worker: Part; readonly times: number }
  /** The machine ends the worker's process for want of memory, as the kernel does. */
  | At & { readonly _tag: "MemoryPressure"; readonly worker: Part }
  /** The disk that a part writes to, where it writes to any: each write takes `addMs`, or fails. */
  | At & { readonly _tag: "Disk"; readonly part: Part; readonly how: "slow" | "full" | "failing"; readonly forMs: number }

export type FaultKind = Fault["_tag"]
