/**
 * What is not done where a program's modules are imported for their tasks.
 *
 * A file that defines tasks and then starts its cluster is also the module of
 * those tasks: workers import it, and their threads do. There it must not start a
 * cluster in its turn, or be a client of one. So whatever begins such a thing is
 * written with `notForTasks`, and where this process or thread is a worker's it
 * waits for ever instead, and with it whatever comes after it in the module. The
 * tasks made before are there by then; for those made later it is remembered
 * where that was.
 *
 * Bodies, and the services that belong to tasks, may have clients and clusters of
 * their own: what is around them says that they are a task's.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { current } from "./CurrentTask.ts"
import { isForTasks } from "./ForTasks.ts"
import { callerPlace, type Place } from "./internal/callSite.ts"
import { TaskContext } from "./TaskContext.ts"

export type { Place }

interface State {
  /** Where the program's own start was met, as far as that is known; the first ones. */
  readonly starts: Array<Place | null>
  readonly listeners: Set<(start: Place | null) => void>
}

/** One for the whole process or thread, however many copies of this module it has. The version in the name changes when the shape does. */
const place = Symbol.for("skein/TaskImport/1")
const state: State = ((globalThis as { [place]?: State })[place] ??= { starts: [], listeners: new Set() })

/** Starts that are remembered; a module has one. */
const STARTS_KEPT = 100

/** Where programs would have started something here, in the order in which it was met. Null: it was not on the stack. */
export const starts = (): ReadonlyArray<Place | null> => state.starts

/** Hears of every such start from now on. Returns what ends that. */
export const onStart = (listener: (start: Place | null) => void): () => void => {
  state.listeners.add(listener)
  return () => {
    state.listeners.delete(listener)
  }
}

/** On whose behalf an effect runs: of the program that is imported, of a task, or to see whether a layer it exports is of contracts. */
const Behalf = Context.Reference<"program" | "task" | "export">("skein/TaskImport/Behalf", { defaultValue: () => "program" })

/** Says of an effect that it belongs to a task, and may start what it likes: the services of bodies. Bodies are known by their task. */
export const ofTask = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.provideService(effect, Behalf, "task")

/** Says of an effect that it builds a layer which a module of tasks exports: if that starts a cluster or a client, it dies of `StartsCluster`. */
export const ofExport = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.provideService(effect, Behalf, "export")

/** An exported layer is no layer of contracts, for it starts a cluster or a client of one. */
export class StartsCluster extends Schema.TaggedError<StartsCluster>()("StartsCluster", {}) {}

/**
 * The effect as it is; but waits for ever, and cannot be interrupted, where modules are imported for their tasks. (A program that
 * was interrupted would end the process, which is not its own.) To be called where the program's own code is on the stack: that is
 * the place which is remembered.
 */
export const notForTasks = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const start = isForTasks() ? callerPlace(ownFiles) : null
  return Effect.withFiber((fiber) => {
    const behalf = Context.get(fiber.context, Behalf)
    if (behalf === "export") return Effect.die(new StartsCluster())
    if (!isForTasks() || behalf === "task" || Context.getOrUndefined(fiber.context, TaskContext) !== undefined || current() !== undefined) return effect
    if (state.starts.length < STARTS_KEPT) state.starts.push(start)
    for (const listener of state.listeners) listener(start)
    return Effect.uninterruptible(Effect.never)
  })
}

/** Where stacks are not yet in the user's code. */
const ownFiles = [
  "/protocol/src/TaskImport", "/protocol/src/internal/callSite", "/client/src/Client", "/cluster/src/Client", "/cluster/src/LocalCluster", "/cluster/src/Scheduler", "/cluster/src/Worker"
].flatMap((path) => [`${path}.ts`, `${path.replace("/src/", "/dist/")}.js`]).concat("/skein-image.cjs")
