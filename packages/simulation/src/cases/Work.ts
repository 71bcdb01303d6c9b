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
import { Client } from "@skein/client/Client"
import { type FnTask, Task, type TaskServices } from "@skein/protocol/Task"
import { TaskContext } from "@skein/protocol/TaskContext"
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
  readonly secedes?: CaseTask["secedes"]
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
  /** Whether it has a slot, as far as it knows. */
  slot: "held" | "given up" | "taken again"
  /** What it heard of the tasks that it submitted itself. */
  children: "not asked" | "right" | "wrong" | "failed"
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
export const inFiber: FnTask<[spec: Spec, inputs: ReadonlyArray<Value>], Value, CaseFailed, TaskServices> = Task.fn("inFiber", (spec: Spec, inputs: ReadonlyArray<Value>) =>
  Effect.suspend(() => {
    const execution = begin(spec)
    return Effect.onExit(
      Effect.andThen(
        spec.secedes === undefined ? labour(spec) : Effect.andThen(away(spec, spec.secedes, execution), labour({ ...spec, durationMs: spec.durationMs / 3 })),
        Effect.suspend((): Effect.Effect<Value, CaseFailed> => {
          if (spec.body._tag === "Exits") exitProcess(spec.id % 256)
          if (spec.body._tag === "Dies") throw new Error(`task ${spec.id} throws`)
          return failsNow(spec) ? Effect.fail(new CaseFailed({ task: spec.id })) : Effect.succeed(valueOf(spec, inputs))
        })
      ),
      (exit) => Effect.sync(() => end(execution, Exit.isSuccess(exit) ? "succeeded" : Exit.hasInterrupts(exit) ? "interrupted" : "failed"))
    )
  }), { error: CaseFailed })

/** What its body takes time for. */
const labour = ({ body, durationMs }: Pick<Spec, "body" | "durationMs">): Effect.Effect<void> =>
  body._tag === "NeverEnds" ? Effect.never : body._tag === "Blocks" ? Effect.uninterruptible(Effect.sleep(durationMs)) : Effect.sleep(durationMs)

/** Two thirds of its time: one with a slot, one without. */
const away = Effect.fnUntraced(function*(spec: Spec, how: NonNullable<Spec["secedes"]>, execution: Execution) {
  const context = yield* TaskContext
  const third = Effect.sleep(spec.durationMs / 3)
  yield* third
  execution.slot = "given up"
  switch (how) {
    case "forGood":
      yield* context.secede
      return yield* third
    case "forAWhile":
      yield* context.seceded(third)
      break
    case "toWait":
      yield* waitForChildren(spec, execution)
  }
  execution.slot = "taken again"
})

/** A task that a task submits. Who begins anew submits the same again. */
const child = Task.fn("child", ({ durationMs, id }: Pick<Spec, "durationMs" | "id">, n: number) =>
  Effect.as(Effect.sleep(durationMs), digestOf(id, [`child ${n}`])))

/** What becomes of them is judged by whoever knows what may. */
const waitForChildren = Effect.fnUntraced(function*({ durationMs, id }: Spec, execution: Execution) {
  const client = (yield* Client).with({ isolation: "fiber" })
  const numbers = [0, 1]
  const values = yield* Effect.exit(Effect.flatMap(Effect.forEach(numbers, (n) => client.submit(child, { durationMs: durationMs / 3, id }, n)), (futures) => client.gather(futures)))
  execution.children = Exit.isFailure(values) ? "failed" : values.value.every((digest, n) => digest === digestOf(id, [`child ${n}`])) ? "right" : "wrong"
})

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
export const specOf = ({ body, bytes, durationMs, id, secedes }: CaseTask): Spec =>
  secedes === undefined ? { id, durationMs, bytes, body } : { id, durationMs, bytes, body, secedes }

const begin = (spec: Spec): Execution => {
  const { executions, onChange } = record()
  const execution: Execution = {
    task: spec.id, process: Fiber.getCurrent()?.getRef(CurrentProcess), beganAt: World.current().now, endedAt: undefined, how: undefined, slot: "held",
    children: "not asked"
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
