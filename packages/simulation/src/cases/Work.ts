/**
 * What the tasks of a case do, and what is seen of it.
 *
 * A value is a digest of the task's number and of its inputs' digests, so that a
 * wrong, stale or missing input anywhere shows in everything after it. Bodies
 * write down when they begin and end: what ran where, and whether something ran
 * that should not have.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { Task } from "@skein/protocol/Task"
import { exitProcess, spend, stuck } from "../Body.ts"
import type { Body, CaseTask } from "../Case.ts"
import { CurrentProcess, type SimProcess } from "../SimProcess.ts"
import * as World from "../World.ts"
import { digestOf } from "./Digest.ts"

/** What a body is told of its task. */
export interface Spec {
  readonly id: number
  readonly durationMs: number
  readonly bytes: number
  readonly body: Body
}

export interface Value {
  readonly digest: string
  /** What makes it as large as the case says. */
  readonly pad: Uint8Array
}

/** The declared error of a task that fails. */
export class CaseFailed extends Schema.TaggedError<CaseFailed>()("CaseFailed", { task: Schema.Int }) {
  override get message() {
    return `task ${this.task} fails, as its case says`
  }
}

/** One run of a body. */
export interface Execution {
  readonly task: number
  /** The process that runs it; undefined for one in a thread, which tells nobody. */
  readonly process: SimProcess | undefined
  readonly beganAt: number
  /** Virtual milliseconds; undefined while it runs, or if its process ended before it did. */
  endedAt: number | undefined
  how: "succeeded" | "failed" | "interrupted" | undefined
}

/** What bodies have done in a world. */
export interface WorkRecord {
  readonly executions: Array<Execution>
  /** Called at the beginning and at the end of each. */
  readonly onChange: Array<(execution: Execution) => void>
  /** Bodies that came to their failing end, by task. */
  readonly failures: Map<number, number>
  /** Tasks whose keys follow from their values: those that clients have scattered, by key. */
  readonly scattered: Map<string, number>
}

const records = new WeakMap<World.World, WorkRecord>()

/** The record of the present world. */
export const record = (): WorkRecord => {
  const world = World.current()
  let found = records.get(world)
  if (found === undefined) records.set(world, found = { executions: [], onChange: [], failures: new Map(), scattered: new Map() })
  return found
}

/** The task as an Effect in the worker's loop. */
export const inFiber = Task.fn("inFiber", (spec: Spec, inputs: ReadonlyArray<Value>): Effect.Effect<Value, CaseFailed> =>
  Effect.suspend(() => {
    const execution = begin(spec)
    return Effect.onExit(
      Effect.andThen(
        spec.body._tag === "NeverEnds" ? Effect.never : spec.body._tag === "Blocks" ? Effect.uninterruptible(Effect.sleep(spec.durationMs)) : Effect.sleep(spec.durationMs),
        Effect.suspend((): Effect.Effect<Value, CaseFailed> => {
          if (spec.body._tag === "Exits") exitProcess(spec.id % 256)
          if (spec.body._tag === "Dies") throw new Error(`task ${spec.id} throws`)
          return failsNow(spec) ? Effect.fail(new CaseFailed({ task: spec.id })) : Effect.succeed(valueOf(spec, inputs))
        })
      ),
      (exit) => Effect.sync(() => end(execution, Exit.isSuccess(exit) ? "succeeded" : Exit.hasInterrupts(exit) ? "interrupted" : "failed"))
    )
  }), { error: CaseFailed })

/** The same as a plain function in a thread. */
export const inThread = Task.fn("inThread", (spec: Spec, inputs: ReadonlyArray<Value>): Value => {
  const execution = begin(spec)
  if (spec.body._tag === "Blocks") stuck(spec.durationMs)
  else spend(spec.body._tag === "NeverEnds" ? Infinity : spec.durationMs)
  if (spec.body._tag === "Exits") exitProcess(spec.id % 256)
  const fails = spec.body._tag === "Dies" || failsNow(spec)
  end(execution, fails ? "failed" : "succeeded")
  if (fails) throw new Error(`task ${spec.id} throws`)
  return valueOf(spec, inputs)
})

/** What a body has to know. */
export const specOf = ({ body, bytes, durationMs, id }: CaseTask): Spec => ({ id, durationMs, bytes, body })

const begin = (spec: Spec): Execution => {
  const { executions, onChange } = record()
  const execution: Execution = {
    task: spec.id, process: Fiber.getCurrent()?.getRef(CurrentProcess), beganAt: World.current().now, endedAt: undefined, how: undefined
  }
  executions.push(execution)
  for (const tell of onChange) tell(execution)
  return execution
}

const end = (execution: Execution, how: Execution["how"]): void => {
  execution.endedAt = World.current().now
  execution.how = how
  for (const tell of record().onChange) tell(execution)
}

/** Whether this end of the body is one of the first `times`. */
const failsNow = ({ body, id }: Spec): boolean => {
  if (body._tag !== "Fails") return false
  const { failures } = record()
  const before = failures.get(id) ?? 0
  if (before >= body.times) return false
  failures.set(id, before + 1)
  return true
}

/** What a task gives. Of one that is scattered: what is sent. */
export const valueOf = ({ body, bytes, id }: Spec, inputs: ReadonlyArray<Value>): Value => ({
  digest: digestOf(body._tag === "Lies" ? id + 0.5 : id, inputs.map(({ digest }) => digest)),
  pad: new Uint8Array(bytes).fill(id % 256)
})
