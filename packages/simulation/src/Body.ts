/**
 * What the body of a task may say about itself under simulation.
 *
 * A plain function runs at once and cannot wait, so it says how long it would
 * have taken; an Effect just sleeps. Outside of a run neither does anything.
 */
import * as Fiber from "effect/Fiber"
import { CurrentProcess } from "./SimProcess.ts"
import * as World from "./World.ts"

/** A simulated thread, as far as the body that runs in it can tell it something. */
export interface ThreadJob {
  /** Virtual milliseconds that the body takes; undefined: it has not said. */
  spent: number | undefined
  /** Set by a body that ended its thread. */
  exited: number | undefined
  /** The body is in a system call until then, virtual milliseconds since the start of the run; the thread cannot be ended before. */
  stuckUntil: number | undefined
}

let job: ThreadJob | undefined

/** Runs a body's step on a simulated thread. */
export const onThread = <A>(thread: ThreadJob, f: () => A): A => {
  const before = job
  job = thread
  try {
    return f()
  } finally {
    job = before
  }
}

/** The plain function that calls this takes so many virtual milliseconds more. Infinity: it never ends. */
export const spend = (ms: number): void => {
  if (job !== undefined) job.spent = (job.spent ?? 0) + ms
}

/** The plain function that calls this is in a system call for the next so many virtual milliseconds: its thread does not end before. */
export const stuck = (ms: number): void => {
  if (job === undefined) return
  spend(ms)
  job.stuckUntil = World.current().now + ms
}

/** What `exitProcess` throws, to leave the body. */
export class Exited extends Error {
  override readonly name = "Exited"
}

/** Ends the thread that runs the calling body; outside of one, the process. Does not return. */
export const exitProcess = (code: number): never => {
  if (job !== undefined) job.exited = code
  else Fiber.getCurrent()?.getRef(CurrentProcess).end({ code, signal: null })
  throw new Exited(`exit code ${code}`)
}
