/**
 * The modules and layers that a worker's tasks come from, while they come.
 *
 * A task is known as soon as it is made: the end of its module's import is not
 * waited for, because it may never come (the file that defines the tasks may
 * also be the one that starts the cluster, see TaskImport.ts). Only who asks for
 * code that is not there yet waits, and not for ever.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { learnExports } from "@skein/protocol/Portable"
import { type Handler, handlersIn } from "@skein/protocol/Task"
import * as TaskImport from "@skein/protocol/TaskImport"
import * as Registry from "@skein/protocol/TaskRegistry"
import { ModuleFailed, type Modules } from "./Modules.ts"
import * as TaskClients from "./TaskClients.ts"

/** How far the import of a module has come. */
export type Import =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Ended" }
  /** The module starts a cluster of its own, and goes no further here. */
  | { readonly _tag: "Started"; readonly start: TaskImport.Place }
  | { readonly _tag: "Failed"; readonly failed: ModuleFailed }

export interface Options {
  /** The worker's name, for the log. */
  readonly worker: string
  /** URLs of modules to import. */
  readonly tasks: ReadonlyArray<string>
  /** Contracts from this process; for workers that are fibers of it. */
  readonly layer?: Layer.Layer<never, unknown> | undefined
  /** How long code that is not there yet is waited for while modules are being imported, in milliseconds. @default 10000 */
  readonly waitMs?: number
  /** What layers find around them. @default no client */
  readonly client?: TaskClients.TaskClient | undefined
}

export interface Arriving {
  /** Of contracts, from the layers that have been built. */
  readonly handlers: () => ReadonlyArray<Handler>
  /** How far the import of the module at this URL has come; begins it, if nobody has. */
  readonly imported: (url: string) => Import
  /** All that were begun. */
  readonly imports: () => Iterable<Import>
  /** Tries now, and again whenever something has arrived, until that succeeds, nothing more is to come or it has taken too long. */
  readonly until: <A, E>(find: () => Result.Result<A, E>) => Effect.Effect<A, E>
}

/** What comes after the start of a cluster in a module may still come: whatever does not wait for the cluster. In milliseconds. */
const AFTER_START_MS = 200
/** Modules whose import is remembered; a client that names more is told of none. */
const MODULES_KEPT = 10_000

/** Begins to import the worker's modules and to build their layers. All of it ends with the scope. */
export const make = Effect.fnUntraced(function*(options: Options, modules: Modules["Service"]) {
  const { worker } = options
  const scope = yield* Effect.scope
  const memo = yield* Layer.makeMemoMap
  const handlers: Array<Handler> = []
  const imports = new Map<string, Import>()
  /** Layers that are being built. */
  let building = 0
  /** Opened, and replaced, at every arrival. */
  let arrival = Latch.makeUnsafe(false)
  const arrived = () => {
    const latch = arrival
    arrival = Latch.makeUnsafe(false)
    latch.openUnsafe()
  }
  const isMoreToCome = () => building > 0 || [...imports.values()].some(({ _tag }) => _tag === "Pending")
  yield* Effect.acquireRelease(Effect.sync(() => Registry.onRegistered(arrived)), (forget) => Effect.sync(forget))

  /** That it fails is no reason for the worker to end, but for the tasks that need it. */
  const build = (what: string, layer: Layer.Layer<never, unknown>) =>
    Effect.suspend(() => {
      building++
      return TaskClients.provideTo(TaskImport.ofExport(Layer.buildWithMemoMap(layer, memo, scope)), options.client ?? TaskClients.none).pipe(
        // What else such a layer gives is of no use here, but its handlers are taken from among it.
        Effect.map((context) => void handlers.push(...handlersIn(context as Context.Context<never>))),
        Effect.catchCause((cause) =>
          cause.reasons.some((reason) => Cause.isDieReason(reason) && reason.defect instanceof TaskImport.StartsCluster)
            ? Effect.logDebug(`worker ${worker}: ${what} starts a cluster or a client of one, and is not built here`)
            : Effect.logWarning(`worker ${worker}: ${what} could not be built; tasks that need it will fail`, cause)
        ),
        Effect.ensuring(Effect.sync(() => {
          building--
          arrived()
        })),
        Effect.forkIn(scope)
      )
    })
  const load = (url: string) =>
    Effect.gen(function*() {
      const exports = yield* modules.load(url)
      learnExports(exports)
      // Before it is known to have ended, or nobody would wait for the layers.
      if (options.tasks.includes(url)) {
        for (const [name, layer] of Object.entries(exports)) {
          if (Layer.isLayer(layer)) yield* build(`the layer "${name}" of ${url}`, layer as Layer.Any as Layer.Layer<never, unknown>)
        }
      }
      settle(url, { _tag: "Ended" })
    }).pipe(
      Effect.catchCause((cause) => {
        const failed = Cause.squash(cause)
        settle(url, { _tag: "Failed", failed: failed instanceof ModuleFailed ? failed : new ModuleFailed({ url, cause: failed }) })
        return Effect.logWarning(`worker ${worker}: ${url} could not be imported; tasks that need it will fail`, cause)
      })
    )
  const settle = (url: string, as: Import) => {
    imports.set(url, as)
    arrived()
  }

  /** From a search on, which is no effect. */
  const fork = yield* FiberSet.makeRuntime<never>()
  const ask = (url: string): Import => {
    const pending: Import = { _tag: "Pending" }
    imports.set(url, pending)
    fork(load(url))
    return pending
  }
  for (const url of options.tasks) ask(url)
  if (options.layer !== undefined) yield* build("the layer of tasks", options.layer)

  /** The module goes no further, if it is known which. */
  const started = Effect.fnUntraced(function*(start: TaskImport.Place | null) {
    const where = start === null ? "a module of tasks" : `${start.url}:${start.line}`
    yield* Effect.logInfo(`worker ${worker}: ${where} starts a cluster, and its import ends there; what it does before that is done on every worker`)
    if (start === null) return
    yield* Effect.sleep(AFTER_START_MS)
    for (const [url, as] of imports) if (as._tag === "Pending" && withoutQuery(url) === withoutQuery(start.url)) settle(url, { _tag: "Started", start })
  })
  // Of an earlier life of this worker, in the same process.
  for (const start of TaskImport.starts()) fork(started(start))
  yield* Effect.acquireRelease(Effect.sync(() => TaskImport.onStart((start) => void fork(started(start)))), (forget) => Effect.sync(forget))

  const until = <A, E>(find: () => Result.Result<A, E>): Effect.Effect<A, E> => {
    const again: Effect.Effect<A, E> = Effect.suspend(() => {
      const next = arrival
      const found = find()
      return Result.isSuccess(found) || !isMoreToCome() ? Effect.fromResult(found) : Effect.andThen(next.await, again)
    })
    return Effect.suspend(() => {
      const found = find()
      if (Result.isSuccess(found) || !isMoreToCome()) return Effect.fromResult(found)
      return Effect.timeoutOrElse(again, { duration: options.waitMs ?? 10_000, orElse: () => Effect.suspend(() => Effect.fromResult(find())) })
    })
  }
  const arriving: Arriving = {
    handlers: () => handlers,
    imported: (url) => imports.get(url) ?? (imports.size < MODULES_KEPT ? ask(url) : { _tag: "Ended" }),
    imports: () => imports.values(),
    until
  }
  return arriving
})

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, "")
