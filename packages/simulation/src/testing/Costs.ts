/**
 * Bodies under simulation: each is told of in the story, and some are modelled.
 *
 * A modelled task takes virtual time and gives a stand-in, so that a workload's
 * shape can be tried without its bodies, its data or the hours it takes. Each
 * execution's draws come from a stream of the task's name.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { CodeDef } from "@skein/protocol/Code"
import type { Body } from "@skein/runtime/worker/Body"
import type { Around } from "@skein/runtime/worker/Code"
import { spend } from "../Body.ts"
import { waitsForPromise } from "../Errors.ts"
import type { SimProcess } from "../SimProcess.ts"
import type { Stream } from "../Stream.ts"
import * as World from "../World.ts"
import type { Distribution, TaskCost } from "./Options.ts"

/** What a modelled task's attempt fails with, by the share that was given for it. */
export class ModelledFailure extends Error {
  override readonly name = "ModelledFailure"
}

/** What is run for bodies in a worker's process, and in its threads. `isCalm`: no attempt fails. */
export const around = (costs: Readonly<Record<string, TaskCost>>, isCalm: boolean) => {
  const streams = new Map<string, Stream>()
  return (process: SimProcess): { readonly inProcess: Around; readonly inThread: Around } => aroundIn(process, { costs, isCalm, streams })
}

interface Modelling {
  readonly costs: Readonly<Record<string, TaskCost>>
  readonly isCalm: boolean
  readonly streams: Map<string, Stream>
}

const aroundIn = (process: SimProcess, { costs, isCalm, streams }: Modelling): { readonly inProcess: Around; readonly inThread: Around } => {
  const model = (name: string, cost: TaskCost, codecs: Body["codecs"]) => {
    const world = World.current()
    let stream = streams.get(name)
    if (stream === undefined) streams.set(name, stream = world.stream(`cost/${name}`))
    const ms = drawMs(cost.duration, stream)
    const fails = stream.chance(cost.failure ?? 0) && !isCalm
    take(cost.memoryBytes ?? 0, ms, process, world)
    return {
      ms,
      value: () => {
        if (fails) throw new ModelledFailure(`an attempt of the modelled task "${name}" failed, as its cost says some do`)
        return standIn(name, cost, codecs, stream)
      }
    }
  }
  const standing = (call: (drawn: ReturnType<typeof model>) => unknown): Around => (body, def: CodeDef) => {
    const cost = Object.hasOwn(costs, def.name) ? costs[def.name] : undefined
    return cost === undefined ? body : { ...body, call: () => call(model(def.name, cost, body.codecs)) }
  }
  const inProcess = standing(({ ms, value }) => Effect.map(Effect.sleep(ms), value))
  const inThread = standing(({ ms, value }) => {
    spend(ms)
    return value()
  })
  return { inProcess: (body, def) => told(inProcess(body, def), def, process.name, "process"), inThread: (body, def) => told(inThread(body, def), def, process.name, "thread") }
}

/** The same body; when it begins, and how it ends if it does not at once, is in the story. */
const told = (body: Body, def: CodeDef, worker: string, where: "process" | "thread"): Body => ({
  ...body,
  call: (args) => {
    const world = World.current()
    let result: unknown
    try {
      result = body.call(args)
    } finally {
      // A thread that is given an Effect has it run by its process.
      if (where === "process" || !Effect.isEffect(result)) world.note(worker, `runs ${def.name}`)
    }
    if (result instanceof Promise && !world.promises) throw world.escaped(waitsForPromise(`the task ${def.name} in the process ${worker}`))
    if (!Effect.isEffect(result)) return result
    // What the body needs, the worker gives it as before.
    return Effect.onExit(result as Effect.Effect<unknown, unknown>, (exit) =>
      Effect.sync(() => world.note(worker, `${def.name} ${Exit.isSuccess(exit) ? "has ended" : Cause.hasInterrupts(exit.cause) ? "was interrupted" : "failed"}`)))
  }
})

/** Virtual milliseconds, to the microsecond. */
export const drawMs = (of: Distribution | undefined, stream: Stream): number => Math.round(rawMs(of, stream) * 1000) / 1000

const rawMs = (of: Distribution | undefined, stream: Stream): number => {
  if (of === undefined) return stream.between(0.1, 5)
  if (typeof of === "object" && "min" in of) return stream.between(Duration.toMillis(of.min), Duration.toMillis(of.max))
  if (typeof of === "object" && "median" in of) return Duration.toMillis(of.median) * Math.exp(of.sigma * normal(stream))
  return Duration.toMillis(of)
}

/** About normal, of mean 0 and deviation 1: the sum of twelve even draws, less six. */
const normal = (stream: Stream): number => {
  let sum = -6
  for (let n = 0; n < 12; n++) sum += stream.next()
  return sum
}

/** The worker's memory, while it runs. */
const take = (bytes: number, ms: number, process: SimProcess, world: World.World): void => {
  if (bytes === 0) return
  process.memoryBytes += bytes
  world.at(world.now + ms, () => void (process.memoryBytes -= bytes))
}

/** What the task's schema allows; of one without, so many bytes. */
const standIn = (name: string, { nbytes = 0 }: TaskCost, { success }: Body["codecs"], stream: Stream): unknown => {
  if (success === undefined) return nbytes === 0 ? `stand-in of ${name}` : new Uint8Array(nbytes)
  return Effect.runSync(Effect.orDie(Arbitrary.sampleEffect(Arbitrary.schema(success.codec), { count: 1, seed: stream.bits() })))[0]
}
