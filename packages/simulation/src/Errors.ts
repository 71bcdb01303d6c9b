/**
 * How a run ends otherwise than by its program's end.
 */
import * as Schema from "effect/Schema"
import { simulationCodes } from "@skein/protocol/ErrorCodes"

const waitingText = (waiting: ReadonlyArray<string>): string =>
  waiting.length === 0 ? "No fiber is known to wait." : `What waits:\n${waiting.map((line) => `    ${line}`).join("\n")}`

/** No fiber can run, and no timer is set: what waits will wait for ever. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {
  seed: Schema.Number,
  /** Virtual milliseconds since the start of the run. */
  atMs: Schema.Number,
  /** A line for each kind of fiber: its process, how many, and what it waits for as far as Effect lets it be known. */
  waiting: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${simulationCodes.Stuck} the simulation is stuck: after ${this.atMs} ms of virtual time nothing can run and no timer is set (seed ${this.seed})\n` +
      `  ${waitingText(this.waiting)}\n` +
      "  fix  see what would have had to wake one of them; the same seed gives the same run again"
  }
}

/** The program had not ended by the greatest virtual time that it was given. */
export class OutOfTime extends Schema.TaggedError<OutOfTime>()("OutOfTime", {
  seed: Schema.Number,
  limitMs: Schema.Number,
  waiting: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${simulationCodes.Stuck} the simulation is not done after ${this.limitMs} ms of virtual time (seed ${this.seed})\n` +
      `  ${waitingText(this.waiting)}\n` +
      "  fix  a greater `maxVirtualTime`, if all that is waited for would still come"
  }
}

/** The program had not ended after the greatest number of steps that it was given: it runs in circles, or wants a greater `maxSteps`. */
export class OutOfSteps extends Schema.TaggedError<OutOfSteps>()("OutOfSteps", {
  seed: Schema.Number,
  steps: Schema.Number,
  atMs: Schema.Number,
  waiting: Schema.Array(Schema.String)
}) {
  override get message() {
    return `${simulationCodes.Stuck} the simulation is not done after ${this.steps} steps and ${this.atMs} ms of virtual time (seed ${this.seed})\n` +
      `  ${waitingText(this.waiting)}\n` +
      "  fix  see what runs in circles"
  }
}

/** Code under simulation reached for the real world, which a seed does not determine. */
export class EscapedSimulation extends Schema.TaggedError<EscapedSimulation>()("EscapedSimulation", {
  /** What was called, such as `Date.now`. */
  what: Schema.String,
  /** The line that called it, as a stack writes it. */
  where: Schema.String,
  /** What to say instead. */
  instead: Schema.String
}) {
  override get message() {
    return `${simulationCodes.Escaped} ${this.what} was called under simulation, where time, chance and I/O must follow from the seed\n  at   ${this.where}\n  fix  ${this.instead}`
  }
}

/** Somebody waits for a promise. `where`: who, and at which line as far as that is known. */
export const waitsForPromise = (where: string): EscapedSimulation => new EscapedSimulation({
  what: "Promise.then",
  where,
  instead: "make the body an Effect or a plain function: the simulation cannot see the event loop, by which promises settle; with Sim.layer they do"
})

/** The simulated process that ran the effect ended before the effect did. */
export class ProcessGone extends Schema.TaggedError<ProcessGone>()("ProcessGone", {
  process: Schema.String
}) {
  override get message() {
    return `The process ${this.process} ended while this ran in it.`
  }
}
