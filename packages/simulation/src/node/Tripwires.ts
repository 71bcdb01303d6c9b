/**
 * While a run is under way the real world is out of reach.
 *
 * What a seed does not determine would make a run that nobody can repeat. So the
 * global clock, chance, timers and I/O are replaced for the run's duration by
 * functions that fail, with the line that called them; the run ends by it, for
 * nothing after it would be worth anything. Three are let through: Effect itself,
 * whose hashes of objects and whose ids of spans draw at random, gets draws from
 * the seed; Node itself, when a body writes to the console; and dates that say
 * which they are (`new Date(0)`).
 *
 * Promises settle by the event loop, which has no turn during a run. So whoever
 * waits for one would wait for ever, and is told so at once instead; who has made
 * it is gone by then, and so the task and the place where its fiber stands are
 * named.
 *
 * `process.exit` ends the simulated thread or process that calls it.
 *
 * Errors get no stacks meanwhile: their lines differ between versions of Node,
 * they travel with failures, and to collect them is most of what an error costs.
 */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import { TaskContext } from "@skein/protocol/TaskContext"
import { EscapedSimulation, waitsForPromise } from "../Errors.ts"
import { exitProcess } from "../Body.ts"
import { CurrentProcess } from "../SimProcess.ts"
import type { World } from "../World.ts"
import { placesOfOne } from "./Waiting.ts"

export interface Options {
  readonly tripwires: boolean
  /** Whether promises settle. */
  readonly promises: boolean
  readonly stacks: boolean
  readonly world: World
}

type Wire = readonly [holder: object, name: string, what: string, instead: string]

const clockInstead = "use Effect's Clock (or DateTime.now), which the simulation drives"
const timerInstead = "use Effect.sleep, Effect.delay or a Schedule"
const chanceInstead = "use Effect's Random, which follows from the seed"
const cryptoInstead = "use Effect's Random for what need not be secret, or take it as an argument"
const queueInstead = "use Effect.yieldNow or fork a fiber: the simulation cannot see the event loop"

const wires = (): ReadonlyArray<Wire> => [
  [Date, "now", "Date.now", clockInstead],
  [performance, "now", "performance.now", clockInstead],
  [process, "hrtime", "process.hrtime", clockInstead],
  [process, "nextTick", "process.nextTick", queueInstead],
  [Math, "random", "Math.random", chanceInstead],
  [globalThis, "setTimeout", "setTimeout", timerInstead],
  [globalThis, "setInterval", "setInterval", timerInstead],
  [globalThis, "setImmediate", "setImmediate", queueInstead],
  [globalThis, "queueMicrotask", "queueMicrotask", queueInstead],
  [globalThis, "fetch", "fetch", "use HttpClient and give the run a layer that answers for the server"],
  [crypto, "randomUUID", "crypto.randomUUID", cryptoInstead],
  [crypto, "getRandomValues", "crypto.getRandomValues", cryptoInstead],
  ...subtle.map((name): Wire => [crypto.subtle, name, `crypto.subtle.${name}`, "use the service Hashing: the simulation cannot settle promises"])
]

const subtle = ["decrypt", "deriveBits", "deriveKey", "digest", "encrypt", "exportKey", "generateKey", "importKey", "sign", "unwrapKey", "verify", "wrapKey"] as const

/** Sets the wires; returns what takes them away again. */
export const set = ({ promises, stacks, tripwires, world }: Options): () => void => {
  const undo: Array<() => void> = []
  const replace = (holder: object, name: string, value: unknown) => {
    const before = Object.getOwnPropertyDescriptor(holder, name)
    Object.defineProperty(holder, name, { configurable: true, writable: true, enumerable: before?.enumerable ?? false, value })
    undo.push(() => before === undefined ? void Reflect.deleteProperty(holder, name) : Object.defineProperty(holder, name, before))
  }
  if (tripwires) {
    const effects = world.stream("effect")
    for (const [holder, name, what, instead] of wires()) {
      const real: unknown = Reflect.get(holder, name)
      const trip = (...args: ReadonlyArray<unknown>): unknown => {
        if (world.free !== undefined && typeof real === "function" && Fiber.getCurrent()?.getRef(CurrentProcess) === world.free) return Reflect.apply(real, holder, args)
        const { by, where } = caller()
        if (by === "effect" && name === "random") return effects.next()
        if (by === "node" && typeof real === "function") return Reflect.apply(real, holder, args)
        throw world.escaped(new EscapedSimulation({ what, where, instead }))
      }
      replace(holder, name, trip)
    }
    if (!promises) {
      replace(Promise.prototype, "then", () => {
        throw world.escaped(waitsForPromise(waiting()))
      })
    }
    replace(globalThis, "Date", dateOf(Date, () => Date.now()))
    replace(process, "exit", (code?: number | string | null) => exitProcess(Number(code ?? 0)))
  }
  const limit = Error.stackTraceLimit
  if (!stacks) Error.stackTraceLimit = 0
  undo.push(() => {
    Error.stackTraceLimit = limit
  })
  return () => {
    for (const one of undo.reverse()) one()
  }
}

/** A `Date` whose constructor asks for the present time through `now`. */
const dateOf = (real: DateConstructor, now: () => number): DateConstructor =>
  new Proxy(real, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
    apply: () => now()
  })

/** Who called: the first line of the stack that is neither the simulator's nor Effect's. */
const caller = (): { readonly where: string; readonly by: "effect" | "node" | "other" } => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 40
  const lines = (new Error().stack ?? "").split("\n").slice(1).map((line) => line.trim().replace(/^at /, ""))
  Error.stackTraceLimit = limit
  const others = lines.filter((line) => !isOwn(line))
  const nearest = others[0] ?? ""
  const by = isEffect(nearest) ? "effect" : nearest.includes("node:") ? "node" : "other"
  const where = others.find((line) => !isEffect(line) && !line.includes("node:")) ?? nearest
  const fiber = Fiber.getCurrent()
  return { by, where: fiber === undefined ? where : `${where} in the process ${fiber.getRef(CurrentProcess).name}` }
}

/** Who waits: the task, and where its fiber stands. */
const waiting = (): string => {
  const fiber = Fiber.getCurrent()
  if (fiber === undefined) return caller().where
  const task = Context.getOrUndefined(fiber.context, TaskContext)?.key
  const places = placesOfOne(fiber).slice(0, 3).join(" ← ")
  return `${[task === undefined ? "" : `the task ${task}`, places].filter((part) => part !== "").join(", ")} in the process ${fiber.getRef(CurrentProcess).name}`
}

const isOwn = (line: string): boolean => /\/simulation\/(src|dist)\/node\/Tripwires\.[jt]s/.test(line)
const isEffect = (line: string): boolean => /\/node_modules\/(effect|@effect\/[^/]+)\//.test(line)
